"""Settings as a fresh process reads them from its environment."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
READER = """
import json, sys
from studio import settings
print(json.dumps({name: getattr(settings, name) for name in sys.argv[1:]}, default=str))
"""
PASSWORD = 'it\'s a \\ "quoted" one/#?'
AS_SENT = "it%27s%20a%20%5C%20%22quoted%22%20one%2F%23%3F"


def _read(name: str, **environment: str) -> Any:
    given = {"PATH": os.defpath, "STUDIO_DOTENV": "0", **environment}
    done = subprocess.run(
        [sys.executable, "-c", READER, name],
        cwd=ROOT,
        env=given,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)[name]


def test_options_of_the_database_url_are_kept_beside_ours() -> None:
    url = f"postgres://app:{AS_SENT}@db.test:5433/studio?sslmode=verify-full&connect_timeout=7"
    database = _read("DATABASES", DATABASE_URL=url)["default"]
    assert database["PASSWORD"] == PASSWORD
    assert database["OPTIONS"] == {
        "sslmode": "verify-full",
        "connect_timeout": 7,
        "pool": {"min_size": 0, "max_size": 10, "timeout": 5, "reconnect_timeout": 1},
        "options": "-c lock_timeout=2s -c statement_timeout=30s"
        " -c idle_in_transaction_session_timeout=10s",
    }


def test_server_options_of_the_database_url_come_after_ours() -> None:
    url = "postgres://app@db.test/studio?options=-c%20statement_timeout%3D9s"
    options = _read("DATABASES", DATABASE_URL=url)["default"]["OPTIONS"]["options"]
    assert options.startswith("-c lock_timeout=2s ")
    assert options.endswith(" -c statement_timeout=9s")


def test_a_secret_s_file_loses_its_last_newline(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("postgres://app@db.test/studio\n")
    assert _read("DATABASE_URL", DATABASE_URL_FILE=str(secret)) == "postgres://app@db.test/studio"


def test_a_provider_s_key_is_found_by_its_slug(tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text("from-a-file\n")
    keys = _read(
        "PROVIDER_KEYS",
        OPENROUTER_API_KEY="or",
        STABILITY_API_KEY_FILE=str(secret),
        GROK_API_KEY="grok",
        OPENAI_API_KEY="",
    )
    assert keys == {"openrouter": "or", "stability": "from-a-file", "xai": "grok"}


def test_the_proper_name_of_a_provider_wins() -> None:
    keys = _read("PROVIDER_KEYS", GROK_API_KEY="grok", XAI_API_KEY="xai")
    assert keys == {"xai": "xai"}
    assert _read("PROVIDER_KEYS", HF_TOKEN="hf_1") == {"huggingface": "hf_1"}
    both = _read("PROVIDER_KEYS", HF_TOKEN="hf_1", HUGGINGFACE_API_KEY="hf_2")
    assert both == {"huggingface": "hf_2"}


def test_a_deployment_has_an_address_of_its_own_or_the_one_model_s() -> None:
    address = "https://model-{}.api.baseten.co/environments/production"
    assert _read("DEPLOYMENT_BASE_URLS") == {}
    assert _read("DEPLOYMENT_BASE_URLS", BASETEN_MODEL_FP8="abc") == {
        "baseten:orpheus-fp8": address.format("abc")
    }
    assert _read("DEPLOYMENT_BASE_URLS", BASETEN_MODEL_FP8="abc", MODEL_ID="one") == {
        "baseten:orpheus-fp8": address.format("abc"),
        "baseten:orpheus-fp16": address.format("one"),
    }


def test_a_ring_expires_when_the_next_one_comes() -> None:
    schedule = _read("CELERY_BEAT_SCHEDULE")
    assert "resolve-orphans" in schedule
    by_the_clock = schedule.pop("reconcile")
    assert by_the_clock["options"] == {"expires": 3600.0}
    for ring in schedule.values():
        assert ring["options"] == {"expires": ring["schedule"]}

"""Voices over HTTP: listed, narrowed, described, heard."""

import io
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import mutagen
import pytest
import requests
from django.core.management import CommandError, call_command

from studio.accounts.models import Workspace
from studio.core.money import UCR_PER_CREDIT
from tests.databases import Database, rows
from tests.gateway.conftest import Payer

FACTS = {
    *("id", "name", "provider", "voice", "language", "gender", "archetype", "characteristics"),
    *("use", "emotions", "example_text", "preview_url"),
}


def listed(payer: Payer, query: str = "") -> list[dict[str, Any]]:
    answer = payer.get(f"/v1/voices{query}")
    assert answer.status_code == 200, answer.text
    return list(answer.json()["voices"])


def test_all_voices_are_listed_with_their_facts(payer: Payer) -> None:
    voices = listed(payer)
    assert all(set(voice) == FACTS for voice in voices)
    assert [voice["id"] for voice in voices[:2]] == ["tara", "leah"]
    rachel = next(voice for voice in voices if voice["id"] == "rachel")
    assert (rachel["provider"], rachel["voice"]) == ("elevenlabs", "21m00Tcm4TlvDq8ikWAM")
    assert payer.balance() == (1_000_000_000, 0)


def test_voices_are_narrowed_by_their_facts(payer: Payer) -> None:
    found = listed(payer, "?provider=baseten&gender=male")
    assert [voice["id"] for voice in found] == ["leo", "dan", "zac"]
    assert listed(payer, "?language=xx") == []
    assert {voice["use"] for voice in listed(payer, "?use=narration")} == {"narration"}


@pytest.mark.parametrize("query", ["?colour=blue", "?use=narration&use=gaming"])
def test_other_words_in_the_query_are_refused(payer: Payer, query: str) -> None:
    assert payer.get(f"/v1/voices{query}").status_code == 400


def test_a_listed_voice_can_be_called_by_what_the_list_says(payer: Payer) -> None:
    for slug, kind in (("coral", "gpt-4o-mini-tts"), ("josh", "eleven_flash_v2_5")):
        voice = payer.get(f"/v1/voices/{slug}").json()
        answer = payer.post(
            "/v1/audio/speech",
            json={"model": kind, "input": f"Hello from {slug}.", "voice": voice["voice"]},
        )
        assert answer.status_code == 200, answer.text


def test_an_unknown_voice_is_404(payer: Payer) -> None:
    assert payer.get("/v1/voices/nobody").status_code == 404
    assert payer.get("/v1/voices/nobody/preview").status_code == 404


def test_previews_are_made_once_and_paid_by_a_workspace(
    payer: Payer, gateway_database: Database, gateway_environment: dict[str, str], tmp_path: Any
) -> None:
    name = Workspace.objects.get(pk=payer.workspace_id).name
    environment = {
        **os.environ,
        **gateway_environment,
        "DATABASE_URL": gateway_database.app_url,
        "STUDIO_DATA_DIR": str(tmp_path),
    }

    def make() -> str:
        command = [sys.executable, "manage.py", "make_voice_previews", "tara", "nova"]
        made = subprocess.run(
            [*command, "--workspace", name],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert made.returncode == 0, made.stderr
        return made.stdout

    assert make().startswith("2 previews made for ")
    charged_ucr = sum(usage["charge_ucr"] for usage in payer.usage())
    assert payer.balance() == (1000 * UCR_PER_CREDIT - charged_ucr, 0)
    assert {usage["app_id"] for usage in payer.usage()} == {"voice-previews"}
    assert make() == "0 previews made for 0.0 credits\n"
    [kept] = rows(
        "SELECT media_ms FROM gateway_voicepreview p JOIN gateway_voice v ON v.id = p.voice_id"
        " WHERE slug = 'tara'"
    )
    heard = wait_for_preview(payer)
    length_s = mutagen.File(io.BytesIO(heard.content)).info.length
    assert kept["media_ms"] == pytest.approx(length_s * 1000, abs=80)
    assert heard.headers["content-type"] == "audio/mpeg"
    known = payer.get("/v1/voices/tara/preview", headers={"if-none-match": heard.headers["etag"]})
    assert known.status_code == 304
    assert payer.get("/v1/voices/leo/preview").status_code == 404


def test_a_preview_of_an_unknown_voice_is_an_error(open_database: None) -> None:
    with pytest.raises(CommandError, match="There is no voice nobody, nothing"):
        call_command("make_voice_previews", "nothing", "tara", "nobody", workspace="anybody's")


def wait_for_preview(payer: Payer) -> requests.Response:
    """Ask until the process has seen that the voice has one: it looks each second."""
    for _ in range(200):
        url = payer.get("/v1/voices/tara").json()["preview_url"]
        if url is not None:
            return payer.get(url.removeprefix(payer.url))
    raise AssertionError("the preview was not seen")


def test_a_preview_needs_a_credential(gateway_url: str, make_payer: Callable[..., Payer]) -> None:
    assert requests.get(f"{gateway_url}/v1/voices/tara/preview", timeout=10).status_code == 401

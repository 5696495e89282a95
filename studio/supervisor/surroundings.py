"""The environment of a Django command: `.env`, the running `up`, and the owner for `migrate`."""

import json
import os
from collections.abc import Mapping, MutableMapping
from pathlib import Path

import environ

from studio.supervisor.bootstrap import BASE_DIR
from studio.supervisor.places import write_private

_FILE = "environment.json"
_SHARED = (
    "DEBUG",
    "SECRET_KEY",
    "APP_KEY_PEPPERS",
    "VAULT_SECRET",
    "APP_JWT_SECRET",
    "DATABASE_URL",
    "DATABASE_OWNER_URL",
    "REDIS_URL",
    "ASSETS_DIR",
    "SANDBOX_URL",
    "STRIPE_SECRET_KEY",
    "STRIPE_WEBHOOK_SECRET",
    "STRIPE_API_BASE",
)
"""What a command must have in common with the processes of `up`, itself or as a file."""
_OWN_SERVERS = {"bench", "torture"}
"""These start servers of their own unless DATABASE_URL names one, and must not load those of `up`.
"""


def default_data_dir(environment: Mapping[str, str]) -> Path:
    """Return STUDIO_DATA_DIR, or `.studio` beside manage.py."""
    return Path(environment.get("STUDIO_DATA_DIR") or BASE_DIR / ".studio")


def read_dotenv() -> None:
    """Fill what our environment leaves open from `.env` beside manage.py, as the settings do."""
    path = BASE_DIR / ".env"
    if path.exists() and os.environ.get("STUDIO_DOTENV", "1") == "1":
        environ.Env.read_env(path)


def complete(environment: MutableMapping[str, str], command: str) -> None:
    """Change `environment` into the one that a Django command needs.

    Where no database is named, it is that of the `up` that runs. `migrate` works as the owner.
    """
    if command not in _OWN_SERVERS and not configured(environment, "DATABASE_URL"):
        running = shared_environment(default_data_dir(environment))
        environment.update({**running, **environment})
    if command == "migrate":
        changed = owner_environment(environment)
        for name in set(environment) - set(changed):
            del environment[name]
        environment.update(changed)


def configured(environment: Mapping[str, str], name: str) -> bool:
    """Say whether a setting is given, itself or as the file that holds it."""
    return bool(environment.get(name) or environment.get(f"{name}_FILE"))


def owner_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with the owner's database URL, if there is one, in the app's place."""
    changed = dict(environment)
    if configured(environment, "DATABASE_OWNER_URL"):
        for name in ("DATABASE_URL", "DATABASE_URL_FILE"):
            changed.pop(name, None)
        for suffix in ("", "_FILE"):
            value = changed.get(f"DATABASE_OWNER_URL{suffix}")
            if value:
                changed[f"DATABASE_URL{suffix}"] = value
    return changed


def share_environment(data_dir: Path, environment: Mapping[str, str]) -> None:
    """Let commands beside this process find its servers and secrets, while it lives."""
    names = [name + suffix for name in _SHARED for suffix in ("", "_FILE")]
    shared = {name: environment[name] for name in names if name in environment}
    text = json.dumps({"pid": os.getpid(), "environment": shared}, indent=1)
    write_private(data_dir / _FILE, text + "\n")


def shared_environment(data_dir: Path) -> dict[str, str]:
    """Read what the `up` of this data folder shares; nothing if none runs, or it is not ours."""
    try:
        found = json.loads((data_dir / _FILE).read_text())
        os.kill(found["pid"], 0)
        shared: dict[str, str] = found["environment"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return shared


def stop_sharing(data_dir: Path) -> None:
    """Remove what `share_environment` wrote, if it is there."""
    (data_dir / _FILE).unlink(missing_ok=True)

"""Which processes `up` runs, and the environment they share.

Pure but for generated secrets handed in.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from studio.supervisor.bootstrap import BASE_DIR
from studio.supervisor.places import CannotStart
from studio.supervisor.processes import ChildSpec
from studio.supervisor.surroundings import configured
from studio.supervisor.surroundings import owner_environment as owner_environment  # the bench's too

_SECRETS_OF_THE_PRODUCT = ("SECRET_KEY", "APP_KEY_PEPPERS", "VAULT_SECRET", "APP_JWT_SECRET")
_OFF = {"0", "false", "off", "no", "n", "f", ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything `up` needs to know to start a process."""

    data_dir: Path
    host: str
    port: int
    environment: Mapping[str, str]

    @property
    def log_dir(self) -> Path:
        """Where every child writes."""
        return self.data_dir / "logs"

    @property
    def base_url(self) -> str:
        """The address to call from this machine."""
        reachable = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.host)  # noqa: S104  # not binding
        name = reachable or (f"[{self.host}]" if ":" in self.host else self.host)
        return f"http://{name}:{self.port}"

    def sandbox(self, port: int) -> ChildSpec:
        """The doubles of the upstreams."""
        return self._python("sandbox", "-m", "sandbox", "--host", "127.0.0.1", "--port", str(port))

    def web(self) -> ChildSpec:
        """The web process; it answers what is under way before it ends."""
        options = ["--host", self.host, "--port", str(self.port), "--workers", "1"]
        options += ["--loop", "uvloop", "--http", "httptools", "--no-server-header"]
        # Addresses behind proxies are read by TRUSTED_PROXY_HOPS, not believed from any neighbour.
        options += ["--no-proxy-headers"]
        # A process that cannot open its runtime ends instead of answering 500 for ever.
        options += ["--lifespan", "on"]
        # The product writes its own access log.
        options += ["--no-access-log", "--timeout-graceful-shutdown", "10"]
        return self._python("web", "-m", "uvicorn", "studio.asgi:application", *options)

    def worker(self) -> ChildSpec:
        """The Celery worker."""
        options = ["--concurrency", "2", *self._log_level()]
        options += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        return self._python("worker", "-m", "celery", "-A", "studio.celery", "worker", *options)

    def beat(self) -> ChildSpec:
        """The clock that rings for the sweeps."""
        options = ["--schedule", str(self.data_dir / "beat-schedule"), "--pidfile", ""]
        options += self._log_level()
        return self._python("beat", "-m", "celery", "-A", "studio.celery", "beat", *options)

    def prepare(self, key_file: Path, admin_password: str) -> ChildSpec:
        """The process that migrates, loads data and makes the demo workspace, as the owner."""
        command = ["manage.py", "prepare_demo", "--key-file", str(key_file)]
        extra = owner_environment(self.environment) | {"STUDIO_ADMIN_PASSWORD": admin_password}
        return self._python("prepare", *command, extra=extra)

    def _log_level(self) -> list[str]:
        """Celery sets the level of our log by its own option."""
        return ["--loglevel", self.environment.get("LOG_LEVEL") or "info"]

    def _python(
        self, name: str, *arguments: str, extra: Mapping[str, str] | None = None
    ) -> ChildSpec:
        return ChildSpec(
            name=name,
            command=[sys.executable, *arguments],
            environment=extra or self.environment,
            log=self.log_dir / f"{name}.log",
            cwd=BASE_DIR,
        )


def product_environment(
    environment: Mapping[str, str], secrets: Mapping[str, str], addresses: Mapping[str, str]
) -> dict[str, str]:
    """Fill what the environment leaves open: development mode, secrets, addresses of ours."""
    complete = {"DEBUG": "1", **environment}
    for name in _SECRETS_OF_THE_PRODUCT:
        if not configured(environment, name):
            complete[name] = secrets[name]
    complete |= addresses
    complete |= {"DJANGO_SETTINGS_MODULE": "studio.settings", "PYTHONUNBUFFERED": "1"}
    return complete


def check_embedded_allowed(environment: Mapping[str, str]) -> None:
    """Raises: CannotStart where embedded servers would stand in for production's."""
    debug = environment.get("DEBUG", "1").strip().lower() not in _OFF
    if not debug and environment.get("STUDIO_EMBEDDED") != "1":
        raise CannotStart(
            "DEBUG is off, and embedded servers are for development. "
            "Set DATABASE_URL and REDIS_URL, or STUDIO_EMBEDDED=1 if you mean it."
        )


def who_answers(environment: Mapping[str, str]) -> str:
    """Say in one line which provider answers a chat."""
    if not configured(environment, "OPENAI_API_KEY"):
        return "the sandbox, no real model (OPENAI_API_KEY is not set)"
    base_url = environment.get("OPENAI_BASE_URL")
    if base_url:
        return f"{base_url} (OPENAI_API_KEY and OPENAI_BASE_URL are set)"
    return "OpenAI itself (OPENAI_API_KEY is set)"

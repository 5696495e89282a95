"""Which processes `up` runs, and the environment they share.

Pure but for generated secrets handed in.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from studio.supervisor.bootstrap import BASE_DIR
from studio.supervisor.places import CannotStart
from studio.supervisor.processes import ChildSpec
from studio.supervisor.surroundings import configured
from studio.supervisor.surroundings import owner_environment as owner_environment  # the bench's too

_SECRETS_OF_THE_PRODUCT = ("SECRET_KEY", "APP_KEY_PEPPERS", "VAULT_SECRET", "APP_JWT_SECRET")
MEDIA_THREADS = "48"
"""More than JOB_LONG_CALLS, so that some are always left for short work."""
DEMO_WORKSPACE = "demo"
"""The one that `prepare_demo` makes; voices' previews are paid from it."""
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
        """The doubles of the upstreams; of Stripe too, if it stands in for it."""
        options = ["--host", "127.0.0.1", "--port", str(port)]
        if self.environment.get("STRIPE_API_BASE") == stripe_double(port):
            options += ["--stripe-webhooks", f"{self.base_url}/v1/stripe/webhook"]
        return self._python("sandbox", "-m", "sandbox", *options)

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

    def media_worker(self) -> ChildSpec:
        """The Celery worker that makes images and music: its threads wait for providers."""
        options = ["--queues", "media", "--pool", "threads", "--concurrency", MEDIA_THREADS]
        options += ["--hostname", "media@%h", *self._log_level()]
        options += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        command = ["-m", "celery", "-A", "studio.celery", "worker", *options]
        return self._python("media-worker", *command)

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
    complete = {"DEBUG": "1", "PREVIEWS_WORKSPACE": DEMO_WORKSPACE, **environment}
    for name in _SECRETS_OF_THE_PRODUCT:
        if not configured(environment, name):
            complete[name] = secrets[name]
    complete |= addresses
    complete |= {"DJANGO_SETTINGS_MODULE": "studio.settings", "PYTHONUNBUFFERED": "1"}
    return complete


def stripe_double(sandbox_port: int) -> str:
    """Give the address of the sandbox's Stripe."""
    return f"http://127.0.0.1:{sandbox_port}/stripe"


def sandbox_payments(environment: Mapping[str, str], sandbox_port: int) -> dict[str, str]:
    """Let the sandbox's Stripe stand in while developing; nothing if Stripe is set up.

    The secrets are new at each start: whoever knew one could sign credit into being.
    """
    if configured(environment, "STRIPE_SECRET_KEY") or not _develops(environment):
        return {}
    return {
        "STRIPE_SECRET_KEY": f"sk_test_sandbox_{token_hex(16)}",
        "STRIPE_WEBHOOK_SECRET": f"whsec_sandbox_{token_hex(16)}",
        "STRIPE_API_BASE": stripe_double(sandbox_port),
    }


def check_embedded_allowed(environment: Mapping[str, str]) -> None:
    """Raises: CannotStart where embedded servers would stand in for production's."""
    debug = _develops(environment)
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


def who_is_paid(environment: Mapping[str, str]) -> str:
    """Say in one line where credit is bought."""
    if not configured(environment, "STRIPE_SECRET_KEY"):
        return "are off (STRIPE_SECRET_KEY is not set)"
    base = environment.get("STRIPE_API_BASE")
    if base and base == f"{environment.get('SANDBOX_URL')}/stripe":
        return "go to the sandbox, no money moves (STRIPE_SECRET_KEY is not set)"
    return f"go to {base or 'Stripe itself'} (STRIPE_SECRET_KEY is set)"


def _develops(environment: Mapping[str, str]) -> bool:
    """Say whether DEBUG is on, as `up` has it unless it is told otherwise."""
    return environment.get("DEBUG", "1").strip().lower() not in _OFF

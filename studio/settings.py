"""Every setting, from the environment. A name may end in `_FILE` to be read from a file instead.

docs/operations.md lists the names for operators.
"""

import os
from pathlib import Path
from typing import Any

import environ
from celery.schedules import crontab

from studio.rings import RINGS

BASE_DIR = Path(__file__).resolve().parent.parent


class _FilesWithoutLastNewline(environ.FileAwareMapping):  # type: ignore[misc]  # it has no types
    """An editor ends a secret's file with a newline, which is no part of the secret."""

    def __getitem__(self, key: str) -> str:
        return str(super().__getitem__(key)).rstrip("\r\n")


def _environment() -> environ.Env:
    """Read the process environment, then `.env` beside manage.py for what it leaves open."""
    dotenv = BASE_DIR / ".env"
    if dotenv.exists() and os.environ.get("STUDIO_DOTENV", "1") == "1":
        environ.Env.read_env(dotenv)
    found = environ.Env()
    found.ENVIRON = _FilesWithoutLastNewline()
    return found


env = _environment()

# --- the process ----------------------------------------------------------------------------------
DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="")
ALLOWED_HOSTS = env.list(
    "ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"] if DEBUG else []
)
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
STUDIO_VERSION = "0.1.0"
ROOT_URLCONF = "studio.urls"
ASGI_APPLICATION = "studio.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TIME_ZONE = "UTC"
USE_TZ = True
LANGUAGE_CODE = "en"
FORMAT_MODULE_PATH = ["studio.formats"]
APPEND_SLASH = False
TRUSTED_PROXY_HOPS = env.int("TRUSTED_PROXY_HOPS", default=0)
"""How many proxies of ours stand before this process: the address of a caller is that many places
from the right of X-Forwarded-For, or the socket's peer for 0.
"""
if TRUSTED_PROXY_HOPS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "studio.accounts",
    "billing",
    "analytics",
    "gateway",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "gateway.surfaces.middleware.ApiDoor",
    "gateway.surfaces.staff_login.LoginThrottle",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "static"
WHITENOISE_USE_FINDERS = DEBUG
WHITENOISE_AUTOREFRESH = DEBUG
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

# --- logs: access lines are the gateway's own (gateway/access_log.py), uvicorn's are uvicorn's ----
LOG_LEVEL = env.str("LOG_LEVEL", default="info").upper()
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "redacted": {
            "()": "studio.core.log.RedactingFormatter",
            "format": "%(asctime)s %(levelname)s %(name)s %(message)s",
        },
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "redacted"}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        "django": {"handlers": [], "level": "NOTSET"},
        # Below this it repeats each refusal, which the access log has.
        "django.request": {"level": "ERROR"},
        # Below this it writes what it sends and gets.
        "stripe": {"level": "WARNING"},
        # Below this they write a line for each ring, of which there are some each second.
        "celery.app.trace": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},
    },
}

# --- browsers -------------------------------------------------------------------------------------
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        "form-action": ["'self'"],
    },
}
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not DEBUG
SESSION_COOKIE_SAMESITE = "Lax"
SECURE_HSTS_SECONDS = 0 if DEBUG else 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = not DEBUG
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=not DEBUG)
SECURE_REDIRECT_EXEMPT = [r"^health"]
X_FRAME_OPTIONS = "DENY"

# --- database, broker -----------------------------------------------------------------------------
DATABASE_URL = env.str("DATABASE_URL", default="")
DATABASES = {
    "default": env.db_url("DATABASE_URL", default="postgres://studio_app@127.0.0.1:5432/studio")
}
_of_the_url = DATABASES["default"].get("OPTIONS", {})
_timeouts = "-c lock_timeout=2s -c statement_timeout=30s -c idle_in_transaction_session_timeout=10s"
DATABASES["default"].update(
    ENGINE="django.db.backends.postgresql",
    ATOMIC_REQUESTS=False,
    CONN_HEALTH_CHECKS=True,
    OPTIONS={
        **_of_the_url,  # `?sslmode=verify-full` and whatever else libpq knows
        "pool": {"min_size": 0, "max_size": 10, "timeout": 5, "reconnect_timeout": 1},
        "options": f"{_timeouts} {_of_the_url.get('options', '')}".rstrip(),
    },
)
DATABASE_OWNER_URL = env.str("DATABASE_OWNER_URL", default="")
"""The owner's address: `manage.py migrate` works by it; nothing else uses it."""
REDIS_URL = env.str("REDIS_URL", default="redis://127.0.0.1:6379/0")

# --- Celery: ids only, a doorbell that may lose and repeat ----------------------------------------
CELERY_BROKER_URL = REDIS_URL
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_TIME_LIMIT = 60
CELERY_BROKER_TRANSPORT_OPTIONS = {"ack_emulation": False}
"""Messages of a worker that dies are not delivered again: each ring comes again by itself, and jobs
are found by their due time. Keeping a copy of every message until it is done costs a worker for
media a third of its processor time.

Source: kombu 5.7.0, transport/redis.py.
"""
CELERY_TIMEZONE = "UTC"
# Else the worker and beat would replace the handlers of LOGGING, which redact.
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# Work that mostly waits has workers of its own, with threads: nothing long keeps it from its turn.
CELERY_TASK_ROUTES = {
    "gateway.jobs.tasks.work_on_run": {"queue": "media"},
    "gateway.jobs.tasks.ring": {"queue": "media"},
    "billing.tasks.send_messages": {"queue": "media"},
}
# A ring that no worker heard expires when the next one comes: a day without workers leaves no
# thousands of them.
CELERY_BEAT_SCHEDULE = {
    name: {"task": task, "schedule": period_s, "options": {"expires": period_s}}
    for name, (task, period_s) in RINGS.items()
} | {
    "reconcile": {
        "task": "gateway.tasks.reconcile",
        "schedule": crontab(hour=3, minute=17),
        "options": {"expires": 3600.0},
    }
}
USAGE_KEPT_MONTHS = env.int("USAGE_KEPT_MONTHS", default=0)
"""For `analytics_retire`. 0: single rows are kept for ever, as sums by month are."""
USAGE_HOURS_KEPT_DAYS = env.int("USAGE_HOURS_KEPT_DAYS", default=62)
USAGE_DAYS_KEPT_MONTHS = env.int("USAGE_DAYS_KEPT_MONTHS", default=25)

# --- money ----------------------------------------------------------------------------------------
TWO_PEOPLE_ABOVE_CREDITS = env.int("TWO_PEOPLE_ABOVE_CREDITS", default=10_000)
"""What one person of ours may move alone, per workspace and day; more needs another's approval."""

# --- payments by Stripe: off without a secret key -------------------------------------------------
STRIPE_SECRET_KEY = env.str("STRIPE_SECRET_KEY", default="")
STRIPE_WEBHOOK_SECRET = env.str("STRIPE_WEBHOOK_SECRET", default="")
"""Of our endpoint at Stripe (`/v1/stripe/webhook`); empty, no event is believed."""
STRIPE_API_BASE = env.str("STRIPE_API_BASE", default="https://api.stripe.com")
"""Another address only for tests and the sandbox."""
CELERY_IMPORTS = (
    "billing.stripe.tasks",
    "gateway.media.tasks",
    "gateway.voices.tasks",
    "gateway.jobs.tasks",
    "gateway.webhooks.tasks",
)

# --- files that we host: a folder, or a bucket where one is named ---------------------------------
PUBLIC_URL = env.str("PUBLIC_URL", default="")
"""What our addresses begin with (`https://api.example.com`); empty, the host of each request."""
ASSETS_KEPT_DAYS = env.int("ASSETS_KEPT_DAYS", default=30)
ASSETS_DIR = env.str("ASSETS_DIR", default="") or str(
    Path(env.str("STUDIO_DATA_DIR", default="") or BASE_DIR / ".studio") / "assets"
)
"""All web processes and all workers see the same."""
SPEECH_CACHE_MB = env.int("SPEECH_CACHE_MB", default=100)
"""Of speech that is kept to be given again, for each workspace; 0 keeps none."""
ASSETS_S3_BUCKET = env.str("ASSETS_S3_BUCKET", default="")
ASSETS_S3_REDIRECT = env.bool("ASSETS_S3_REDIRECT", default=False)
"""Send readers to the bucket, by an address of five minutes, instead of giving the bytes."""


def _asset_storage() -> dict[str, Any]:
    if not ASSETS_S3_BUCKET:
        options: dict[str, Any] = {
            "location": ASSETS_DIR,
            "file_permissions_mode": 0o600,
            "directory_permissions_mode": 0o700,
        }
        return {"BACKEND": "gateway.media.storages.LocalFiles", "OPTIONS": options}
    options = {
        "bucket_name": ASSETS_S3_BUCKET,
        "endpoint_url": env.str("ASSETS_S3_ENDPOINT_URL", default="") or None,
        "region_name": env.str("ASSETS_S3_REGION", default="") or None,
        # Without these two boto3 looks for its own: a role, an instance's, a profile's.
        "access_key": env.str("ASSETS_S3_ACCESS_KEY", default="") or None,
        "secret_key": env.str("ASSETS_S3_SECRET_KEY", default="") or None,
        "location": env.str("ASSETS_S3_PREFIX", default=""),
        "addressing_style": env.str("ASSETS_S3_ADDRESSING", default="auto"),
    }
    return {"BACKEND": "gateway.media.s3.S3Files", "OPTIONS": options}


STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    "assets": _asset_storage(),
}

# --- jobs: images and music -----------------------------------------------------------------------
JOB_DEADLINES_S: dict[str, int] = {
    "image": env.int("JOB_IMAGE_DEADLINE_S", default=600),
    "image_edit": env.int("JOB_IMAGE_EDIT_DEADLINE_S", default=300),
    "image_upscale": env.int("JOB_IMAGE_UPSCALE_DEADLINE_S", default=900),
    "image_control": env.int("JOB_IMAGE_CONTROL_DEADLINE_S", default=300),
    "image_fit": env.int("JOB_IMAGE_FIT_DEADLINE_S", default=120),
    "music": env.int("JOB_MUSIC_DEADLINE_S", default=900),
}
"""By operation: a job that is not done by then is given up, and costs nothing."""
JOB_LONG_CALLS = env.int("JOB_LONG_CALLS", default=40)
"""How many calls that last minutes one worker for media makes at once; below its threads."""
PICTURE_BODIES_MB = env.int("PICTURE_BODIES_MB", default=192)
"""How much of bodies with pictures one web process has in memory at once; beyond it, 503."""
SOUND_BODIES_MB = env.int("SOUND_BODIES_MB", default=256)
"""How much memory one web process gives to sounds that are to be written down; beyond it, 503."""
JOBS_KEPT_DAYS = env.int("JOBS_KEPT_DAYS", default=90)
JOB_REQUESTS_KEPT_HOURS = env.int("JOB_REQUESTS_KEPT_HOURS", default=24)
"""How long staff may repeat a job that failed; its request is kept sealed until then."""

# --- messages to people and to customers' servers -------------------------------------------------
vars().update(env.email_url("EMAIL_URL", default="consolemail://"))
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="studio@localhost")
WEBHOOK_ALLOWED_ORIGINS = env.list("WEBHOOK_ALLOWED_ORIGINS", default=[])
"""Origins (`http://127.0.0.1:9000`) that webhooks may go to though they are not public: test sinks,
by operator setting only.
"""

# --- callers --------------------------------------------------------------------------------------
APP_KEY_PEPPERS = env.dict("APP_KEY_PEPPERS", cast={"value": str, "key": int}, default={})
"""Version → pepper of the HMAC of app keys (`1=…;2=…`, hexadecimal); the highest version mints,
every version verifies.
"""
APP_JWT_SECRET = env.str("APP_JWT_SECRET", default="")
APP_JWT_ISSUER = env.str("APP_JWT_ISSUER", default="")
APP_JWT_AUDIENCE = env.str("APP_JWT_AUDIENCE", default="")
APP_KEY = env.str("APP_KEY", default="")
"""A static app key of the default workspace, whatever its shape (seed 000)."""
DEFAULT_WORKSPACE = env.str("DEFAULT_WORKSPACE", default="default")
PREVIEWS_WORKSPACE = env.str("PREVIEWS_WORKSPACE", default=DEFAULT_WORKSPACE)
SESSION_IDLE_S = 900
SESSION_ABSOLUTE_S = 12 * 3600
SESSION_REFRESH_GRACE_S = 30

# --- secrets --------------------------------------------------------------------------------------
VAULT_SECRET = env.str("VAULT_SECRET", default="")
"""Master secret of everything we store sealed (stored answers now, provider keys later)."""

# --- providers: base URL and our own key, by operator setting only --------------------------------
PROVIDER_BASE_URLS = {
    name.removesuffix("_BASE_URL").lower(): value
    for name, value in os.environ.items()
    if name.endswith("_BASE_URL") and value
}
"""Slug → base URL, from `<SLUG>_BASE_URL`. A provider without one uses its own."""
_BASETEN_URL = "https://model-{}.api.baseten.co/environments/production"
DEPLOYMENT_BASE_URLS: dict[str, str] = {
    f"baseten:orpheus-{precision.lower()}": _BASETEN_URL.format(model_id)
    for precision in ("FP8", "FP16")
    if (
        model_id := env.str(f"BASETEN_MODEL_{precision}", default="")
        or env.str("MODEL_ID", default="")
    )
}
"""`provider:model` → base URL, for models that a provider serves at addresses of their own."""
PROVIDER_PACES = env.dict("PROVIDER_PACES", default={})
"""How fast a provider may be asked by one key, `openai=50/s 2000000t/min,baseten=` (none), in place
of what `gateway/paces.toml` has for single surfaces.
"""
_OTHER_NAMES = {"grok": "xai", "hf_token": "huggingface"}


def _provider_keys() -> dict[str, str]:
    """Read `<SLUG>_API_KEY`, or `<SLUG>_API_KEY_FILE`, for whatever provider there is or will be.

    A provider's proper name wins over its other one. `HF_TOKEN` is Hugging Face's, too.
    """
    names = {name.removesuffix("_FILE") for name in os.environ}
    given = {
        name.removesuffix("_API_KEY").lower(): env.str(name, default="")
        for name in names
        if name.endswith(("_API_KEY", "HF_TOKEN"))
    }
    keys = {slug: key for slug, key in given.items() if key and slug not in _OTHER_NAMES}
    for other, slug in _OTHER_NAMES.items():
        if given.get(other):
            keys.setdefault(slug, given[other])
    return keys


PROVIDER_KEYS = _provider_keys()
"""Slug → our own key, for the providers we have one for."""
PROVIDER_WEBHOOK_SECRETS: dict[str, str] = {
    "replicate": env.str("REPLICATE_WEBHOOK_SECRET", default=""),
}
"""Slug → what the provider signs its messages to us with; empty, their signature is not checked and
the signed address alone says that they are for us.
"""
SANDBOX_URL = env.str("SANDBOX_URL", default="")
"""The upstream sandbox: it stands in for providers without a key of ours, and answers say so."""

"""Every setting, from the environment. A name may end in `_FILE` to be read from a file instead.

docs/operations.md lists the names for operators.
"""

import os
from pathlib import Path

import environ

BASE_DIR = Path(__file__).resolve().parent.parent


def _environment() -> environ.FileAwareEnv:
    """Read the process environment, then `.env` beside manage.py for what it leaves open."""
    dotenv = BASE_DIR / ".env"
    if dotenv.exists() and os.environ.get("STUDIO_DOTENV", "1") == "1":
        environ.Env.read_env(dotenv)
    return environ.FileAwareEnv()


env = _environment()

# --- the process ----------------------------------------------------------------------------------
DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="")
ALLOWED_HOSTS = env.list(
    "ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"] if DEBUG else []
)
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
LOG_LEVEL = env.str("LOG_LEVEL", default="info").upper()
STUDIO_VERSION = "0.1.0"
ROOT_URLCONF = "studio.urls"
ASGI_APPLICATION = "studio.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TIME_ZONE = "UTC"
USE_TZ = True
LANGUAGE_CODE = "en"
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
DATABASES["default"].update(
    ENGINE="django.db.backends.postgresql",
    ATOMIC_REQUESTS=False,
    CONN_HEALTH_CHECKS=True,
    OPTIONS={
        "pool": {"min_size": 0, "max_size": 10, "timeout": 5},
        "options": "-c lock_timeout=2s -c statement_timeout=30s"
        " -c idle_in_transaction_session_timeout=10s",
    },
)
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
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 600}
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE = {
    "resolve-dead-calls": {"task": "gateway.tasks.resolve_dead_calls", "schedule": 10.0},
    "sweep-holds": {"task": "billing.tasks.sweep_holds", "schedule": 10.0},
    "sweep-lots": {"task": "billing.tasks.sweep_lots", "schedule": 30.0},
    "forget-old-calls": {"task": "gateway.tasks.forget_old_calls", "schedule": 600.0},
    "make-usage-partitions": {"task": "analytics.tasks.make_partitions", "schedule": 3600.0},
    "purge-sessions": {"task": "studio.accounts.tasks.purge_sessions", "schedule": 3600.0},
}

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
PROVIDER_KEYS = {
    "openai": env.str("OPENAI_API_KEY", default=""),
    "anthropic": env.str("ANTHROPIC_API_KEY", default=""),
    "xai": env.str("XAI_API_KEY", default=env.str("GROK_API_KEY", default="")),
    "replicate": env.str("REPLICATE_API_KEY", default=""),
    "elevenlabs": env.str("ELEVENLABS_API_KEY", default=""),
    "baseten": env.str("BASETEN_API_KEY", default=""),
}
SANDBOX_URL = env.str("SANDBOX_URL", default="")
"""Address of the upstream sandbox.

A provider without a key of ours is reached there instead, and answers say so.
"""

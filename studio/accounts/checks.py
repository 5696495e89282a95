"""Checks of settings that credentials depend on: warnings while DEBUG is on, else errors."""

from collections.abc import Iterator, Sequence

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning

from studio.accounts.credentials import LONGEST_CREDENTIAL_BYTES
from studio.accounts.jwts import SHORTEST_SECRET_BYTES

SHORTEST_PEPPER_BYTES = 32
SHORTEST_STATIC_KEY_BYTES = 16


def check_credentials(app_configs: Sequence[AppConfig] | None, **_: object) -> list[CheckMessage]:
    """Check peppers, the JWT secret and the static key."""
    severity = Warning if settings.DEBUG else Error
    return [
        severity(fault, hint=hint, id=f"accounts.E{number:03d}")
        for number, fault, hint in _faults()
    ]


def _faults() -> Iterator[tuple[int, str, str]]:
    peppers: dict[int, str] = settings.APP_KEY_PEPPERS
    if not peppers:
        yield 1, "APP_KEY_PEPPERS is empty.", "Set 1=<64 random hexadecimal digits>."
    if any(len(pepper.encode()) < SHORTEST_PEPPER_BYTES for pepper in peppers.values()):
        yield 2, "A pepper of APP_KEY_PEPPERS has less than 32 bytes.", "Use 64 hexadecimal digits."
    secret: str = settings.APP_JWT_SECRET
    if secret and len(secret.encode()) < SHORTEST_SECRET_BYTES:
        yield (
            3,
            "APP_JWT_SECRET has less than 32 bytes, so tokens signed with it are refused.",
            "Use 64 hexadecimal digits, or leave it empty.",
        )
    static: str = settings.APP_KEY
    if static and not _can_be_sent(static):
        yield (
            4,
            "APP_KEY cannot be sent in a header, or has less than 16 characters.",
            "Use 16 or more printable ASCII characters without spaces around them.",
        )


def _can_be_sent(static: str) -> bool:
    return (
        SHORTEST_STATIC_KEY_BYTES <= len(static) <= LONGEST_CREDENTIAL_BYTES
        and static.isascii()
        and static.isprintable()
        and static == static.strip()
    )

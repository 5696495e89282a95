"""Users' own provider keys: read from the request or its session, used for its one call, kept
nowhere in the clear.

A header `x-user-<provider>-key` is the request's own; a session carries those that were shown when
it was opened, sealed. Both only ever go to the provider they are named for.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NoReturn

import msgspec
from django.conf import settings

from gateway.providers import providers
from gateway.providers.media import works_here
from studio.accounts.callers import Caller
from studio.accounts.errors import InvalidSession
from studio.core import secrets
from studio.core.errors import InvalidRequest

_PURPOSE = "session-provider-keys"
_OTHER_NAMES = {"grok": "xai", "google": "gemini"}
_HEADER = re.compile(rb"x[-_]user[-_]([a-z0-9]{1,32})[-_]key")
_KEY = re.compile(rb"[\x21-\x7e]{1,512}")


class UserKeys:
    """Keys by provider. It prints, pickles and encodes as nothing."""

    __slots__ = ("_keys",)

    def __init__(self, keys: Mapping[str, str]) -> None:
        self._keys = dict(keys)

    def get(self, provider: str) -> str | None:
        """Give the user's key for a provider."""
        return self._keys.get(provider)

    def __bool__(self) -> bool:
        return bool(self._keys)

    def __repr__(self) -> str:
        return f"UserKeys({', '.join(sorted(self._keys))})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("users' keys are not written down")

    def seal(self, family: str) -> bytes:
        """Encrypt them for the sessions of one family."""
        return secrets.seal(
            msgspec.json.encode(self._keys),
            master_secret=settings.VAULT_SECRET,
            purpose=_PURPOSE,
            context=family.encode(),
        )

    def over(self, others: "UserKeys") -> "UserKeys":
        """Give both, these first where both have a provider's."""
        return UserKeys({**others._keys, **self._keys})  # noqa: SLF001  another of our own kind


NO_KEYS = UserKeys({})


def read_user_keys(headers: Iterable[tuple[bytes, bytes]], caller: Caller) -> UserKeys:
    """Give the keys that the request shows, and those of its session.

    Raises: InvalidRequest for a provider nobody knows, a key that is none, a header given twice;
    InvalidSession if the session's keys do not open.
    """
    shown = _of_headers(headers)
    kept = _of_session(caller)
    return shown.over(kept) if shown and kept else shown or kept


def read_named_keys(headers: Sequence[tuple[bytes, bytes]], names: Mapping[bytes, str]) -> UserKeys:
    """Give the keys that a surface has headers of its own for; `names` says whose each is.

    Raises: InvalidRequest for a key that is none, a header given twice, or a provider's key by both
    of its headers.
    """
    found: dict[str, str] = {}
    for name, value in headers:
        provider = names.get(name)
        if provider is None:
            continue
        header = name.decode()
        if provider in found or any(
            other == b"x-user-%s-key" % provider.encode() for other, _ in headers
        ):
            raise InvalidRequest(f"Send one key for the provider {provider}.")
        if not _KEY.fullmatch(value.strip()):
            raise InvalidRequest(f"{header} must be 1 to 512 printable characters without spaces.")
        found[provider] = value.strip().decode()
    return UserKeys(found) if found else NO_KEYS


def known_providers() -> tuple[str, ...]:
    """Name the providers whose keys a request may show."""
    return tuple(slug for slug, provider in providers().items() if not works_here(provider))


def _of_headers(headers: Iterable[tuple[bytes, bytes]]) -> UserKeys:
    found: dict[str, str] = {}
    for name, value in headers:
        if name[:6] not in (b"x-user", b"x_user"):
            continue
        matched = _HEADER.fullmatch(name)
        if matched is None:
            continue
        header = name.decode()
        if b"_" in name:
            raise InvalidRequest(f"Write the header {header} with hyphens.")
        word = matched[1].decode()
        slug = _OTHER_NAMES.get(word, word)
        if slug not in known_providers():
            raise InvalidRequest(f"{header}: there is no provider {word} here.")
        if slug in found:
            raise InvalidRequest(f"Send one key for the provider {word}.")
        if not _KEY.fullmatch(value.strip()):
            raise InvalidRequest(f"{header} must be 1 to 512 printable characters without spaces.")
        found[slug] = value.strip().decode()
    return UserKeys(found) if found else NO_KEYS


def _of_session(caller: Caller) -> UserKeys:
    if caller.sealed_keys is None:
        return NO_KEYS
    try:
        opened = secrets.unseal(
            caller.sealed_keys,
            master_secret=settings.VAULT_SECRET,
            purpose=_PURPOSE,
            context=caller.session_family.encode(),
        )
    except secrets.SealBroken as error:
        raise InvalidSession from error  # the vault's secret changed: a new session is needed
    return UserKeys(msgspec.json.decode(opened, type=dict[str, str]))

"""What went wrong at Google, by its status and by the typed details of its errors.

The same status means many things: a bad key is a 400, and a 429 may be over in seconds or tomorrow.
Source: google.rpc Status, ErrorInfo, QuotaFailure and RetryInfo; bodies of the live API as quoted
in github google/timesketch pull 3703 (keys), RooCodeInc/Roo-Code issue 3883 and
google-gemini/gemini-cli issue 8437 (quotas), JeffOtano/roni pull 125 (credits).
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from gateway.providers.failures import ErrorWords, UpstreamFailure
from gateway.providers.openai_form import failure_meant

HOSTS = ("generativelanguage.googleapis.com", "ai.google.dev")
"""The second one is where its messages send readers."""
_KEY_REASONS = frozenset({"API_KEY_INVALID", "API_KEY_SERVICE_BLOCKED", "API_KEY_EXPIRED"})
_OVERLOADED = 529
_NOT_US = 403
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class _Error(Struct):
    code: Any = 0
    message: Any = ""
    status: Any = ""
    details: Any = None


class _Body(Struct):
    error: _Error


_BODY: msgspec.json.Decoder[_Body | tuple[_Body]] = msgspec.json.Decoder(_Body | tuple[_Body])


def failure_of(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamFailure:
    """Read an answer that is no success; the body may be in a list of one, or no JSON at all."""
    return _failure(status, headers, _read(body))


def failure_inside(data: bytes) -> UpstreamFailure:
    """Read an error from inside a stream; its code is the status it would have had."""
    error = _read(data)
    code = error.code if isinstance(error.code, int) and 400 <= error.code <= 599 else 500
    return _failure(code, {}, error)


def _failure(status: int, headers: Mapping[str, str], error: _Error) -> UpstreamFailure:
    """Tell what is meant. Fields that Google names are not the caller's: they are not passed on."""
    meant = status
    if status == 503:
        meant = _OVERLOADED
    elif status == 400 and _is_about_us(error):
        meant = _NOT_US
    delay = "" if status != 429 else _delay(error)
    if delay:
        headers = {**headers, "retry-after": delay}
    words = ErrorWords(
        message=_text(error.message), kind=_text(error.status), quota=_is_used_up(error)
    )
    return failure_meant(meant, status, headers, words, hosts=HOSTS)


def _is_about_us(error: _Error) -> bool:
    """Tell whether a 400 is about our key, our country or our billing, not about the request."""
    if error.status == "FAILED_PRECONDITION":
        return True
    reasons = (detail.get("reason") for detail in _details(error))
    return any(isinstance(reason, str) and reason in _KEY_REASONS for reason in reasons)


def _is_used_up(error: _Error) -> bool:
    """Tell whether a 429 will not be over in a minute: the quota of the day, none, or no credit.

    Google tells a delay of seconds with all of them.
    """
    if "credits are depleted" in _text(error.message):
        return True
    for detail in _details(error):
        violations = detail.get("violations")
        for violation in violations if isinstance(violations, list) else ():
            if not isinstance(violation, dict):
                continue
            if "PerDay" in _text(violation.get("quotaId")) or violation.get("quotaValue") == "0":
                return True
    return False


def _delay(error: _Error) -> str:
    """Read after how many seconds to come back (`34.07s`); empty where that is not said."""
    delays = (_text(detail.get("retryDelay")) for detail in _details(error))
    return next((delay.removesuffix("s") for delay in delays if delay), "")


def _details(error: _Error) -> Iterator[dict[str, Any]]:
    if isinstance(error.details, list):
        yield from (detail for detail in error.details if isinstance(detail, dict))


def _read(body: bytes) -> _Error:
    try:
        given = _BODY.decode(body)
    except _UNREADABLE:
        return _Error()
    return given[0].error if isinstance(given, tuple) else given.error


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""

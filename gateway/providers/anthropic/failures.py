"""What went wrong at Anthropic, by its status or by its words inside a stream.

Source: `anthropic` Python SDK 2.12.0, `types/shared/error_type.py` and the codes beside it;
platform.claude.com/docs, Errors (Nov 2026).
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import Struct

from gateway.providers.failures import ErrorWords, UpstreamFailure, UpstreamQuota, failure_for

HOSTS = ("api.anthropic.com", "claude.com")
"""The second one is where its messages send readers."""
_STATUSES: Mapping[str, int] = MappingProxyType(
    {
        "invalid_request_error": 400,
        "authentication_error": 401,
        "billing_error": 402,
        "permission_error": 403,
        "not_found_error": 404,
        "conflict_error": 409,
        "request_too_large": 413,
        "rate_limit_error": 429,
        "api_error": 500,
        "timeout_error": 504,
        "overloaded_error": 529,
    }
)
_QUOTA_CODES = frozenset(
    {
        "enforced_spend_limit_reached",
        "contract_spend_limit_reached",
        "linked_organization_spend_limit_reached",
        "linked_organization_billing_unavailable",
    }
)
_ON_HOLD = "organization_on_hold"
_EMPTY_PURSE = re.compile(
    r"Your credit balance is too low|You have reached your (?:specified )?API usage limits"
    r"|Your organization has reached its (?:monthly )?spend limit"
)
"""How an account without money is told so by a plain 400 without a code (seen in replies, 2026).

Looked for at the beginning only: behind it, callers' own words may be quoted.
"""
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class _Error(Struct):
    type: Any = ""
    message: Any = ""
    details: Any = None


class _Body(Struct):
    error: _Error


_BODY = msgspec.json.Decoder(_Body)


def failure_of(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamFailure:
    """Read an answer that is no success; the body may be a page of HTML from the edge."""
    error = _read(body)
    message = _text(error.message).replace("toolu_", "call_")
    code = _text(error.details.get("error_code")) if isinstance(error.details, dict) else ""
    if status == 402 or code in _QUOTA_CODES or (status == 400 and _EMPTY_PURSE.match(message)):
        return UpstreamQuota(
            "The gateway's quota with the provider is used up.", provider_status=status
        )
    if code == _ON_HOLD:
        ours = failure_for(403, headers, ErrorWords(), hosts=HOSTS)
        ours.provider_status = status
        return ours
    if status == 413 and not message:
        message = "The request is larger than the provider takes."
    words = ErrorWords(message=message, kind=_text(error.type))
    return failure_for(status, headers, words, hosts=HOSTS)


def failure_inside(data: bytes) -> UpstreamFailure:
    """Read an error from inside a stream; its type tells the status it would have had."""
    return failure_of(_STATUSES.get(_text(_read(data).type), 500), {}, data)


def _read(body: bytes) -> _Error:
    try:
        return _BODY.decode(body).error
    except _UNREADABLE:
        return _Error()


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""

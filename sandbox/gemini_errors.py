"""Answers of Google's other than 200: `error` with `code`, `message`, `status` and typed `details`.

Source: google.rpc Status, ErrorInfo, BadRequest, QuotaFailure and RetryInfo; bodies of the live API
as quoted in github google/timesketch pull 3703 (keys), RooCodeInc/Roo-Code issue 3883 and
google-gemini/gemini-cli issue 8437 (quotas), zed-industries/zed issue 44875 (unknown fields).
"""

from types import MappingProxyType

from sandbox.messages import Json

STATUSES = MappingProxyType(
    {
        400: "INVALID_ARGUMENT",
        401: "UNAUTHENTICATED",
        403: "PERMISSION_DENIED",
        404: "NOT_FOUND",
        409: "ABORTED",
        429: "RESOURCE_EXHAUSTED",
        499: "CANCELLED",
        500: "INTERNAL",
        501: "UNIMPLEMENTED",
        503: "UNAVAILABLE",
        504: "DEADLINE_EXCEEDED",
    }
)
PER_DAY = "per_day"
"""As the `code` of a 429: the quota of the day, which no wait of seconds brings back."""
_RPC = "type.googleapis.com/google.rpc."
_SERVICE = "generativelanguage.googleapis.com"
_BAD_KEY = "API key not valid. Please pass a valid API key."


class WireError(Exception):
    """An error answer; without a `status` of its own it has the usual one of its `code`."""

    def __init__(
        self, message: str, *, code: int = 400, status: str = "", details: list[Json] | None = None
    ) -> None:
        super().__init__(message)
        error: Json = {"code": code, "message": message}
        error["status"] = status or STATUSES.get(code, "UNKNOWN")
        if details:
            error["details"] = details
        self.code = code
        self.body: Json = {"error": error}


def bad_fields(violations: list[tuple[str, str]]) -> WireError:
    """Make the refusal of fields that the API does not know or cannot read: (place, text)."""
    described = [
        {"field": where, "description": text} if where else {"description": text}
        for where, text in violations
    ]
    details = [{"@type": f"{_RPC}BadRequest", "fieldViolations": described}]
    return WireError("\n".join(text for _, text in violations), details=details)


def bad_key() -> WireError:
    """Make the refusal of a key: a 400, not a 401."""
    info = {
        "@type": f"{_RPC}ErrorInfo",
        "reason": "API_KEY_INVALID",
        "domain": "googleapis.com",
        "metadata": {"service": _SERVICE},
    }
    told = {"@type": f"{_RPC}LocalizedMessage", "locale": "en-US", "message": _BAD_KEY}
    return WireError(_BAD_KEY, details=[info, told])


def limited(kind: str, delay: str, model: str) -> WireError:
    """Make a 429: the quota of a minute, or with `PER_DAY` of a day.

    Both tell a delay, if there is one: only the quota's id says whether it helps.
    """
    window = "Day" if kind == PER_DAY else "Minute"
    violation = {
        "quotaMetric": f"{_SERVICE}/generate_requests_per_model",
        "quotaId": f"GenerateRequestsPer{window}PerProjectPerModel",
        "quotaDimensions": {"location": "global", "model": model},
        "quotaValue": "1000",
    }
    links = [
        {
            "description": "Learn more about Gemini API quotas",
            "url": "https://ai.google.dev/gemini-api/docs/rate-limits",
        }
    ]
    details: list[Json] = [
        {"@type": f"{_RPC}QuotaFailure", "violations": [violation]},
        {"@type": f"{_RPC}Help", "links": links},
    ]
    if delay:
        details.append({"@type": f"{_RPC}RetryInfo", "retryDelay": f"{delay}s"})
    text = (
        "You exceeded your current quota, please check your plan and billing details. For more "
        "information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits."
    )
    return WireError(text, code=429, details=details)

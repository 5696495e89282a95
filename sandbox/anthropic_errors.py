"""Answers of Anthropic's other than 200.

Source: `anthropic` Python SDK 2.12.0, `types/shared/error_type.py`, `error_response.py`;
platform.claude.com/docs, Errors (Nov 2026).
"""

from types import MappingProxyType

from sandbox.messages import Headers, Json

KINDS = MappingProxyType(
    {
        400: "invalid_request_error",
        401: "authentication_error",
        402: "billing_error",
        403: "permission_error",
        404: "not_found_error",
        409: "conflict_error",
        413: "request_too_large",
        429: "rate_limit_error",
        500: "api_error",
        504: "timeout_error",
        529: "overloaded_error",
    }
)


class WireError(Exception):
    """An error answer; `code` is `error.details.error_code`, which most errors have not."""

    def __init__(
        self, message: str, *, status: int = 400, code: str = "", headers: Headers | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.headers = headers or []

    def body(self, request_id: str) -> Json:
        """Render the error with the id of its request."""
        plain = "api_error" if self.status >= 500 else "invalid_request_error"
        error: Json = {"type": KINDS.get(self.status, plain), "message": self.message}
        if self.code:
            error["details"] = {"error_code": self.code}
        return {"type": "error", "error": error, "request_id": request_id}


def limited(code: str, retry_after: str) -> WireError:
    """Make a 429: with a spend limit as its code, another try cannot help."""
    headers = [(b"retry-after", retry_after.encode())] if retry_after else []
    text = "This request would exceed your organization's rate limit of 50 requests per minute."
    if code:
        text = "Your organization has reached the monthly spend limit of its usage tier."
    return WireError(text, status=429, code=code, headers=headers)

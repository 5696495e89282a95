"""The one error tree. `code` is contract, `message` is for people, `details` are scalars.

Apps add leaves in their own `errors.py`; surfaces render them in their own envelope and never
invent others.
"""

from collections.abc import Mapping

Scalar = str | int | float | bool | None


class GatewayError(Exception):
    """Refuse or fail a request in a way that its caller is told about.

    `code` is a stable word, `status` the HTTP status, `retryable` whether the same request may
    succeed later, `headers` extra response headers (`Retry-After`), `details` scalars for envelopes
    that have a place for them.
    """

    code = "internal_error"
    status = 500
    retryable = False

    def __init__(
        self,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
        details: Mapping[str, Scalar] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.headers = dict(headers or {})
        self.details = dict(details or {})


class InvalidRequest(GatewayError):
    """The request is malformed or asks for something this API does not do."""

    code = "invalid_request_error"
    status = 400


class BodyTooLarge(GatewayError):
    """The body exceeds the route's limit."""

    code = "request_too_large"
    status = 413


class Unauthenticated(GatewayError):
    """No credential, an unreadable one, or one that is not accepted."""

    code = "authentication_error"
    status = 401


class Forbidden(GatewayError):
    """The caller is known and may not do this."""

    code = "permission_error"
    status = 403


class NotFound(GatewayError):
    """There is no such thing, or it belongs to another workspace."""

    code = "not_found"
    status = 404


class MethodNotAllowed(GatewayError):
    """The path exists, the method does not."""

    code = "method_not_allowed"
    status = 405


class Conflict(GatewayError):
    """The request contradicts one that is under way or done."""

    code = "conflict"
    status = 409


class RateLimited(GatewayError):
    """The caller exceeded its rate or its concurrency."""

    code = "rate_limit_exceeded"
    status = 429
    retryable = True


class Unavailable(GatewayError):
    """A part of ours that this request needs does not answer."""

    code = "service_unavailable"
    status = 503
    retryable = True

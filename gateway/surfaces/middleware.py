"""The Django door's plumbing: what `door.py` does for the fast door, as a middleware around
Django's views.

It gives each API request an id, admits the caller (unless the view is public), turns errors and
unknown paths into the surface's envelope, adds the common headers and writes the log line. Pages
and the admin pass untouched.
"""

import logging
import time
from collections.abc import Awaitable, Callable

import msgspec
from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.core.exceptions import BadRequest, RequestDataTooBig, SuspiciousOperation
from django.core.handlers.asgi import ASGIRequest
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase

from gateway.access_log import Line
from gateway.admission import Admitted, Refused, check_origin, client_address
from gateway.runtime import Runtime
from gateway.surfaces import answers
from gateway.surfaces.door import check_host
from gateway.surfaces.entry import count_refusal
from gateway.surfaces.envelopes import render, status_of, surface_of
from studio.accounts.callers import Caller
from studio.core.errors import (
    BodyTooLarge,
    GatewayError,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
)
from studio.core.ids import new_id_text

logger = logging.getLogger(__name__)

AsyncView = Callable[[HttpRequest], Awaitable[HttpResponseBase]]

PUBLIC = frozenset(
    {
        "/health",
        "/health/ready",
        "/speech/health",
        "/v1/stripe/webhook",
        "/api/image-studio/health",
    }
)
"""API paths that need no credential; Stripe signs what it sends."""


class ApiRequest(ASGIRequest):
    """A Django request that came through `ApiDoor`; for annotations only."""

    _dont_enforce_csrf_checks: bool
    studio_id: str
    admitted: Admitted | None
    runtime: Runtime


class ApiDoor:
    """Admit, answer in the surface's words, and log."""

    sync_capable = False
    async_capable = True

    def __init__(self, get_response: AsyncView) -> None:
        self._get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    async def __call__(self, request: ApiRequest) -> HttpResponseBase:
        surface = surface_of(request.path)
        if surface is None:
            return await self._get_response(request)
        started_s = time.perf_counter()
        _prepare(request)
        limits: answers.Headers = []
        code = ""
        try:
            response = await self._serve(request, limits)
            if response.status_code >= 400 and not response.get("content-type", "").startswith(
                "application/json"
            ):
                raise _foreign(response.status_code)
        except GatewayError as error:
            response, code = _error_response(request, error), error.code
        except Exception:
            # As on the fast door: the caller gets the envelope, the log the traceback.
            logger.exception("request %s failed", request.studio_id)
            bug = GatewayError("Internal server error")
            response, code = _error_response(request, bug), bug.code
        finally:
            if request.admitted is not None:
                request.runtime.gate.leave(request.admitted.caller, request.studio_id)
        self._finish(request, response, limits)
        request.runtime.access_log.write(_line(request, surface, response, code, started_s))
        return response

    def process_exception(self, request: ApiRequest, exception: Exception) -> HttpResponse | None:
        """Turn what a view raised into the surface's envelope; Django calls this before its own
        error pages.
        """
        if surface_of(request.path) is None:
            return None
        return _error_response(request, _translate(exception, request))

    async def _serve(self, request: ApiRequest, limits: answers.Headers) -> HttpResponseBase:
        if request.path in PUBLIC:
            return await self._get_response(request)
        headers = request.scope["headers"]
        check_host(headers)
        peer = request.scope["client"][0] if request.scope.get("client") else ""
        admitted = await request.runtime.gate.admit(
            headers,
            request_id=request.studio_id,
            address=client_address(headers, peer),
        )
        limits += answers.limit_headers(admitted.admission)
        if isinstance(admitted, Refused):
            _count(request, admitted.admission.caller, admitted.error)
            raise admitted.error
        request.admitted = admitted
        check_origin(admitted.caller, _origin(request))
        return await self._get_response(request)

    def _finish(
        self, request: ApiRequest, response: HttpResponseBase, limits: answers.Headers
    ) -> None:
        ids = answers.id_headers(request.studio_id, surface_of(request.path))
        allowed = answers.origin_headers(_origin(request), request.admitted)
        for name, value in (*ids, *limits, *allowed):
            response[name.decode()] = value.decode("latin-1")
        response["x-content-type-options"] = "nosniff"


def _origin(request: ApiRequest) -> bytes | None:
    return dict(request.scope["headers"]).get(b"origin")


def _count(request: ApiRequest, caller: Caller | None, error: GatewayError) -> None:
    surface = surface_of(request.path)
    assert surface is not None, "only API requests come here"
    count_refusal(request.runtime, caller, surface=surface, operation="", error=error)


def _prepare(request: ApiRequest) -> None:
    # Forgery needs a cookie that the browser sends along, and no API of ours reads one.
    request._dont_enforce_csrf_checks = True  # noqa: SLF001  what Django's CSRF middleware looks at
    request.studio_id = new_id_text()
    request.admitted = None
    request.runtime = request.scope["state"]["runtime"]


def json_response(body: object, *, status: int = 200) -> HttpResponse:
    """Answer with JSON: dicts or structs; amounts are already numbers or texts."""
    return HttpResponse(msgspec.json.encode(body), status=status, content_type="application/json")


def _foreign(status: int) -> GatewayError:
    """Give our error for an answer Django made itself (no such path, wrong method, bad request)."""
    if status == 404:
        return NotFound("There is nothing at this path.")
    if status == 405:
        return MethodNotAllowed("This method is not allowed here.")
    if status >= 500:
        return GatewayError("Internal server error")
    error = InvalidRequest("The request cannot be served.")
    error.status = status
    return error


def _translate(exception: Exception, request: HttpRequest) -> GatewayError:
    if isinstance(exception, GatewayError):
        return exception
    if isinstance(exception, Http404):
        return NotFound("There is nothing at this path.")
    if isinstance(exception, RequestDataTooBig):
        return BodyTooLarge("The request body is too large.")
    if isinstance(exception, BadRequest | SuspiciousOperation):
        return InvalidRequest("The request is malformed.")
    logger.error("request to %s failed", request.path, exc_info=exception)
    return GatewayError("Internal server error")


def _error_response(request: ApiRequest, error: GatewayError) -> HttpResponse:
    surface = surface_of(request.path)
    assert surface is not None, "only API requests come here"
    response = HttpResponse(
        render(error, surface, request.studio_id),
        status=status_of(error, surface),
        content_type="application/json",
    )
    for name, value in error.headers.items():
        response[name] = value
    return response


def _line(
    request: ApiRequest, surface: str, response: HttpResponseBase, code: str, started_s: float
) -> Line:
    caller = request.admitted.caller if request.admitted else None
    return Line(
        at=round(time.time(), 3),
        request_id=request.studio_id,
        method=request.method or "",
        path=request.path[:200],
        surface=surface,
        status=response.status_code,
        duration_ms=round((time.perf_counter() - started_s) * 1000, 2),
        code=code,
        workspace_id=caller.workspace_id if caller else None,
        app_key_id=caller.app_key_id if caller else None,
    )

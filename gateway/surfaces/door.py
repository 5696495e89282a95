"""The fast door: ASGI requests that never enter Django. One function wraps every handler of it.

It gives each request an id, checks the host, reads the body within a limit, answers preflights,
turns errors into the surface's envelope, adds the common headers and writes the log line. Handlers
return an `Answer` or stream through `Request.start` and `Request.send`.
"""

import asyncio
import functools
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import msgspec
from django.conf import settings
from django.http.request import split_domain_port, validate_host

from gateway.access_log import Line
from gateway.admission import Admitted
from gateway.runtime import Runtime
from gateway.surfaces import answers
from gateway.surfaces.envelopes import render, status_of
from gateway.user_keys import NO_KEYS
from studio.core.errors import BodyTooLarge, GatewayError, InvalidRequest
from studio.core.ids import new_id_text

logger = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_BODY_PATIENCE_S = 30
_LONGEST_HOST = 255
_JSON = (b"content-type", b"application/json")


class BodyTooSlow(GatewayError):
    """The body did not arrive within half a minute."""

    code = "request_timeout"
    status = 408


class ClientLeft(Exception):
    """The client closed the connection before its request was read."""


class Answer(msgspec.Struct, kw_only=True):
    """A complete answer: status, body, and the headers that are not common to all."""

    status: int = 200
    body: bytes = b""
    media_type: bytes = b"application/json"
    headers: answers.Headers = msgspec.field(default_factory=list)


class Request:
    """One request on its way through the fast door.

    `surface` names the envelope of errors and may change once the body is known. `admitted` and
    `user_keys` are set by admission.
    """

    __slots__ = (
        "_lost_patience",
        "_on_end",
        "_receive",
        "_send",
        "admitted",
        "common",
        "headers",
        "id",
        "method",
        "origin",
        "path",
        "peer",
        "query",
        "raw_headers",
        "runtime",
        "started",
        "started_answer",
        "surface",
        "upstream",
        "user_keys",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send, surface: str) -> None:
        self.id: str = new_id_text()
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.query: bytes = scope["query_string"]
        self.raw_headers: list[tuple[bytes, bytes]] = scope["headers"]
        self.headers: dict[bytes, bytes] = dict(self.raw_headers)
        self.origin = self.headers.get(b"origin")
        self.peer: str = scope["client"][0] if scope.get("client") else ""
        self.surface = surface
        self.admitted: Admitted | None = None
        self.common: answers.Headers = []
        self.started = time.perf_counter()
        self.started_answer = False
        self.upstream = ""
        self.user_keys = NO_KEYS
        self._lost_patience = False
        self._on_end: Callable[[], None] | None = None
        self._receive = receive
        self._send = send
        self.runtime: Runtime = scope["state"]["runtime"]

    async def read_body(self, limit_bytes: int) -> bytes:
        """Read the whole body. Raises: BodyTooLarge, BodyTooSlow, ClientLeft."""
        parts: list[bytes] = []
        await self.receive_body(limit_bytes, parts.append)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def receive_body(
        self,
        limit_bytes: int,
        take: Callable[[bytes], None],
        *,
        patience_s: float = _BODY_PATIENCE_S,
    ) -> None:
        """Give every part of the body to `take` as it comes.

        Raises: BodyTooLarge, BodyTooSlow, ClientLeft; what `take` raises.
        """
        declared = self.headers.get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > limit_bytes:
            raise BodyTooLarge(f"The request body may have at most {limit_bytes} bytes.")
        task = asyncio.current_task()
        assert task is not None, "a request is served in a task"
        # As asyncio.timeout does it; that costs four times as much, and every request pays it.
        timer = asyncio.get_running_loop().call_later(patience_s, self._lose_patience, task)
        try:
            await self._receive_parts(limit_bytes, take)
        except asyncio.CancelledError as error:
            if self._lost_patience and task.uncancel() == 0:
                raise BodyTooSlow("The request body did not arrive in time.") from error
            raise
        finally:
            timer.cancel()

    def _lose_patience(self, task: asyncio.Task[Any]) -> None:
        self._lost_patience = True
        task.cancel()

    async def _receive_parts(self, limit_bytes: int, take: Callable[[bytes], None]) -> None:
        left_bytes = limit_bytes
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientLeft
            part: bytes = message.get("body", b"")
            left_bytes -= len(part)
            if left_bytes < 0:
                raise BodyTooLarge(f"The request body may have at most {limit_bytes} bytes.")
            take(part)
            if not message.get("more_body"):
                return

    def at_end(self, work: Callable[[], None]) -> None:
        """Have something done when the request has ended, however it ends."""
        assert self._on_end is None, "one thing at most"
        self._on_end = work

    def end(self) -> None:
        """Do what was to be done at the end."""
        if self._on_end is not None:
            self._on_end()

    async def wait_for_disconnect(self) -> None:
        """Return when the client has closed the connection. Only after the body has been read."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def start(self, status: int, headers: answers.Headers) -> None:
        """Send status and headers of a streamed answer."""
        self.started_answer = True
        head = [*headers, *self.common_headers()]
        await self._send({"type": "http.response.start", "status": status, "headers": head})

    async def send(self, data: bytes, *, more: bool = True) -> None:
        """Send a part of a streamed answer."""
        await self._send({"type": "http.response.body", "body": data, "more_body": more})

    async def answer(self, answer: Answer) -> None:
        """Send a complete answer."""
        headers = [
            (b"content-type", answer.media_type),
            (b"content-length", b"%d" % len(answer.body)),
            *answer.headers,
        ]
        await self.start(answer.status, headers)
        body = b"" if self.method == "HEAD" else answer.body
        await self._send({"type": "http.response.body", "body": body})

    def common_headers(self) -> answers.Headers:
        """Give the headers of every answer: id, limits, security, origin."""
        return [
            *answers.id_headers(self.id, self.surface),
            *self.common,
            *answers.SECURITY,
            *answers.origin_headers(self.origin, self.admitted),
        ]


Handler = Callable[[Request], Awaitable[Answer | None]]


async def pass_through(
    scope: Scope, receive: Receive, send: Send, *, handler: Handler, surface: str
) -> None:
    """Serve one request with `handler`, whatever it raises."""
    request = Request(scope, receive, send, surface)
    status, code = 499, "client_left"
    try:
        check_host(request.raw_headers)
        answer = await handler(request)
        status, code = 200, ""
        if answer is not None:
            status = answer.status
            await request.answer(answer)
    except ClientLeft:
        pass
    except GatewayError as error:
        status, code = status_of(error, request.surface), error.code
        await _refuse(request, error)
    except Exception:
        # Ours to report: the caller gets the envelope, the log the traceback; no body, no key.
        status, code = 500, "internal_error"
        logger.exception("request %s failed", request.id)
        await _refuse(request, GatewayError("Internal server error"))
    finally:
        request.end()
        request.runtime.access_log.write(_line(request, status, code))


def preflight_answer() -> Answer:
    """Answer a CORS preflight, which carries no credential."""
    return Answer(status=204, headers=list(answers.PREFLIGHT))


async def _refuse(request: Request, error: GatewayError) -> None:
    if request.started_answer:
        return
    headers = [
        (name.lower().encode(), value.encode("latin-1", "replace"))
        for name, value in error.headers.items()
    ]
    await request.answer(
        Answer(
            status=status_of(error, request.surface),
            body=render(error, request.surface, request.id),
            media_type=_JSON[1],
            headers=headers,
        )
    )


def _line(request: Request, status: int, code: str) -> Line:
    caller = request.admitted.caller if request.admitted else None
    return Line(
        at=round(time.time(), 3),
        request_id=request.id,
        method=request.method,
        path=request.path[:200],
        surface=request.surface,
        status=status,
        duration_ms=round((time.perf_counter() - request.started) * 1000, 2),
        code=code,
        workspace_id=caller.workspace_id if caller else None,
        app_key_id=caller.app_key_id if caller else None,
        upstream=request.upstream,
    )


def check_host(headers: list[tuple[bytes, bytes]]) -> None:
    """Refuse a request without exactly one Host header of ours. Raises: InvalidRequest."""
    hosts = [value for name, value in headers if name == b"host"]
    if len(hosts) != 1 or len(hosts[0]) > _LONGEST_HOST or not _is_our_host(hosts[0]):
        raise InvalidRequest("The Host header names no host of this server.")


@functools.lru_cache(maxsize=1024)
def _is_our_host(header: bytes) -> bool:
    domain, _ = split_domain_port(header.decode("latin-1"))
    return bool(domain) and validate_host(domain, settings.ALLOWED_HOSTS)

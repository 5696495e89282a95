"""The ASGI application: which double answers a path, the journal, and `/health`."""

import hashlib
from collections.abc import Awaitable, Callable
from types import MappingProxyType
from urllib.parse import parse_qsl

import msgspec

from sandbox import (
    anthropic,
    baseten,
    elevenlabs,
    gemini,
    huggingface,
    openai,
    openrouter,
    replicate,
    stability,
    stripe,
    wavespeed,
    xai,
)
from sandbox.connection import Connection
from sandbox.delivery import Delivery, Message, Send
from sandbox.faults import FaultCounter
from sandbox.journal import Journal
from sandbox.messages import Reply, Request

DOUBLES: MappingProxyType[str, Callable[[Request], Reply]] = MappingProxyType(
    {
        "anthropic": anthropic.answer,
        "baseten": baseten.answer,
        "elevenlabs": elevenlabs.answer,
        "gemini": gemini.answer,
        "huggingface": huggingface.answer,
        "openai": openai.answer,
        "openrouter": openrouter.answer,
        "replicate": replicate.answer,
        "stability": stability.answer,
        "stripe": stripe.answer,
        "wavespeed": wavespeed.answer,
        "xai": xai.answer,
    }
)
"""The first part of a path, and who answers what follows it."""

_JSON = [(b"content-type", b"application/json")]


class Sandbox:
    """All the doubles behind one port."""

    def __init__(self) -> None:
        self._journal = Journal()
        self._counter = FaultCounter()

    async def __call__(
        self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Send
    ) -> None:
        """Answer one request."""
        path: str = scope["path"]
        _, slug, *rest = path.split("/", 2)
        double = DOUBLES.get(slug)
        if double is None:
            await _send_plain(send, await self._own_reply(scope, path))
            return
        headers = scope["headers"]
        entry = self._journal.open(scope["method"], path, scope["query_string"], headers)
        connection: Connection = scope["state"]["connection"]
        body = await _read_body(receive)
        if body is None:
            entry.left_at = connection.lost_at
            return
        digest = hashlib.sha256(body).digest()
        entry.take_body(body, digest)
        request = Request(
            method=scope["method"],
            path="/" + "".join(rest),
            headers=dict(headers),
            body=body,
            digest=digest,
            number=entry.number,
            due=self._counter.due,
            query=scope["query_string"].decode("latin-1"),
        )
        await Delivery(send, connection, entry).deliver(double(request))

    async def _own_reply(self, scope: Message, path: str) -> Reply:
        """Answer for the sandbox itself."""
        if path == "/health":
            return Reply(headers=_JSON, body=b'{"status":"ok"}')
        if path == "/_sandbox/requests" and scope["method"] == "GET":
            query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
            found = await self._journal.find(
                query.get("contains", ""),
                at_least=int(query.get("at_least", 0)),
                settled="settled" in query,
            )
            return Reply(headers=_JSON, body=msgspec.json.encode({"requests": found}))
        if path == "/_sandbox/requests" and scope["method"] == "DELETE":
            self._journal.clear()
            self._counter.clear()
            return Reply(headers=_JSON, body=b'{"requests":[]}')
        known = ", ".join(f"/{slug}" for slug in DOUBLES)
        message = f"The sandbox has /health, /_sandbox/requests and {known}; not {path}."
        return Reply(status=404, headers=_JSON, body=msgspec.json.encode({"error": message}))


async def _read_body(receive: Callable[[], Awaitable[Message]]) -> bytes | None:
    """Read the request's body; None when the caller left before its end."""
    message = await receive()
    if message["type"] == "http.request" and not message["more_body"]:
        body: bytes = message["body"]
        return body
    parts: list[bytes] = []
    while message["type"] == "http.request":
        parts.append(message["body"])
        if not message["more_body"]:
            return b"".join(parts)
        message = await receive()
    return None


async def _send_plain(send: Send, reply: Reply) -> None:
    headers = [*reply.headers, (b"content-length", b"%d" % len(reply.body))]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})

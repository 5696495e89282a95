"""The baselines: a bare ASGI pass-through on the gateway's own server, with two HTTP clients.

`application` has the client that everybody takes (aiohttp), `on_our_connections` the gateway's own.
No key, no limit, no validation, no money, no log. `UPSTREAM_URL` names the upstream. The garbage
collector is tuned as the gateway tunes it, so that the ratio shows what the gateway does and not
what the baseline forgot.
"""

import gc
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import aiohttp
from yarl import URL

from gateway.providers.base import UpstreamRequest
from gateway.providers.openai import PROVIDER
from gateway.transport import Transport, Upstream

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_HEADERS = {
    "content-type": "application/json",
    "authorization": "Bearer bench",
    "accept-encoding": "identity",
}
_OWN_HEADERS = {"content-type": "application/json"}


class PassThrough:
    """The application: one session, one route."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._url = URL(os.environ.get("UPSTREAM_URL", "http://127.0.0.1:9/") + "/chat/completions")

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        body = await _read_body(receive)
        assert self._session is not None, "the lifespan has begun"
        async with self._session.post(self._url, data=body, headers=_HEADERS) as answer:
            media_type = answer.headers["content-type"].encode()
            if media_type.startswith(b"application/json"):
                await _relay_whole(await answer.read(), media_type, send)
            else:
                await _relay_parts(answer.content.readany, media_type, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=600),
            read_bufsize=2**18,
        )
        _tune_collector()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._session.close()
        await send({"type": "lifespan.shutdown.complete"})


class OwnPassThrough:
    """The same on the connections that the gateway makes."""

    def __init__(self) -> None:
        base_url = os.environ.get("UPSTREAM_URL", "http://127.0.0.1:9/")
        self._upstream = Upstream(provider=PROVIDER, base_url=base_url, key="bench", sandbox=False)
        self._transport: Transport | None = None

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        body = await _read_body(receive)
        assert self._transport is not None, "the lifespan has begun"
        asked = UpstreamRequest(path="/chat/completions", body=body, headers=_OWN_HEADERS)
        answer = await self._transport.send(self._upstream, asked)
        media_type = answer.headers["content-type"].encode()
        if media_type.startswith(b"application/json"):
            await _relay_whole(await answer.read(), media_type, send)
        else:
            await _relay_parts(answer.read_some, media_type, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self._transport = Transport()
        _tune_collector()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._transport.close()
        await send({"type": "lifespan.shutdown.complete"})


async def _read_body(receive: Receive) -> bytes:
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def _tune_collector() -> None:
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)


async def _relay_whole(body: bytes, media_type: bytes, send: Send) -> None:
    headers = [(b"content-type", media_type), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _relay_parts(
    read_some: Callable[[], Awaitable[bytes]], media_type: bytes, send: Send
) -> None:
    headers = [(b"content-type", media_type)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    while part := await read_some():
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


application = PassThrough()
on_our_connections = OwnPassThrough()

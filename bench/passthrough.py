"""The baseline: a bare ASGI pass-through on the gateway's own server and HTTP client.

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

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_HEADERS = {
    "content-type": "application/json",
    "authorization": "Bearer bench",
    "accept-encoding": "identity",
}


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
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        assert self._session is not None, "the lifespan has begun"
        async with self._session.post(self._url, data=body, headers=_HEADERS) as answer:
            media_type = answer.headers["content-type"].encode()
            if media_type.startswith(b"application/json"):
                await _relay_whole(await answer.read(), media_type, send)
            else:
                await _relay_parts(answer.content, media_type, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=600),
            read_bufsize=2**18,
        )
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 50, 100)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._session.close()
        await send({"type": "lifespan.shutdown.complete"})


async def _relay_whole(body: bytes, media_type: bytes, send: Send) -> None:
    headers = [(b"content-type", media_type), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _relay_parts(content: aiohttp.StreamReader, media_type: bytes, send: Send) -> None:
    headers = [(b"content-type", media_type)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    while part := await content.readany():
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


application = PassThrough()

"""HTTP towards providers on the proxy path.

A key is only ever sent to the host it was configured for.
"""

import asyncio
import socket
import ssl
from urllib.parse import urlsplit

import aiohttp
import msgspec
from multidict import CIMultiDict
from yarl import URL

from gateway.providers.base import (
    ChatProvider,
    UpstreamRequest,
    UpstreamResponse,
    UpstreamTimeout,
    UpstreamUnreachable,
)

_CONNECT_S = 5
_READ_S = 600
"""Between two reads, not in all: reasoning models think for minutes before the first byte."""
_OUR_HEADERS = {"accept-encoding": "identity", "user-agent": "studio-gateway"}
_MAX_ANSWER_BYTES = 32 * 1024 * 1024


class Upstream(msgspec.Struct, frozen=True, kw_only=True):
    """A provider as this process may reach it: adaptor, address, key.

    `sandbox` if it is our double; `user_key` if the key is not ours but the caller's own.
    """

    provider: ChatProvider
    base_url: str
    key: str
    sandbox: bool
    user_key: bool = False

    def __repr__(self) -> str:
        return f"Upstream({self.provider.slug}, sandbox={self.sandbox})"


class NotConnected(UpstreamUnreachable):
    """No connection came about: nothing was sent, so nothing can have been billed."""


class Response:
    """An answer whose status and headers are here and whose body may still be coming."""

    __slots__ = ("_response", "headers", "status")

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers = response.headers

    async def read(self) -> bytes:
        """Read the whole body, at most 32 MB. Raises: UpstreamUnreachable, UpstreamTimeout."""
        try:
            body = await self._response.content.read(_MAX_ANSWER_BYTES)
            while not self._response.content.at_eof():
                if len(body) >= _MAX_ANSWER_BYTES:
                    self._response.close()
                    raise UpstreamUnreachable("The provider's answer is too large.")
                body += await self._response.content.read(_MAX_ANSWER_BYTES - len(body))
        except (TimeoutError, aiohttp.ServerTimeoutError) as error:
            raise UpstreamTimeout("The provider did not finish its answer in time.") from error
        except (aiohttp.ClientError, OSError) as error:
            raise UpstreamUnreachable("The provider broke off its answer.") from error
        else:
            self._response.release()
            return body

    async def read_some(self) -> bytes:
        """Wait for the next bytes; empty at the end.

        Raises: UpstreamUnreachable, UpstreamTimeout.
        """
        try:
            return await self._response.content.readany()
        except (TimeoutError, aiohttp.ServerTimeoutError) as error:
            raise UpstreamTimeout("The provider fell silent.") from error
        except (aiohttp.ClientError, OSError) as error:
            raise UpstreamUnreachable("The provider broke off its answer.") from error

    def at_end(self) -> bool:
        """Tell whether the whole body was read."""
        return self._response.content.at_eof()

    def release(self) -> None:
        """Give the connection back for the next call."""
        self._response.release()

    def close(self) -> None:
        """Drop the connection; the provider sees us leave.

        Does nothing after the end of the body.
        """
        self._response.close()


class Transport:
    """One HTTP session per process: keep-alive, no cookies, no redirects, no decompression."""

    def __init__(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,
                ttl_dns_cache=60,
                keepalive_timeout=50,
                ssl=ssl.create_default_context(),
                family=socket.AF_UNSPEC,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S, sock_read=_READ_S),
            read_bufsize=2**18,
        )
        self._urls: dict[tuple[str, str], URL] = {}

    async def send(self, upstream: Upstream, request: UpstreamRequest) -> UpstreamResponse:
        """Send one request and wait for status and headers.

        Raises: NotConnected (nothing was sent), UpstreamUnreachable (nobody knows whether it was
        processed), UpstreamTimeout.
        """
        url = self._url(upstream.base_url, request.path)
        headers = self._headers(upstream, request)
        try:
            response = await self._session.request(
                request.method, url, data=request.body, headers=headers, allow_redirects=False
            )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotConnected("The provider cannot be reached.") from error
        except (TimeoutError, aiohttp.ServerTimeoutError) as error:
            raise UpstreamTimeout("The provider did not answer in time.") from error
        except (aiohttp.ClientError, OSError, asyncio.IncompleteReadError) as error:
            raise UpstreamUnreachable("The provider cannot be reached.") from error
        return Response(response)

    def _headers(self, upstream: Upstream, request: UpstreamRequest) -> CIMultiDict[str]:
        """Put together what goes out, in the form the session takes as it is."""
        headers = CIMultiDict(_OUR_HEADERS)
        headers.update(request.headers)
        headers.update(upstream.provider.auth(upstream.key))
        return headers

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()

    def _url(self, base_url: str, path: str) -> URL:
        """Join and remember the address; a path that leaves the configured host is our own bug."""
        key = (base_url, path)
        url = self._urls.get(key)
        if url is None:
            url = URL(base_url.rstrip("/") + path, encoded=True)
            assert url.host == urlsplit(base_url).hostname, "a provider's path must not name a host"
            if len(self._urls) < 1024:
                self._urls[key] = url
        return url

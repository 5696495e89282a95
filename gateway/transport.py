"""HTTP towards providers on the proxy path: addresses, connections, and sending one request.

A key is only ever sent to the host it was configured for. Connections are kept for the next call;
a client library of the usual kind costs five times as much per call (docs/performance.md).
"""

import asyncio
import socket
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

import aiohappyeyeballs
import msgspec

from gateway.connection import Connection
from gateway.providers.base import (
    Provider,
    UpstreamRequest,
    UpstreamResponse,
    UpstreamUnreachable,
)

_CONNECT_S = 5
_READ_S = 600
"""Between two reads, not in all: reasoning models think for minutes before the first byte."""
_KEEP_S = 50
_SWEEP_S = 5
_NAMES_KEPT_S = 60
_OUR_HEADERS = "accept-encoding: identity\r\nuser-agent: studio-gateway\r\n"
_MOST_ADDRESSES = 1024
_PORTS = {"https": 443, "http": 80}


class Upstream(msgspec.Struct, frozen=True, kw_only=True):
    """A provider as this process may reach it: adaptor, address, key.

    `sandbox` if it is our double; `user_key` if the key is not ours but the caller's own.
    """

    provider: Provider
    base_url: str
    key: str
    sandbox: bool
    user_key: bool = False

    def __repr__(self) -> str:
        return f"Upstream({self.provider.slug}, sandbox={self.sandbox})"


class NotConnected(UpstreamUnreachable):
    """No connection came about: nothing was sent, so nothing can have been billed."""


class _Origin(msgspec.Struct, frozen=True):
    """Where connections lead to."""

    host: str
    port: int
    tls: bool


class _Address(msgspec.Struct, frozen=True):
    """Where one kind of request goes: the origin, and what stands on the first lines."""

    origin: _Origin
    target: str
    host_line: str


class Transport:
    """The process's connections: keep-alive, no cookies, no redirects, no decompression."""

    def __init__(self) -> None:
        self._idle: dict[_Origin, list[Connection]] = {}
        self._origins: dict[Connection, _Origin] = {}
        self._addresses: dict[tuple[str, str], _Address] = {}
        self._names: dict[tuple[str, int], tuple[float, list[aiohappyeyeballs.AddrInfoType]]] = {}
        self._context = ssl.create_default_context()
        self._sweeper: asyncio.TimerHandle | None = None

    async def send(self, upstream: Upstream, request: UpstreamRequest) -> UpstreamResponse:
        """Send one request and wait for status and headers.

        Raises: NotConnected (nothing was sent), UpstreamUnreachable (nobody knows whether it was
        processed), UpstreamTimeout.
        """
        address = self._address(upstream.base_url, request.path)
        sent = _written(address, request, upstream.provider.auth(upstream.key))
        connection = self._take(address.origin) or await self._connect(address.origin)
        answer = connection.ask(sent)
        try:
            await answer.begin()
        except BaseException:
            answer.close()
            raise
        return answer

    async def close(self) -> None:
        """Close every connection."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connection in list(self._origins):
            connection.close()
        await asyncio.sleep(0)

    def _take(self, origin: _Origin) -> Connection | None:
        """Give the connection that was used last."""
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            if connection.is_open and connection.heard_s > connection.loop.time() - _KEEP_S:
                return connection
            connection.close()
        return None

    async def _connect(self, origin: _Origin) -> Connection:
        """Open a connection. Raises: NotConnected."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_CONNECT_S):
                connected = await aiohappyeyeballs.start_connection(
                    await self._resolve(origin), happy_eyeballs_delay=0.25, interleave=1, loop=loop
                )
                connection = await self._begin(connected, origin)
        except (OSError, TimeoutError) as error:
            raise NotConnected("The provider cannot be reached.") from error
        self._origins[connection] = origin
        if self._sweeper is None:
            self._sweeper = loop.call_later(_SWEEP_S, self._sweep)
        return connection

    async def _begin(self, connected: socket.socket, origin: _Origin) -> Connection:
        """Make a connection of a socket, encrypted where the address says so. Raises: OSError."""
        try:
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: Connection(self._keep, self._forget),
                sock=connected,
                ssl=self._context if origin.tls else None,
                server_hostname=origin.host if origin.tls else None,
            )
        except BaseException:
            connected.close()
            raise
        return connection

    async def _resolve(self, origin: _Origin) -> list[aiohappyeyeballs.AddrInfoType]:
        """Give the host's addresses, asked for once a minute. Raises: OSError."""
        loop = asyncio.get_running_loop()
        key = (origin.host, origin.port)
        known = self._names.get(key)
        if known is not None and known[0] > loop.time():
            return known[1]
        found: list[aiohappyeyeballs.AddrInfoType] = list(
            await loop.getaddrinfo(
                origin.host, origin.port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
            )
        )
        self._names[key] = (loop.time() + _NAMES_KEPT_S, found)
        return found

    def _keep(self, connection: Connection) -> None:
        origin = self._origins.get(connection)
        if origin is not None:
            self._idle.setdefault(origin, []).append(connection)

    def _forget(self, connection: Connection) -> None:
        origin = self._origins.pop(connection, None)
        idle = self._idle.get(origin) if origin is not None else None
        if idle and connection in idle:
            idle.remove(connection)

    def _sweep(self) -> None:
        """Close what was idle for long, and give up answers of which nothing came for too long."""
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        idle = {connection for kept in self._idle.values() for connection in kept}
        for connection in list(self._origins):
            if connection not in idle:
                connection.give_up_if_silent(now_s - _READ_S)
            elif connection.heard_s < now_s - _KEEP_S:
                connection.close()
        self._sweeper = loop.call_later(_SWEEP_S, self._sweep)

    def _address(self, base_url: str, path: str) -> _Address:
        """Join and remember the address; a path that leaves the configured host is our own bug."""
        address = self._addresses.get((base_url, path))
        if address is None:
            address = _address_of(base_url, path)
            if len(self._addresses) < _MOST_ADDRESSES:
                self._addresses[base_url, path] = address
        return address


def _address_of(base_url: str, path: str) -> _Address:
    url = urlsplit(base_url.rstrip("/") + path)
    host = url.hostname
    assert host is not None, "base URLs name a host"
    assert host == urlsplit(base_url).hostname, "a provider's path must not name a host"
    port = url.port or _PORTS[url.scheme]
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    named = f"[{host}]" if ":" in host else host
    return _Address(
        origin=_Origin(host, port, url.scheme == "https"),
        target=target,
        host_line=f"host: {named}\r\n"
        if port == _PORTS[url.scheme]
        else f"host: {named}:{port}\r\n",
    )


def _written(address: _Address, request: UpstreamRequest, auth: Mapping[str, str]) -> bytes:
    """Write the request. Raises: ValueError for a header that is more than its line."""
    lines = [f"{name}: {value}\r\n" for name, value in {**request.headers, **auth}.items()]
    if request.body or request.method != "GET":
        lines.append(f"content-length: {len(request.body)}\r\n")
    head = (
        f"{request.method} {address.target} HTTP/1.1\r\n{address.host_line}{_OUR_HEADERS}"
        f"{''.join(lines)}\r\n"
    )
    ends = len(lines) + 5
    if head.count("\n") != ends or head.count("\r") != ends:
        raise ValueError("a header of a request to a provider has a line end in it")
    return head.encode("latin-1") + request.body

"""Outbound webhooks: signed as Standard Webhooks has it, sent to public addresses only.

A receiver's address is somebody else's word. It must be https on port 443, its name is resolved
once, every address behind it must be public, and the connection goes to the one that was checked:
no redirect is followed, nothing of the answer but its status is kept. What the operator lists as an
allowed origin (a test sink) is exempt from all this.

Source: Standard Webhooks 1.0.0 (github.com/standard-webhooks/standard-webhooks), headers
`webhook-id`, `webhook-timestamp`, `webhook-signature`; HMAC-SHA256 over `id.timestamp.body`.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import ipaddress
import re
import secrets
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from urllib.parse import urlsplit

import msgspec

SECRET_PREFIX = "whsec_"  # noqa: S105  of every secret, and none
PATIENCE_S = 10.0
"""For the whole of one delivery."""
_SECRET_BYTES = 32
_LONGEST_URL = 2048
_LONGEST_HEAD_BYTES = 16 * 1024
_HTTPS_PORT = 443
_MOST_INTERIM_ANSWERS = 3
_URL = re.compile(r"[\x21-\x7e]+")
_HOST = re.compile(r"[0-9A-Za-z.-]+|\[[0-9A-Fa-f:.]+\]")
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])[ \r]")
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
_SPECIAL = (
    ipaddress.ip_network("192.0.0.0/24"),  # protocols' own, a cloud's metadata among them
    ipaddress.ip_network("192.88.99.0/24"),  # 6to4, which may lead to any IPv4 address
    ipaddress.ip_network("2002::/16"),
)

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


class WebhookRefused(Exception):
    """The address is none that we send to; it will not become one by trying again."""


class WebhookFailed(Exception):
    """The receiver did not take it: not reached, not in time, or another status than 2xx."""


class WebhookMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One message. `id` stays the same over all attempts; `secret` is `whsec_` and base64."""

    id: str
    url: str
    body: bytes
    secret: str

    def __repr__(self) -> str:
        """Show no secret."""
        return f"WebhookMessage(id={self.id!r})"


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where a URL leads: `host` without brackets; `target` is path and query."""

    host: str
    port: int
    target: str
    tls: bool
    allowed: bool

    @property
    def authority(self) -> str:
        """What the `Host` header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _HTTPS_PORT and self.tls else f"{host}:{self.port}"


def new_webhook_secret() -> str:
    """Make a secret of 256 bits, as receivers' libraries expect it."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def sign(message: WebhookMessage, *, timestamp_s: int) -> str:
    """Give the `webhook-signature` of a message. Raises: ValueError if its secret is none."""
    try:
        key = base64.b64decode(message.secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("a webhook's secret is base64") from error
    signed = f"{message.id}.{timestamp_s}.".encode() + message.body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def read_address(url: str, *, allowed_origins: Collection[str] = ()) -> Address:
    """Read where a URL leads, without asking anybody. Raises: WebhookRefused."""
    if not _URL.fullmatch(url) or "\\" in url or len(url) > _LONGEST_URL:
        raise WebhookRefused("A webhook's URL is printable ASCII of at most 2048 characters.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise WebhookRefused("This is no URL.") from error
    allowed = f"{parts.scheme}://{parts.netloc}" in allowed_origins
    if parts.fragment or "@" in parts.netloc or not parts.hostname:
        raise WebhookRefused("A webhook's URL has a host, no user and no fragment.")
    if not _HOST.fullmatch(parts.netloc.removesuffix(f":{port}")):
        raise WebhookRefused("A webhook's host is a name, in punycode where it is not ASCII.")
    if not allowed and (parts.scheme != "https" or port not in (None, _HTTPS_PORT)):
        raise WebhookRefused("A webhook's URL is https, on port 443.")
    tls = parts.scheme == "https"
    return Address(
        host=parts.hostname,
        port=port or (_HTTPS_PORT if tls else 80),
        target=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
        tls=tls,
        allowed=allowed,
    )


def is_public(address: str) -> bool:
    """Tell whether an IP address is one of the public internet and leads nowhere else."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if not found.is_global or found.is_multicast or found.is_reserved:
        return False
    if any(found in special for special in _SPECIAL if special.version == found.version):
        return False
    if isinstance(found, ipaddress.IPv4Address):
        return True
    # Mapped, translated (64:ff9b::/96) and local ones lie outside; Teredo carries an IPv4 inside.
    return found in _GLOBAL_UNICAST and found.teredo is None and found.ipv4_mapped is None


async def resolve_host(host: str, port: int) -> Sequence[str]:
    """Ask the system for all addresses of a name. Raises: OSError."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


async def deliver(
    message: WebhookMessage,
    *,
    allowed_origins: Collection[str] = (),
    resolve: Resolve = resolve_host,
    tls_context: ssl.SSLContext | None = None,
) -> int:
    """Send one message, once. Returns: the receiver's status, a 2xx.

    Raises: WebhookRefused (nothing was sent), WebhookFailed.
    """
    address = read_address(message.url, allowed_origins=allowed_origins)
    try:
        async with asyncio.timeout(PATIENCE_S):
            status = await _exchange(message, address, await _pin(address, resolve), tls_context)
    except TimeoutError as error:
        raise WebhookFailed("The receiver did not answer in 10 seconds.") from error
    except (OSError, ssl.SSLError, EOFError, asyncio.LimitOverrunError, ValueError) as error:
        raise WebhookFailed(f"The receiver was not reached ({type(error).__name__}).") from error
    if not 200 <= status < 300:
        raise WebhookFailed(f"The receiver answered {status}.")
    return status


async def _pin(address: Address, resolve: Resolve) -> str:
    """Choose the one IP address to connect to; all of a name's must be public."""
    found = await resolve(address.host, address.port)
    if not found:
        raise WebhookFailed("The receiver's name has no address.")
    if not address.allowed and not all(map(is_public, found)):
        raise WebhookRefused("A webhook's host must have public addresses only.")
    return found[0]


async def _exchange(
    message: WebhookMessage, address: Address, pinned: str, tls_context: ssl.SSLContext | None
) -> int:
    context = (tls_context or ssl.create_default_context()) if address.tls else None
    reader, writer = await asyncio.open_connection(
        pinned,
        address.port,
        ssl=context,
        server_hostname=address.host if address.tls else None,
        limit=_LONGEST_HEAD_BYTES,
    )
    try:
        writer.write(_request(message, address))
        await writer.drain()
        return await _read_status(reader)
    finally:
        writer.transport.abort()  # the rest of the answer is nobody's


async def _read_status(reader: asyncio.StreamReader) -> int:
    for _ in range(_MOST_INTERIM_ANSWERS + 1):
        head = await reader.readuntil(b"\r\n\r\n")
        found = _STATUS.match(head)
        if found is None:
            raise ValueError("no HTTP answer")
        status = int(found[1])
        if status >= 200:
            return status
    raise ValueError("interim answers without end")


def _request(message: WebhookMessage, address: Address) -> bytes:
    timestamp_s = int(time.time())
    lines = (
        f"POST {address.target} HTTP/1.1",
        f"Host: {address.authority}",
        "User-Agent: Studio-Webhooks/1",
        "Content-Type: application/json",
        f"Content-Length: {len(message.body)}",
        f"webhook-id: {message.id}",
        f"webhook-timestamp: {timestamp_s}",
        f"webhook-signature: {sign(message, timestamp_s=timestamp_s)}",
        "Connection: close",
        "",
        "",
    )
    return "\r\n".join(lines).encode("ascii") + message.body

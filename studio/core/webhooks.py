"""Outbound webhooks: signed as Standard Webhooks has it, sent to public addresses only.

A receiver's address is somebody else's word (egress.py): its name is resolved once, and the
connection goes to the address that was checked. No redirect is followed, nothing of the answer but
its status is kept.

Source: Standard Webhooks 1.0.0 (github.com/standard-webhooks/standard-webhooks), headers
`webhook-id`, `webhook-timestamp`, `webhook-signature`; HMAC-SHA256 over `id.timestamp.body`.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import re
import secrets
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Collection, Sequence

import msgspec

from studio.core.egress import Address, AddressRefused, choose_address, read_address

SECRET_PREFIX = "whsec_"  # noqa: S105  of every secret, and none
PATIENCE_S = 10.0
"""For the whole of one delivery."""
_SECRET_BYTES = 32
_LONGEST_HEAD_BYTES = 16 * 1024
_MOST_INTERIM_ANSWERS = 3
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])[ \r]")

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


WebhookRefused = AddressRefused


class WebhookFailed(Exception):
    """The receiver did not take it: not reached, not in time, or another status than 2xx."""


class WebhookMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One message. `id` stays the same over all attempts; `secret` is `whsec_` and base64, or two
    of them with a space between, while one replaces the other.
    """

    id: str
    url: str
    body: bytes
    secret: str

    def __repr__(self) -> str:
        """Show no secret."""
        return f"WebhookMessage(id={self.id!r})"


def new_webhook_secret() -> str:
    """Make a secret of 256 bits, as receivers' libraries expect it."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def sign(message: WebhookMessage, *, timestamp_s: int) -> str:
    """Give the `webhook-signature` of a message: one for each secret, with a space between.

    Raises: ValueError if a secret is none.
    """
    signed = f"{message.id}.{timestamp_s}.".encode() + message.body
    return " ".join(_sign(signed, secret) for secret in message.secret.split(" "))


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
            pinned = choose_address(address, await resolve(address.host, address.port))
            status = await _exchange(message, address, pinned, tls_context)
    except TimeoutError as error:
        raise WebhookFailed("The receiver did not answer in 10 seconds.") from error
    except (OSError, ssl.SSLError, EOFError, asyncio.LimitOverrunError, ValueError) as error:
        raise WebhookFailed(f"The receiver was not reached ({type(error).__name__}).") from error
    if not 200 <= status < 300:
        raise WebhookFailed(f"The receiver answered {status}.")
    return status


def _sign(signed: bytes, secret: str) -> str:
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("a webhook's secret is base64") from error
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


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

"""A provider's file over the network: from the hosts its adaptor lists, and from nowhere else.

https on port 443, one look-up of the name, public addresses only, the connection to the one that
was checked, no redirect, a limit of bytes and one of time. Origins of base URLs that the operator
set (the sandbox) are exempt from all but the limits. Synchronous: workers call it.
"""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from urllib.parse import urlsplit

import msgspec

from gateway.media.errors import FileGone, FileRefused, FileUnreachable, UnusableFile
from studio.core.egress import Address, AddressRefused, choose_address, read_address

MOST_BYTES = 50 * 1024 * 1024
PATIENCE_S = 50.0
"""For the look-up, the connection and the whole file together."""
_PART_BYTES = 64 * 1024
_GONE = frozenset({401, 403, 404, 410})
"""What providers answer for a file whose time is over, or whose signed address has run out."""
_LOOKUPS = ThreadPoolExecutor(max_workers=8, thread_name_prefix="look-up")
"""The system's look-up has no time limit of its own, so somebody else waits for it."""

Resolve = Callable[[str, int], Sequence[str]]


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much and how long. Only tests have others."""

    most_bytes: int = MOST_BYTES
    patience_s: float = PATIENCE_S


_LIMITS = Limits()


def operator_origins(base_url: str) -> tuple[str, ...]:
    """Give the origin of a base URL that the operator set, as `fetch` takes it."""
    parts = urlsplit(base_url)
    return (f"{parts.scheme}://{parts.netloc}",)


def resolve_host(host: str, port: int) -> Sequence[str]:
    """Ask the system for all addresses of a name. Raises: OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


def fetch(
    url: str,
    *,
    hosts: Collection[str],
    headers: Mapping[str, str] | None = None,
    operator_origins: Collection[str] = (),
    limits: Limits = _LIMITS,
    resolve: Resolve = resolve_host,
    tls_context: ssl.SSLContext | None = None,
) -> bytes:
    """Fetch one file, once. `.example.com` among the hosts stands for every host below it.

    Raises: FileRefused (nobody was asked for it), FileGone, FileUnreachable, UnusableFile (over
    the limit of bytes, or empty).
    """
    address = _check(url, hosts, operator_origins)
    ends_at = time.monotonic() + limits.patience_s
    try:
        pinned = choose_address(address, _look_up(address, resolve, ends_at))
        with _connected(address, pinned, ends_at, tls_context) as connection:
            connection.request("GET", address.target, headers=_headers(address, headers or {}))
            with connection.getresponse() as response:  # it holds the socket until it is closed
                return _read(response, limits, ends_at)
    except AddressRefused as error:
        raise FileRefused("The provider's file is not at a public address.") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise FileUnreachable("The provider's file could not be fetched.") from error


def _check(url: str, hosts: Collection[str], operator_origins: Collection[str]) -> Address:
    try:
        address = read_address(url, allowed_origins=operator_origins)
    except AddressRefused as error:
        raise FileRefused(
            "The provider's file has an address that we do not fetch from."
        ) from error
    if not address.allowed and not any(_is_below(address.host, host) for host in hosts):
        raise FileRefused("The provider's file is not at a host of the provider's.")
    return address


def _is_below(host: str, listed: str) -> bool:
    if listed.startswith("."):
        return host.endswith(listed) and len(host) > len(listed)
    return host == listed


def _look_up(address: Address, resolve: Resolve, ends_at: float) -> Sequence[str]:
    waiting = _LOOKUPS.submit(resolve, address.host, address.port)
    return waiting.result(timeout=max(0.0, ends_at - time.monotonic()))


@contextmanager
def _connected(
    address: Address, pinned: str, ends_at: float, tls_context: ssl.SSLContext | None
) -> Iterator[http.client.HTTPConnection]:
    """Have a connection to the pinned address, which is cut at the end of our patience.

    A timer cuts it: timeouts of sockets are per read, and who sends a byte now and then would never
    meet one.
    """
    left_s = max(0.1, ends_at - time.monotonic())
    wire = socket.create_connection((pinned, address.port), timeout=left_s)
    # A second name of the same connection, for TLS takes the first one over.
    spare = wire.dup()
    cut = threading.Timer(left_s, _cut, [spare])
    cut.daemon = True
    cut.start()
    connection = http.client.HTTPConnection(address.host, address.port)
    try:
        connection.sock = wire
        if address.tls:
            context = tls_context or ssl.create_default_context()
            connection.sock = context.wrap_socket(wire, server_hostname=address.host)
        yield connection
    finally:
        cut.cancel()
        cut.join()
        connection.close()
        wire.close()
        spare.close()


def _cut(connected: socket.socket) -> None:
    try:
        connected.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it has ended by itself


def _headers(address: Address, headers: Mapping[str, str]) -> dict[str, str]:
    own = {"Host": address.authority, "Accept-Encoding": "identity", "Connection": "close"}
    return {"User-Agent": "Studio/1", "Accept": "*/*", **headers, **own}


def _read(answer: http.client.HTTPResponse, limits: Limits, ends_at: float) -> bytes:
    if answer.status in _GONE:
        raise FileGone("The provider does not have the file any more.")
    if answer.status != 200 or answer.getheader("Content-Encoding", "identity") != "identity":
        raise FileUnreachable("The provider did not give the file.")
    declared = answer.length
    if declared is not None and declared > limits.most_bytes:
        raise UnusableFile("The provider's file is larger than what we take.")
    data = bytearray()
    while part := answer.read1(_PART_BYTES):
        data += part
        if len(data) > limits.most_bytes:
            raise UnusableFile("The provider's file is larger than what we take.")
    if time.monotonic() >= ends_at or (declared is not None and len(data) != declared):
        raise FileUnreachable("The provider's file broke off.")
    if not data:
        raise UnusableFile("The provider's file is empty.")
    return bytes(data)

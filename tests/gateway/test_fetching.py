"""A provider's file is fetched from the provider's hosts, within limits, and from nowhere else."""

import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any

import pytest

from gateway.media.errors import FileGone, FileRefused, FileUnreachable, UnusableFile
from gateway.media.fetching import Limits, fetch, operator_origins
from tests.certificates import certificate

HOSTS = (".replicate.delivery", "files.example.com")
SMALL = Limits(most_bytes=1000, patience_s=20)
SHORT = Limits(patience_s=0.3)
BODY = b"the bytes of a file"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def http(status: str, body: bytes = b"", *headers: str, length: int | None = None) -> bytes:
    told = len(body) if length is None else length
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {told}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


class Server(ThreadingTCPServer):
    """Answers every connection with the same bytes and keeps what it was asked."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, answer: bytes, *, tls: ssl.SSLContext | None, stays: bool) -> None:
        self.answer, self.tls, self.stays = answer, tls, stays
        self.requests: list[bytes] = []
        self.connections = 0
        self.ended = threading.Event()
        super().__init__(("127.0.0.1", 0), Connection)

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class Connection(BaseRequestHandler):
    server: Server

    def handle(self) -> None:
        self.server.connections += 1
        try:
            wire = self.request
            if self.server.tls:
                wire = self.server.tls.wrap_socket(wire, server_side=True)
            asked = b""
            while b"\r\n\r\n" not in asked:
                part = wire.recv(65536)
                if not part:
                    return
                asked += part
            self.server.requests.append(asked)
            wire.sendall(self.server.answer)
            if self.server.stays:
                self.server.ended.wait()
            wire.close()
        except OSError:
            return


@contextmanager
def serving(
    answer: bytes, *, tls: ssl.SSLContext | None = None, stays: bool = False
) -> Iterator[Server]:
    with Server(answer, tls=tls, stays=stays) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        try:
            yield server
        finally:
            server.ended.set()
            server.shutdown()
            thread.join()


def fetch_from(server: Server, path: str = "/a.png", **options: Any) -> bytes:
    origin = f"http://127.0.0.1:{server.port}"
    return fetch(origin + path, hosts=(), operator_origins=[origin], **options)


def resolver(*addresses: str) -> Callable[[str, int], Sequence[str]]:
    return lambda host, port: addresses


def never(host: str, port: int) -> Sequence[str]:
    raise AssertionError(f"{host} was looked up")


def test_a_file_of_the_operator_s_own_origin_arrives_whole() -> None:
    with serving(http("200 OK", BODY, "Content-Type: image/png")) as server:
        assert fetch_from(server, "/a/b.png?c=d", headers={"Authorization": "Key k"}) == BODY
    [request] = server.requests
    head = request.decode().lower().split("\r\n")
    assert head[0] == "get /a/b.png?c=d http/1.1"
    assert f"host: 127.0.0.1:{server.port}" in head
    assert {"authorization: key k", "accept-encoding: identity"} <= set(head)
    assert not any(line.startswith("cookie") for line in head)


def test_a_file_in_chunks_or_up_to_the_end_arrives_whole() -> None:
    chunked = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    )
    for answer in (chunked, b"HTTP/1.1 200 OK\r\n\r\nabcde", b"HTTP/1.0 200 OK\r\n\r\nabcde"):
        with serving(answer) as server:
            assert fetch_from(server) == b"abcde"


@pytest.mark.parametrize("status", ["401 No", "403 No", "404 No", "410 Gone"])
def test_a_file_that_the_provider_has_not_is_gone(status: str) -> None:
    with serving(http(status, BODY)) as server, pytest.raises(FileGone) as caught:
        fetch_from(server)
    assert not caught.value.retryable


LOCATION = "Location: http://169.254.169.254/latest/meta-data"
NO_FILE = {
    "moved": http("302 Found", BODY, LOCATION),
    "moved for good": http("301 Moved", BODY, LOCATION),
    "moved by 307": http("307 Moved", BODY, LOCATION),
    "moved by 308": http("308 Moved", BODY, LOCATION),
    "a part": http("206 Part", BODY),
    "nothing": http("204 No Content"),
    "its fault": http("500 No", BODY),
    "busy": http("503 No", BODY),
    "squeezed": http("200 OK", BODY, "Content-Encoding: gzip"),
    "short of what was told": http("200 OK", BODY, length=len(BODY) + 1),
    "a chunk cut": CHUNKED + b"9\r\nabc",
    "a chunk of no size": CHUNKED + b"xyz\r\nabc",
    "another protocol": b"SSH-2.0-OpenSSH_9.9\r\n\r\n",
    "a head without end": b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000,
    "headers without end": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200,
    "silence": b"",
}


@pytest.mark.parametrize("name", NO_FILE)
def test_what_is_no_whole_file_may_come_at_another_try(name: str) -> None:
    with serving(NO_FILE[name]) as server, pytest.raises(FileUnreachable) as caught:
        fetch_from(server)
    assert (server.connections, caught.value.retryable, caught.value.status) == (1, True, 502)
    assert "127.0.0.1" not in caught.value.message


@pytest.mark.parametrize(
    "answer",
    [
        http("200 OK", bytes(1001)),
        http("200 OK", b"", length=10**12),
        b"HTTP/1.1 200 OK\r\n\r\n" + bytes(1001),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"200\r\n%b\r\n" % bytes(512) * 2,
        http("200 OK"),
    ],
)
def test_a_file_that_is_too_large_or_empty_is_of_no_use(answer: bytes) -> None:
    with serving(answer) as server, pytest.raises(UnusableFile):
        fetch_from(server, limits=SMALL)


def test_the_largest_file_that_we_take_is_taken() -> None:
    with serving(http("200 OK", bytes(1000))) as server:
        assert len(fetch_from(server, limits=SMALL)) == 1000


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        http("200 OK", BODY, length=len(BODY) + 1),
        b"HTTP/1.1 200 OK\r\n\r\nan end that does not come",
    ],
)
def test_our_patience_ends_wherever_the_other_side_stops(answer: bytes) -> None:
    with serving(answer, stays=True) as server, pytest.raises(FileUnreachable):
        fetch_from(server, limits=SHORT)


def test_a_look_up_without_end_costs_no_more_than_our_patience() -> None:
    asked = threading.Event()

    def stuck(host: str, port: int) -> Sequence[str]:
        asked.wait()
        return []

    with pytest.raises(FileUnreachable):
        fetch("https://a.replicate.delivery/x", hosts=HOSTS, resolve=stuck, limits=SHORT)
    asked.set()


@pytest.mark.parametrize(
    "url",
    [
        "https://a.replicate.delivery/x.png",
        "https://A.b.Replicate.Delivery:443/x.png",
        "https://files.example.com/x.png?y=z",
    ],
)
def test_the_provider_s_hosts_are_looked_up_once(url: str) -> None:
    asked: list[tuple[str, int]] = []

    def resolve(host: str, port: int) -> Sequence[str]:
        asked.append((host, port))
        return []

    with pytest.raises(FileUnreachable):
        fetch(url, hosts=HOSTS, resolve=resolve)
    [(host, port)] = asked
    assert (host, port) == (host.lower(), 443)


@pytest.mark.parametrize(
    "url",
    [
        "https://replicate.delivery/x.png",
        "https://evilreplicate.delivery/x.png",
        "https://a.replicate.delivery.evil.com/x.png",
        "https://a.replicate.delivery./x.png",
        "https://.replicate.delivery@evil.com/x.png",
        "https://evil.com/.replicate.delivery",
        "https://evil.com#.replicate.delivery",
        "https://evil.com?.replicate.delivery",
        "https://evil.com\\.replicate.delivery/x.png",
        "https://evil.com%00.replicate.delivery/x.png",
        "https://evil.com%2f.replicate.delivery/x.png",
        "https://a.files.example.com/x.png",
        "https://example.com/x.png",
        "http://a.replicate.delivery/x.png",
        "https://a.replicate.delivery:80/x.png",
        "https://a.replicate.delivery:8443/x.png",
        "https://user:word@a.replicate.delivery/x.png",
        "ftp://a.replicate.delivery/x.png",
        "file:///etc/passwd",
        "file://a.replicate.delivery/etc/passwd",
        "gopher://a.replicate.delivery/x",
        "data:image/png;base64,AAAA",
        "//a.replicate.delivery/x.png",
        "a.replicate.delivery/x.png",
        "",
        "https://",
        "https:///x.png",
        "https://a.replicate.delivery/x\r\nHost: evil.com",
        "https://a.replicate.delivery /x.png",
        "https://аpple.replicate.delivery/x.png",
        "https://a。replicate。delivery/x.png",
        "https://127.0.0.1/x.png",
        "https://2130706433/x.png",
        "https://0x7f000001/x.png",
        "https://0177.0.0.1/x.png",
        "https://127.1/x.png",
        "https://0/x.png",
        "https://[::1]/x.png",
        "https://[::ffff:127.0.0.1]/x.png",
        "https://[::]/x.png",
        "https://[fe80::1%25eth0]/x.png",
        "https://169.254.169.254/latest/meta-data",
        "https://metadata.google.internal/x.png",
        "https://localhost/x.png",
        "https://a.replicate.delivery/" + "x" * 2048,
    ],
)
def test_any_other_address_is_refused_before_anybody_is_asked(url: str) -> None:
    with pytest.raises(FileRefused) as caught:
        fetch(url, hosts=HOSTS, resolve=never)
    assert (caught.value.status, caught.value.retryable) == (502, False)


INSIDE = [
    *("127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255"),  # noqa: S104  not bound to
    *("192.168.1.1", "169.254.169.254", "169.254.0.1", "100.64.0.1", "100.127.255.255"),
    *("192.0.0.1", "192.0.0.192", "192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1"),
    *("192.88.99.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:8.8.8.8"),
    *("64:ff9b::7f00:1", "64:ff9b::8.8.8.8", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1"),
    *("2001:0:4136:e378:8000:63bf:3fff:fdd2", "2002:7f00:1::", "2002:808:808::1"),
    *("fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1", "3fff::1", "5f00::1"),
    *("fe80::1%eth0", "::1%lo", "not an address", "127.1", ""),
]


@pytest.mark.parametrize("address", INSIDE)
def test_a_host_of_the_provider_s_that_leads_inside_is_refused(address: str) -> None:
    for found in ((address,), ("8.8.8.8", address), (address, "2606:4700::1111")):
        with pytest.raises(FileRefused):
            fetch("https://a.replicate.delivery/x", hosts=HOSTS, resolve=resolver(*found))


def test_no_connection_is_made_to_an_address_inside() -> None:
    with serving(http("200 OK", BODY)) as server:
        with pytest.raises(FileRefused):
            fetch(
                "https://a.replicate.delivery/x",
                hosts=HOSTS,
                resolve=resolver("127.0.0.1"),
                operator_origins=[f"http://127.0.0.1:{server.port}"],
            )
        for other in (f"https://127.0.0.1:{server.port}/x", f"http://localhost:{server.port}/x"):
            with pytest.raises(FileRefused):
                fetch(
                    other,
                    hosts=HOSTS,
                    operator_origins=[f"http://127.0.0.1:{server.port}"],
                    resolve=never,
                )
    assert server.connections == 0


def test_a_name_that_turns_is_connected_to_where_it_was_checked(tmp_path: Path) -> None:
    """The second look-up would lead elsewhere; there is none."""
    serving_tls, trusting = certificate(tmp_path, "a.replicate.test")
    answers = [["127.0.0.1"], ["169.254.169.254"]]

    def turning(host: str, port: int) -> Sequence[str]:
        return answers.pop(0)

    with serving(http("200 OK", BODY), tls=serving_tls) as server:
        origin = f"https://a.replicate.test:{server.port}"
        found = fetch(
            origin + "/x",
            hosts=(),
            operator_origins=[origin],
            resolve=turning,
            tls_context=trusting,
        )
    assert found == BODY
    assert answers == [["169.254.169.254"]]
    assert f"Host: a.replicate.test:{server.port}".encode() in server.requests[0]


def test_the_certificate_must_be_the_name_s(tmp_path: Path) -> None:
    serving_tls, trusting = certificate(tmp_path, "somebody.else.test")
    with serving(http("200 OK", BODY), tls=serving_tls) as server:
        origin = f"https://a.replicate.test:{server.port}"
        for context in (trusting, None):
            with pytest.raises(FileUnreachable):
                fetch(
                    origin + "/x",
                    hosts=(),
                    operator_origins=[origin],
                    resolve=resolver("127.0.0.1"),
                    tls_context=context,
                )
    assert server.requests == []


def test_a_handshake_without_end_costs_no_more_than_our_patience(tmp_path: Path) -> None:
    _, trusting = certificate(tmp_path, "a.replicate.test")
    with serving(b"", stays=True) as server:
        origin = f"https://a.replicate.test:{server.port}"
        with pytest.raises(FileUnreachable):
            fetch(
                origin + "/x",
                hosts=(),
                operator_origins=[origin],
                resolve=resolver("127.0.0.1"),
                tls_context=trusting,
                limits=SHORT,
            )


def test_the_origin_of_a_base_url_is_that_of_its_files() -> None:
    assert operator_origins("http://127.0.0.1:9000/replicate/v1") == ("http://127.0.0.1:9000",)
    assert operator_origins("https://proxy.example.com") == ("https://proxy.example.com",)

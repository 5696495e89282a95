"""Requests no SDK sends, byte by byte, at both doors: hosts, targets, credentials, framing."""

import json
import socket
from urllib.parse import urlsplit

import pytest

from tests.gateway.conftest import CHAT, Payer
from tests.gateway.message_bodies import body_of
from tests.gateway.response_bodies import body_of as response_body_of

_BODIES = {
    "POST /v1/chat HTTP/1.1": json.dumps(CHAT),
    "POST /v1/messages HTTP/1.1": body_of().decode(),
    "POST /v1/responses HTTP/1.1": response_body_of().decode(),
}
_LINES = tuple(_BODIES)


def exchange(url: str, request: bytes) -> bytes:
    """Send bytes as they are and give the whole answer."""
    parts = urlsplit(url)
    answer = b""
    with socket.create_connection((str(parts.hostname), parts.port or 80), timeout=10) as client:
        client.sendall(request)
        try:
            while part := client.recv(65536):
                answer += part
        except ConnectionResetError:
            pass  # It need not read all of what it refuses.
    return answer


def raw(
    url: str,
    *headers: str | bytes,
    line: str = "GET /v1/models HTTP/1.1",
    host: str | None = "127.0.0.1",
) -> tuple[int, bytes]:
    """Send a hand-written request. Returns: status (0 for no answer) and body."""
    lines = [line.encode()]
    if host is not None:
        lines.append(b"host: " + host.encode("latin-1"))
    lines += [text if isinstance(text, bytes) else text.encode() for text in headers]
    answer = exchange(url, b"\r\n".join([*lines, b"connection: close", b"", b""]))
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split(b" ", 2)[1]) if head else 0, body


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "evil.example",
        "127.0.0.1.evil.example",
        "127.0.0.1@evil.example",
        "evil.example:80@127.0.0.1",
        "127.0.0.1:80:evil.example",
        "127.0.0.1/evil.example",
        "127.0.0.1, evil.example",
        "127.0.0.1:port",
        "[::1",
        "\xe9vil.example",
        "127.0.0.1\x00",
    ],
)
def test_a_host_that_is_not_ours_is_400_at_both_doors(payer: Payer, host: str | None) -> None:
    key = f"x-app-key: {payer.key}"
    for line in ("GET /v1/models HTTP/1.1", "POST /v1/validate HTTP/1.1", *_LINES[1:]):
        status, _ = raw(payer.url, key, "content-length: 0", line=line, host=host)
        assert status == 400, line


@pytest.mark.parametrize("hosts", [("127.0.0.1", "evil.example"), ("evil.example", "127.0.0.1")])
def test_two_hosts_are_400(payer: Payer, hosts: tuple[str, str]) -> None:
    key, second = f"x-app-key: {payer.key}", f"host: {hosts[1]}"
    for line in ("GET /v1/models HTTP/1.1", "POST /v1/validate HTTP/1.1"):
        status, _ = raw(payer.url, key, "content-length: 0", second, line=line, host=hosts[0])
        assert status == 400, line


def test_our_own_hosts_pass_with_and_without_a_port(payer: Payer) -> None:
    key = f"x-app-key: {payer.key}"
    for host in ("127.0.0.1", "127.0.0.1:8000", "localhost", "LOCALHOST:1", "[::1]", "[::1]:80"):
        for line in ("GET /v1/models HTTP/1.1", "POST /v1/validate HTTP/1.1"):
            status, _ = raw(payer.url, key, "content-length: 0", line=line, host=host)
            assert status == 200, (host, line)


@pytest.mark.parametrize(
    "target",
    [
        "evil.example:80",
        "*",
        "/../v1/models",
        "/v1/../v1/models",
        "/v1/%2e%2e/admin/",
        "/v1/models%00",
        "/v1/models/%ff%fe",
        "/v1/models/a\\b",
    ],
)
def test_an_odd_target_shows_nothing_and_breaks_nothing(payer: Payer, target: str) -> None:
    status, body = raw(
        payer.url, f"x-app-key: {payer.key}", line=f"GET {target} HTTP/1.1", host="127.0.0.1"
    )
    assert status in (400, 404), body[:200]


@pytest.mark.parametrize("authority", ["evil.example", "127.0.0.1@evil.example", "127.0.0.1"])
def test_of_an_absolute_target_only_the_path_counts(payer: Payer, authority: str) -> None:
    for path, status in (("/v1/models", 200), ("/admin/", 302), ("/v1/nothing", 404)):
        line = f"GET http://{authority}{path} HTTP/1.1"
        answered, body = raw(payer.url, f"x-app-key: {payer.key}", line=line)
        assert (answered, b"evil" in body) == (status, False)
        refused, _ = raw(payer.url, f"x-app-key: {payer.key}", line=line, host="evil.example")
        assert refused == 400
    assert raw(payer.url, line=f"GET http://{authority}/v1/models HTTP/1.1")[0] == 401


def assert_refused(payer: Payer, line: str, headers: list[str]) -> None:
    """Send these credentials; `{key}` stands for a good one."""
    written = [header.replace("{key}", payer.key) for header in headers]
    status, body = raw(payer.url, "content-length: 0", *written, line=line)
    assert status in (400, 431), body
    assert payer.key.encode() not in body


@pytest.mark.parametrize(
    "headers",
    [
        ["x_app_key: {key}"],
        ["x_api_key: {key}"],
        ["x-app-key: {key}", "x-app-key: {key}"],
        ["x-api-key: {key}", "x-api-key: {key}"],
        ["authorization: Bearer " + "A" * 100_000],
    ],
)
def test_an_ambiguous_credential_is_400_at_both_doors(payer: Payer, headers: list[str]) -> None:
    for line in ("GET /v1/models HTTP/1.1", *_LINES):
        assert_refused(payer, line, headers)


@pytest.mark.parametrize(
    "headers",
    [
        ["X-App_Key: {key}"],
        ["X-Api_Key: {key}"],
        ["x-app-key: {key}", "x_api_key: {key}"],
        ["x-app-key: {key}", "x_app_key: {key}"],
        ["x-app-key: {key}", "X-APP-KEY: other"],
        ["authorization: Bearer {key}", "authorization: Bearer {key}"],
        ["x-session-token: a", "x-session-token: b", "x-app-key: {key}"],
        ["x-app-key: " + "A" * 100_000],
        ["x-app-key: {key}\x01"],
    ],
)
def test_however_a_credential_is_ambiguous_it_is_400(payer: Payer, headers: list[str]) -> None:
    for line in _LINES:
        assert_refused(payer, line, headers)


@pytest.mark.parametrize(
    "headers",
    [
        ["content-length: 5", "transfer-encoding: chunked"],
        ["content-length: 5", "content-length: 6"],
        ["content-length: -1"],
        ["content-length: 5x"],
        ["transfer-encoding: chunked, identity"],
        ["x-junk : 1"],
        ["x-junk: a\x00b"],
    ],
)
def test_requests_that_servers_might_read_differently_are_refused(
    payer: Payer, headers: list[str]
) -> None:
    for line, body in _BODIES.items():
        status, _ = raw(payer.url, f"x-app-key: {payer.key}", *headers, "", body, line=line)
        assert status in (0, 400, 413), line
    assert payer.entries() == []

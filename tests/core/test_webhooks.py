"""Outbound webhooks: signed as receivers check it, and sent to nobody but the public internet."""

import asyncio
import base64
import hashlib
import hmac
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from studio.core.egress import is_public, read_address
from studio.core.webhooks import (
    WebhookFailed,
    WebhookMessage,
    WebhookRefused,
    deliver,
    new_webhook_secret,
    sign,
)
from tests.certificates import certificate

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def message(url: str, **changes: Any) -> WebhookMessage:
    fields = {"id": "msg_1", "body": b'{"type":"x"}', "secret": new_webhook_secret(), **changes}
    return WebhookMessage(url=url, **fields)


class Receiver:
    """A server that answers with given bytes and keeps what it got."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.requests: list[bytes] = []
        self.connections = 0
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        self.requests.append(head + await reader.readexactly(length))
        writer.write(self.answer)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def receiving(
    answer: bytes = OK, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Receiver]:
    receiver = Receiver(answer)
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()


def resolver(*addresses: str) -> Callable[[str, int], Awaitable[Sequence[str]]]:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return addresses

    return resolve


def test_the_signature_is_the_one_of_the_specification_s_example() -> None:
    """Source: Standard Webhooks 1.0.0, the libraries' common test vector."""
    signed = WebhookMessage(
        id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        url="https://example.com/",
        body=b'{"test": 2432232314}',
        secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    )
    expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert sign(signed, timestamp_s=1614265330) == expected


def test_a_secret_has_256_bits_and_does_not_show() -> None:
    secret = new_webhook_secret()
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    assert secret != new_webhook_secret()
    assert secret not in repr(message("https://example.com/", secret=secret))
    with pytest.raises(ValueError, match="base64"):
        sign(message("https://example.com/", secret="whsec_???"), timestamp_s=1)


def test_a_message_arrives_once_whole_and_signed() -> None:
    async def run() -> tuple[int, Receiver, WebhookMessage]:
        async with receiving(b"HTTP/1.1 204 No Content\r\n\r\n") as receiver:
            origin = f"http://127.0.0.1:{receiver.port}"
            sent = message(origin + "/hook?a=1")
            return await deliver(sent, allowed_origins=[origin]), receiver, sent

    status, receiver, sent = asyncio.run(run())
    [got] = receiver.requests
    head, _, body = got.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert (status, first, body) == (204, "POST /hook?a=1 HTTP/1.1", sent.body)
    assert headers["Host"] == f"127.0.0.1:{receiver.port}"
    assert headers["Content-Type"] == "application/json"
    key = base64.b64decode(sent.secret.removeprefix("whsec_"))
    text = f"msg_1.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()
    assert headers["webhook-id"] == "msg_1"
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert abs(int(headers["webhook-timestamp"]) - datetime.now(UTC).timestamp()) < 60


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 500 No\r\n\r\n", "500"),
        (b"HTTP/1.1 410 Gone\r\n\r\n", "410"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\n\r\n", "302"),
        (b"HTTP/1.1 307 Moved\r\nLocation: https://example.com/\r\n\r\n", "307"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 5, "not reached"),
        (b"SSH-2.0-OpenSSH_9.9\r\n\r\n", "not reached"),
        (b"HTTP/1.1 2000 OK\r\n\r\n", "not reached"),
        (b"HTTP/1.1 200 OK\r\n" + b"x: " + b"y" * 70_000 + b"\r\n\r\n", "not reached"),
        (b"HTTP/1.1 200 OK\r\n", "not reached"),
        (b"", "not reached"),
    ],
)
def test_what_is_no_2xx_is_a_failure_and_no_redirect_is_followed(answer: bytes, why: str) -> None:
    async def run() -> int:
        async with receiving(answer) as receiver:
            origin = f"http://127.0.0.1:{receiver.port}"
            with pytest.raises(WebhookFailed, match=why):
                await deliver(message(origin), allowed_origins=[origin])
            return receiver.connections

    assert asyncio.run(run()) == 1


def test_an_interim_answer_is_passed_over() -> None:
    async def run() -> int:
        async with receiving(b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK) as receiver:
            origin = f"http://127.0.0.1:{receiver.port}"
            return await deliver(message(origin), allowed_origins=[origin])

    assert asyncio.run(run()) == 200


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "https://example.com:8443/",
        "https://example.com:80/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "//example.com/",
        "example.com",
        "",
        "https://",
        "https:///path",
        "https://user@example.com/",
        "https://user:word@example.com/",
        "https://example.com@127.0.0.1/",
        "https://example.com\\@127.0.0.1/",
        "https://example.com/#x",
        "https://exa mple.com/",
        "https://example.com/\r\nHost: x",
        "https://example.com/\x00",
        "https://bücher.example/",
        "https://example。com/",
        "https://%31%32%37.0.0.1/",
        "https://example.com:99999/",
        "https://example.com:x/",
        "https://[::1",
        "https://[fe80::1%25eth0]/",
        "https://example.com/" + "x" * 2048,
        "HTTPS://user@EXAMPLE.com/",
    ],
)
def test_urls_that_are_no_webhook_s_are_refused_unasked(url: str) -> None:
    with pytest.raises(WebhookRefused):
        read_address(url)


def test_a_good_url_leads_where_it_says() -> None:
    address = read_address("https://hooks.example.com/a/b?c=d")
    assert (address.host, address.port, address.target, address.authority) == (
        "hooks.example.com",
        443,
        "/a/b?c=d",
        "hooks.example.com",
    )
    assert read_address("https://example.com:443").target == "/"


PRIVATE = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",  # noqa: S104  an address to refuse
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.100.100.200",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2001:0:7f00:1::",
    "2002:7f00:1::",
    "2002:808:808::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "fe80::1%eth0",
    "localhost",
    "",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_is_not_of_the_public_internet_is_none_of_ours(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "93.184.215.14", "2606:4700::1111"])
def test_a_public_address_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", PRIVATE[:-2])
def test_a_name_that_leads_inside_is_refused_and_nothing_is_connected_to(address: str) -> None:
    """A name of two addresses as well: whoever answers by turns gets nothing."""
    for found in ((address,), ("8.8.8.8", address), (address, "8.8.8.8")):
        with pytest.raises(WebhookRefused):
            asyncio.run(deliver(message("https://example.com/"), resolve=resolver(*found)))


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "[::1]", "2130706433", "0x7f.1", "0177.0.0.1", "127.1"]
)
def test_names_of_this_machine_are_refused_however_they_are_written(host: str) -> None:
    with pytest.raises((WebhookRefused, WebhookFailed)):
        asyncio.run(deliver(message(f"https://{host}/")))


def test_a_name_is_asked_for_once() -> None:
    asked: list[str] = []

    async def turning(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["10.0.0.1"] if len(asked) == 1 else ["8.8.8.8"]

    with pytest.raises(WebhookRefused):
        asyncio.run(deliver(message("https://example.com/"), resolve=turning))
    assert asked == ["example.com"]


def test_a_name_without_an_address_is_a_failure_to_try_again() -> None:
    async def nothing(host: str, port: int) -> Sequence[str]:
        raise OSError("no such host")

    for resolve in (nothing, resolver()):
        with pytest.raises(WebhookFailed):
            asyncio.run(deliver(message("https://example.com/"), resolve=resolve))


def test_only_the_origin_that_is_allowed_is_exempt() -> None:
    async def run() -> int:
        async with receiving() as receiver:
            allowed = [f"http://127.0.0.1:{receiver.port}"]
            for url in (
                f"http://127.0.0.1:{receiver.port + 1}/",
                f"https://127.0.0.1:{receiver.port}/",
                f"http://127.0.0.2:{receiver.port}/",
                f"http://127.0.0.1:{receiver.port}@example.com/",
            ):
                with pytest.raises((WebhookRefused, WebhookFailed)):
                    await deliver(message(url), allowed_origins=allowed)
            return receiver.connections

    assert asyncio.run(run()) == 0


def test_the_certificate_must_be_the_name_s_though_an_address_is_connected_to(
    tmp_path: Path,
) -> None:
    server, client = certificate(tmp_path, "hooks.example.com")

    async def run(host: str) -> tuple[int, list[bytes]]:
        async with receiving(tls=server) as receiver:
            origin = f"https://{host}:{receiver.port}"
            status = await deliver(
                message(f"{origin}/x"),
                allowed_origins=[origin],
                resolve=resolver("127.0.0.1"),
                tls_context=client,
            )
            return status, receiver.requests

    status, [got] = asyncio.run(run("hooks.example.com"))
    assert status == 200
    assert b"\r\nHost: hooks.example.com:" in got
    with pytest.raises(WebhookFailed):
        asyncio.run(run("other.example.com"))

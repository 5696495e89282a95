"""What comes back from a provider, byte by byte, from a server that says exactly these bytes."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from gateway.providers import find_provider
from gateway.providers.base import UpstreamRequest, UpstreamUnreachable
from gateway.transport import NotConnected, Transport, Upstream
from tests.certificates import certificate

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
ASKED = UpstreamRequest(path="/v1/chat?alt=sse", body=b"{}", headers={"accept": "text/plain"})


class Provider:
    """A server that gives the next of its answers to each request; None hangs up at once.

    An answer that ends with `HANG_UP` is followed by the end of the connection.
    """

    HANG_UP = b"<hang up>"

    def __init__(self, *answers: bytes | None) -> None:
        self.answers = list(answers)
        self.requests: list[bytes] = []
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.connections += 1
        try:
            while self.answers:
                head = await reader.readuntil(b"\r\n\r\n")
                self.requests.append(head + await reader.readexactly(2))
                answer = self.answers.pop(0)
                if answer is None:
                    return
                writer.write(answer.removesuffix(self.HANG_UP))
                await writer.drain()
                if answer.endswith(self.HANG_UP):
                    return
            await reader.read()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


Scene = Callable[[Transport, Upstream], Awaitable[None]]


def play(provider: Provider, scene: Scene) -> None:
    """Run a scene against the server."""

    async def run() -> None:
        server = await asyncio.start_server(provider.serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        transport = Transport()
        try:
            await scene(transport, upstream_at(f"http://127.0.0.1:{port}/base/"))
        finally:
            await transport.close()
            server.close()

    asyncio.run(run())


def upstream_at(base_url: str, key: str = "sk-test") -> Upstream:
    adaptor = find_provider("openai")
    assert adaptor is not None
    return Upstream(provider=adaptor, base_url=base_url, key=key, sandbox=False)


def chunked(*parts: bytes) -> bytes:
    framed = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
    return HEAD + b"transfer-encoding: chunked\r\n\r\n" + framed + b"0\r\n\r\n"


def sized(body: bytes, *headers: bytes) -> bytes:
    more = b"".join(header + b"\r\n" for header in headers)
    return HEAD + more + b"content-length: %d\r\n\r\n" % len(body) + body


def bodies(provider: Provider, count: int) -> list[bytes]:
    """Ask so many times and read each answer whole."""
    found: list[bytes] = []

    async def scene(transport: Transport, upstream: Upstream) -> None:
        for _ in range(count):
            answer = await transport.send(upstream, ASKED)
            assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
            found.append(await answer.read())

    play(provider, scene)
    return found


def test_a_request_is_written_as_http_says_and_carries_the_key_in_its_header() -> None:
    provider = Provider(sized(b"yes"))
    assert bodies(provider, 1) == [b"yes"]
    lines = provider.requests[0].split(b"\r\n")
    assert lines[0] == b"POST /base/v1/chat?alt=sse HTTP/1.1"
    assert lines[1].startswith(b"host: 127.0.0.1:")
    assert lines[2:] == [
        *(b"accept-encoding: identity", b"user-agent: studio-gateway", b"accept: text/plain"),
        *(b"authorization: Bearer sk-test", b"content-length: 2", b"", b"{}"),
    ]


def test_sized_and_chunked_answers_come_over_one_connection() -> None:
    provider = Provider(sized(b"one"), chunked(b"t", b"w", b"o"), sized(b""), sized(b"four"))
    assert bodies(provider, 4) == [b"one", b"two", b"", b"four"]
    assert provider.connections == 1


def test_what_comes_behind_a_body_is_no_header_of_the_next_answer() -> None:
    trailed = chunked(b"one").removesuffix(b"\r\n") + b"content-type: text/trailer\r\n\r\n"
    provider = Provider(trailed, sized(b"two"))
    assert bodies(provider, 2) == [b"one", b"two"]
    assert provider.connections == 1


def test_an_answer_may_be_ended_by_the_end_of_the_connection() -> None:
    provider = Provider(HEAD + b"\r\nall of it" + Provider.HANG_UP, sized(b"next"))
    assert bodies(provider, 2) == [b"all of it", b"next"]
    assert provider.connections == 2


def test_a_provider_that_wants_to_close_is_not_asked_again_there() -> None:
    provider = Provider(sized(b"one", b"connection: close"), sized(b"two"))
    assert bodies(provider, 2) == [b"one", b"two"]
    assert provider.connections == 2


def test_what_follows_an_answer_unasked_spoils_the_connection() -> None:
    provider = Provider(sized(b"one") + b"HTTP/1.1 200 OK\r\n", sized(b"two"))
    assert bodies(provider, 2) == [b"one", b"two"]
    assert provider.connections == 2


def test_a_sign_of_life_is_no_answer() -> None:
    provider = Provider(b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + sized(b"yes"))
    assert bodies(provider, 1) == [b"yes"]


def test_a_cut_answer_gives_what_came_and_then_breaks() -> None:
    cut = chunked(b"half", b"rest").removesuffix(b"4\r\nrest\r\n0\r\n\r\n")

    async def scene(transport: Transport, upstream: Upstream) -> None:
        answer = await transport.send(upstream, ASKED)
        assert await answer.read_some() == b"half"
        with pytest.raises(UpstreamUnreachable, match="broke off its answer"):
            await answer.read_some()
        assert not answer.at_end()

    play(Provider(cut + Provider.HANG_UP), scene)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        b"no HTTP at all\r\n\r\n",
        HEAD + b"content-length: minus\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x: " + b"y" * 200_000,
        HEAD + Provider.HANG_UP,
    ],
)
def test_what_is_no_answer_was_sent_all_the_same(answer: bytes | None) -> None:
    provider = Provider(answer)

    async def scene(transport: Transport, upstream: Upstream) -> None:
        with pytest.raises(UpstreamUnreachable, match="cannot be reached") as raised:
            await transport.send(upstream, ASKED)
        assert not isinstance(raised.value, NotConnected)

    play(provider, scene)
    assert len(provider.requests) == 1


def test_where_nobody_listens_nothing_was_sent() -> None:
    async def scene(transport: Transport, upstream: Upstream) -> None:
        with pytest.raises(NotConnected):
            await transport.send(upstream_at("http://127.0.0.1:1/"), ASKED)
        with pytest.raises(NotConnected):
            await transport.send(upstream_at("http://name.invalid/"), ASKED)

    play(Provider(), scene)


def test_an_answer_larger_than_every_buffer_arrives_whole() -> None:
    large = b"0123456789abcdef" * 1_000_000
    assert bodies(Provider(sized(large), sized(b"next")), 2) == [large, b"next"]


def test_an_answer_without_end_is_given_up() -> None:
    async def scene(transport: Transport, upstream: Upstream) -> None:
        answer = await transport.send(upstream, ASKED)
        with pytest.raises(UpstreamUnreachable, match="too large"):
            await answer.read()

    play(Provider(HEAD + b"\r\n" + b"x" * 40_000_000), scene)


def test_a_header_that_is_more_than_its_line_is_never_sent() -> None:
    provider = Provider(sized(b"yes"))

    async def scene(transport: Transport, upstream: Upstream) -> None:
        with pytest.raises(ValueError, match="line end"):
            await transport.send(upstream_at(upstream.base_url, key="a\r\nx-more: b"), ASKED)

    play(provider, scene)
    assert (provider.connections, provider.requests) == (0, [])


def test_leaving_an_answer_early_costs_its_connection_only() -> None:
    provider = Provider(HEAD + b"content-length: 100\r\n\r\nsome", sized(b"next"))

    async def scene(transport: Transport, upstream: Upstream) -> None:
        answer = await transport.send(upstream, ASKED)
        assert await answer.read_some() == b"some"
        answer.close()
        following = await transport.send(upstream, ASKED)
        assert await following.read() == b"next"

    play(provider, scene)
    assert provider.connections == 2


def play_encrypted(provider: Provider, directory: Path, name: str, scene: Scene) -> None:
    """Run a scene against the server over TLS; its certificate is for `name`."""
    context, _ = certificate(directory, name)

    async def run() -> None:
        server = await asyncio.start_server(provider.serve, "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        transport = Transport()
        try:
            await scene(transport, upstream_at(f"https://localhost:{port}/base/"))
        finally:
            await transport.close()
            server.close()

    asyncio.run(run())


def test_a_provider_is_asked_over_tls_and_its_connection_serves_the_next_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "chain.pem"))
    body = HEAD + b"content-length: 2\r\n\r\n"
    provider = Provider(body + b"{}", body + b"[]")

    async def scene(transport: Transport, upstream: Upstream) -> None:
        for expected in (b"{}", b"[]"):
            answer = await transport.send(upstream, ASKED)
            assert (answer.status, await answer.read()) == (200, expected)

    play_encrypted(provider, tmp_path, "localhost", scene)
    assert (len(provider.requests), provider.connections) == (2, 1)


@pytest.mark.parametrize(("name", "trusted"), [("localhost", False), ("elsewhere.test", True)])
def test_who_cannot_prove_to_be_the_provider_is_sent_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, *, trusted: bool
) -> None:
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "chain.pem"))
    provider = Provider(HEAD + b"content-length: 0\r\n\r\n")

    async def scene(transport: Transport, upstream: Upstream) -> None:
        with pytest.raises(NotConnected):
            await transport.send(upstream, ASKED)

    play_encrypted(provider, tmp_path, name, scene)
    assert provider.requests == []

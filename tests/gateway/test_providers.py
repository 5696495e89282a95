"""What every provider must do, run for each one that lies in `gateway/providers`.

A provider's evidence is `tests/gateway/replies/<slug>/`: `*.json` answers, `error_<status>_*.json`
errors, `*.sse` streams. A provider without any fails here.
"""

import contextlib
import random
from pathlib import Path

import pytest

from gateway.operations.chat import decode_chat
from gateway.providers import find_provider, providers
from gateway.providers.base import (
    ChatProvider,
    ChatStream,
    Reply,
    Target,
    UpstreamAnswer,
    UpstreamFailure,
    chats,
)

REPLIES = Path(__file__).parent / "replies"
KEY = "sk-canary-5f0c2d"
TARGET = Target(model="model-1", max_output_tokens=64)
REQUEST = decode_chat(
    b'{"kind":"chat.default","messages":[{"role":"user","content":"Hello"}],"temperature":1}'
)
STREAMED = decode_chat(
    b'{"kind":"chat.default","messages":[{"role":"user","content":"Hello"}],"stream":true,'
    b'"stream_options":{"include_usage":true}}'
)
SPLITS_OF_EACH_TRANSCRIPT = 40
MUTANTS_OF_EACH_TRANSCRIPT = 30
FRAME_BYTES = 400
"""What a translated event has around its text: memory stays in proportion to what came."""

ODDITIES = (
    *(b"\n", b"\r\n", b"\n\n", b'"', b"\\", b"\\n", b"\\u0041", b"\\/", b"\x00", b"\x1f", b"\x7f"),
    *(b"\xff", b"\xc3", b"\xed\xa0\x80", b"{", b"}", b"]", b",", b" ", b"0", b"-1", b"01", b"null"),
    *(b'"text":"x",', b'"index":1,', b'"type":"ping",', b'"thought":true,', b'"error":{},'),
    *(
        b"data: ",
        b"data:\n",
        b": hm\n",
        b"event: error\n",
        b'"finishReason":"STOP",',
        b"\xf0\x9f\x97\xbc",
    ),
)


CHATTING = sorted(slug for slug, found in providers().items() if "chat" in found.operations)


def replies(pattern: str) -> list[tuple[str, Path]]:
    """List the recorded replies of all providers that chat: (slug, file)."""
    return [(slug, path) for slug in CHATTING for path in sorted((REPLIES / slug).glob(pattern))]


def recorded(pattern: str) -> pytest.MarkDecorator:
    """Run a test for each recorded reply of each provider."""
    found = [(slug, path) for slug, path in replies(pattern)]
    names = [f"{slug}-{path.stem}" for slug, path in found]
    return pytest.mark.parametrize(("slug", "path"), found, ids=names)


each_provider = pytest.mark.parametrize("slug", CHATTING)
each_answer = recorded("[!e]*.json")
each_error = recorded("error_*.json")
each_stream = recorded("*.sse")


def of(slug: str) -> ChatProvider:
    """Give a provider that is there."""
    provider = find_provider(slug)
    assert provider is not None
    assert chats(provider)
    return provider


def opened(slug: str) -> ChatStream:
    """Begin to read a stream whose caller wants usage."""
    return of(slug).open_chat_stream(STREAMED, TARGET)


def answer(body: bytes) -> UpstreamAnswer:
    """Give a success with this body."""
    return UpstreamAnswer(status=200, headers={}, body=body)


def outcome(stream: ChatStream) -> tuple[object, ...]:
    """Give all that a stream knows at its end."""
    failure = None if stream.failure is None else (stream.failure.code, stream.failure.message)
    return (stream.finished, failure, stream.usage, stream.relayed_tokens, stream.finish_reason)


def status_of(path: Path) -> int:
    """Read the HTTP status from the name of a recorded error."""
    return int(path.stem.split("_")[1])


def test_openai_is_found_by_itself_and_a_stranger_is_not() -> None:
    assert of("openai").slug == "openai"
    assert find_provider("base") is None


@each_provider
def test_a_provider_has_recorded_answers_errors_and_streams(slug: str) -> None:
    folder = REPLIES / slug
    assert [folder.glob(pattern).__next__().exists() for pattern in ("*.json", "*.sse")]
    assert list(folder.glob("error_*.json")) != []


@each_provider
def test_a_provider_is_reached_over_tls_at_a_host_of_its_own(slug: str) -> None:
    provider = of(slug)
    assert provider.default_base_url.startswith(tuple(f"https://{host}" for host in provider.hosts))
    assert "chat" in provider.operations


@each_provider
@pytest.mark.parametrize("request_", [REQUEST, STREAMED], ids=["plain", "stream"])
def test_the_key_travels_only_in_headers(slug: str, request_: object) -> None:
    provider = of(slug)
    sent = provider.build_chat(STREAMED if request_ is STREAMED else REQUEST, TARGET)
    assert any(KEY in value for value in provider.auth(KEY).values())
    assert KEY not in sent.path
    assert KEY.encode() not in sent.body
    assert "://" not in sent.path
    assert set(sent.headers).isdisjoint(provider.auth(KEY))
    assert {name.lower() for name in sent.headers} == set(sent.headers)


@each_provider
def test_our_own_words_stay_here(slug: str) -> None:
    sent = of(slug).build_chat(REQUEST, TARGET)
    assert b"kind" not in sent.body
    assert b"chat.default" not in sent.body
    assert b"model-1" in sent.path.encode() + sent.body


@each_provider
def test_building_leaves_the_request_as_it_was(slug: str) -> None:
    of(slug).build_chat(REQUEST, Target(model="other", drop_parameters=("temperature",)))
    assert REQUEST.temperature == 1
    assert REQUEST.kind == "chat.default"
    assert REQUEST.model is None


@each_answer
def test_an_answer_is_read_and_charged_by_its_usage(slug: str, path: Path) -> None:
    reply = of(slug).parse_chat(REQUEST, TARGET, answer(path.read_bytes()))
    assert reply.usage is not None
    assert reply.usage.source == "provider"
    assert reply.usage.input_tokens > 0


@each_answer
def test_an_answer_cut_anywhere_is_no_answer(slug: str, path: Path) -> None:
    body = path.read_bytes().rstrip()
    for end in range(len(body)):
        with pytest.raises(UpstreamFailure) as failed:
            of(slug).parse_chat(REQUEST, TARGET, answer(body[:end]))
        assert (failed.value.status, failed.value.code) == (502, "upstream_invalid_response")


@each_answer
def test_a_garbled_answer_is_read_or_refused(slug: str, path: Path) -> None:
    body = path.read_bytes()
    chance = random.Random(path.name)  # noqa: S311  it picks places, no secrets
    for _ in range(300):
        garbled = bytearray(body)
        for _ in range(chance.randint(1, 5)):
            garbled[chance.randrange(len(body))] = chance.randrange(256)
        with contextlib.suppress(UpstreamFailure):
            assert isinstance(of(slug).parse_chat(REQUEST, TARGET, answer(bytes(garbled))), Reply)


@each_error
def test_an_error_names_no_host_no_key_and_no_id(slug: str, path: Path) -> None:
    provider = of(slug)
    failure = provider.parse_error(status_of(path), {}, path.read_bytes())
    assert failure.provider_status == status_of(path)
    assert 400 <= failure.status <= 504
    assert failure.message != ""
    for secret in (*provider.hosts, "http", "sk-", "org-", "req_", ".com"):
        assert secret not in failure.message


@each_error
def test_a_cut_error_is_still_an_error(slug: str, path: Path) -> None:
    body = path.read_bytes()
    for end in range(len(body)):
        failure = of(slug).parse_error(status_of(path), {}, body[:end])
        assert failure.provider_status == status_of(path)


@each_provider
@pytest.mark.parametrize("body", [b"", b"<html>Bad gateway</html>", b"null", b"[]", b'{"a":1}'])
def test_a_success_that_is_no_answer_is_invalid(slug: str, body: bytes) -> None:
    with pytest.raises(UpstreamFailure) as failed:
        of(slug).parse_chat(REQUEST, TARGET, answer(body))
    assert (failed.value.status, failed.value.code) == (502, "upstream_invalid_response")


@each_stream
def test_a_stream_cut_at_any_byte_relays_the_same(slug: str, path: Path) -> None:
    transcript = path.read_bytes()
    whole = opened(slug)
    relayed = whole.feed(transcript)
    for cut in range(1, len(transcript)):
        stream = opened(slug)
        first = stream.feed(transcript[:cut])
        assert relayed.startswith(first)
        assert first + stream.feed(transcript[cut:]) == relayed
        assert outcome(stream) == outcome(whole)


@each_stream
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"], ids=["lf", "crlf", "cr"])
def test_a_stream_in_any_pieces_relays_the_same(slug: str, path: Path, line_end: bytes) -> None:
    transcript = path.read_bytes()
    whole = opened(slug)
    relayed = whole.feed(transcript)
    # What follows a CR decides whether a line ended there: one more comment ends them all.
    sent = transcript.replace(b"\n", line_end) + b": bye" + line_end
    chance = random.Random(path.name)  # noqa: S311  it picks places, no secrets
    for _ in range(SPLITS_OF_EACH_TRANSCRIPT):
        cuts = sorted(chance.randrange(len(sent)) for _ in range(chance.randint(0, 60)))
        stream = opened(slug)
        pieces = [
            sent[start:end] for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True)
        ]
        assert b"".join(map(stream.feed, pieces)) == relayed
        assert outcome(stream) == outcome(whole)


@each_stream
def test_a_stream_of_mixed_line_ends_relays_the_same(slug: str, path: Path) -> None:
    transcript = path.read_bytes()
    plain = opened(slug)
    relayed = plain.feed(transcript)
    ends = (b"\n\n", b"\r\n\r\n", b"\n\r\n", b"\r\r", b"\n: hm\n\n", b"\n\n\n", b"\n\n\n\n")
    chance = random.Random(path.name)  # noqa: S311  it picks places, no secrets
    for _ in range(SPLITS_OF_EACH_TRANSCRIPT):
        blocks = transcript.split(b"\n\n")[:-1]
        sent = b"".join(block + chance.choice(ends) for block in blocks) + b": bye\n"
        cuts = sorted(chance.randrange(len(sent)) for _ in range(chance.randint(0, 60)))
        stream = opened(slug)
        pieces = [
            sent[start:end] for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True)
        ]
        assert b"".join(map(stream.feed, pieces)) == relayed
        assert outcome(stream) == outcome(plain)


@each_stream
def test_a_stream_byte_by_byte_relays_the_same(slug: str, path: Path) -> None:
    transcript = path.read_bytes()
    whole = opened(slug)
    relayed = whole.feed(transcript)
    stream = opened(slug)
    assert b"".join(stream.feed(bytes([byte])) for byte in transcript) == relayed
    assert outcome(stream) == outcome(whole)


def mutant(transcript: bytes, chance: random.Random) -> bytes:
    """Spoil a stream in one to three places: odd bytes in, bytes out, an event twice."""
    spoiled = transcript
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(spoiled) + 1)
        kind = chance.randrange(4)
        if kind == 0:
            events = spoiled.split(b"\n\n")
            events.insert(chance.randrange(len(events)), chance.choice(events))
            spoiled = b"\n\n".join(events)
        else:
            gone = (0, 1, chance.randint(1, 40))[kind - 1]
            odd = chance.choice(ODDITIES) if kind < 3 else b""
            spoiled = spoiled[:at] + odd + spoiled[at + gone :]
    return spoiled + b": bye\n"


@each_stream
def test_a_spoiled_stream_relays_the_same_in_one_read_and_byte_by_byte(
    slug: str, path: Path
) -> None:
    # Byte by byte no event is whole when it is looked at: nothing is taken in runs.
    chance = random.Random(path.name)  # noqa: S311  it picks places, no secrets
    for _ in range(MUTANTS_OF_EACH_TRANSCRIPT):
        sent = mutant(path.read_bytes(), chance)
        whole, slow = opened(slug), opened(slug)
        assert whole.feed(sent) == b"".join(slow.feed(bytes([byte])) for byte in sent)
        assert outcome(whole) == outcome(slow)


@each_stream
def test_a_garbled_stream_raises_nothing(slug: str, path: Path) -> None:
    transcript = path.read_bytes()
    chance = random.Random(path.name)  # noqa: S311  it picks places, no secrets
    for _ in range(300):
        garbled = bytearray(transcript)
        for _ in range(chance.randint(1, 8)):
            garbled[chance.randrange(len(transcript))] = chance.randrange(256)
        stream = opened(slug)
        relayed = stream.feed(bytes(garbled))
        assert len(relayed) <= 6 * len(garbled) + FRAME_BYTES * garbled.count(b"\n")
        closing = stream.closing_bytes(usage=None, charge_ucr=0, failure=stream.failure)
        assert closing.startswith(b"data: ")
        assert closing.endswith(b"\n\n")


@each_stream
def test_the_end_is_never_relayed_before_it_is_settled(slug: str, path: Path) -> None:
    assert b"[DONE]" not in opened(slug).feed(path.read_bytes())


@each_provider
def test_a_line_without_end_fails_and_takes_no_more_memory(slug: str) -> None:
    stream = opened(slug)
    for _ in range(300):
        assert stream.feed(b"data: " + b"x" * 65_536) == b""
    assert stream.failure is not None
    assert stream.failure.code == "upstream_invalid_response"
    assert stream.relayed_tokens == 0


@each_provider
def test_nothing_is_relayed_after_a_failure(slug: str) -> None:
    stream = opened(slug)
    assert stream.feed(b"data: {broken\n\n") == b""
    assert stream.failure is not None
    transcript = (REPLIES / slug / "stream_text.sse").read_bytes()
    assert stream.feed(transcript) == b""
    assert stream.relayed_tokens == 0

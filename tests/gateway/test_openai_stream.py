"""OpenAI's streams: what is relayed, what is held back, what is counted, what ends them."""

import json
from typing import Any

import pytest

from gateway.operations.chat import ChatUsage
from gateway.providers.base import ChatStream, UpstreamFailure, UpstreamInvalid
from gateway.providers.openai import PROVIDER
from tests.gateway.openai_bodies import BAD_USAGES, TARGET, reply, request_of

CHUNK: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion.chunk",
    "created": 1790000000,
    "model": "gpt-5.6-sol",
}


def opened(*, wants_usage: bool = False, **fields: Any) -> ChatStream:
    """Begin to read a stream."""
    fields["stream_options"] = {"include_usage": wants_usage}
    return PROVIDER.open_chat_stream(request_of(stream=True, **fields), TARGET)


def event(text: str = "", *, reason: str | None = None, **fields: Any) -> bytes:
    """Write one event of a stream as OpenAI does."""
    delta = {"content": text} if text else {}
    choices = [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]
    chunk = {**CHUNK, "choices": choices, "usage": None, **fields}
    return b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"


def usage_event(usage: object) -> bytes:
    """Write a usage chunk."""
    return event(choices=[], usage=usage)


def events_of(data: bytes) -> list[Any]:
    """Read what a client of OpenAI's would make of a stream."""
    found = []
    for block in data.decode().split("\n\n")[:-1]:
        text = block.removeprefix("data: ")
        found.append(text if text == "[DONE]" else json.loads(text))
    return found


def test_a_stream_is_relayed_without_its_usage_chunk_and_its_end() -> None:
    transcript = reply("stream_text.sse")
    stream = opened()
    relayed = stream.feed(transcript)
    held = transcript[transcript.rindex(b"data: {") :]
    assert relayed + held == transcript
    assert stream.finished
    assert stream.usage == ChatUsage(input_tokens=21, output_tokens=17)
    assert stream.relayed_tokens == 18  # 70 bytes as JSON writes them
    assert stream.finish_reason == "stop"
    ending = stream.closing_bytes(usage=stream.usage, charge_ucr=1, failure=None)
    assert ending == b"data: [DONE]\n\n"


def test_a_caller_who_asks_gets_the_providers_usage_and_the_charge() -> None:
    stream = opened(wants_usage=True)
    stream.feed(reply("stream_reasoning_usage.sse"))
    assert stream.usage == ChatUsage(
        input_tokens=2304,
        output_tokens=519,
        cached_input_tokens=2048,
        cache_write_tokens=128,
        reasoning_tokens=512,
    )
    chunk, done = events_of(
        stream.closing_bytes(usage=stream.usage, charge_ucr=12_345_678, failure=None)
    )
    assert done == "[DONE]"
    assert chunk["choices"] == []
    assert chunk["id"] == "chatcmpl-CS3usag00000000000000000003"
    assert chunk["usage"]["credits_charged"] == 12.345678
    assert chunk["usage"]["completion_tokens_details"]["accepted_prediction_tokens"] == 0


def test_a_usage_of_our_own_takes_its_place_where_the_provider_told_none() -> None:
    stream = opened(wants_usage=True)
    stream.feed(reply("stream_premature_end.sse"))
    assert (stream.finished, stream.usage, stream.relayed_tokens) == (False, None, 3)
    counted = ChatUsage(input_tokens=9, output_tokens=3, source="counted")
    failure = UpstreamInvalid("The provider ended its answer early.")
    chunk, error = events_of(
        stream.closing_bytes(usage=counted, charge_ucr=2_000_000, failure=failure)
    )
    assert chunk["id"] == "chatcmpl-CS8cut000000000000000000008"
    assert chunk["usage"]["prompt_tokens"] == 9
    assert chunk["usage"]["total_tokens"] == 12
    assert chunk["usage"]["credits_charged"] == 2
    assert error == {
        "error": {
            "type": "upstream_invalid_response",
            "message": "The provider ended its answer early.",
            "code": 502,
            "param": None,
        }
    }


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        ({"message": "oops", "type": "server_error"}, 502, "upstream_error"),
        ({"message": "slow", "code": "rate_limit_exceeded"}, 503, "upstream_overloaded"),
        ({"message": "broke", "code": "insufficient_quota"}, 503, "upstream_quota"),
        ({"message": "no", "type": "invalid_request_error"}, 400, "invalid_request_error"),
        ("oops", 502, "upstream_error"),
        ({}, 502, "upstream_error"),
    ],
)
@pytest.mark.parametrize("prefix", [b"", b"event: error\n"], ids=["data", "event"])
def test_an_error_inside_the_stream_ends_it(
    error: object, status: int, code: str, prefix: bytes
) -> None:
    stream = opened()
    before = event("Once") + event(" upon")
    failing = prefix + b"data: " + json.dumps({"error": error}).encode() + b"\n\n"
    assert stream.feed(before + failing + event(" a")) == before
    assert isinstance(stream.failure, UpstreamFailure)
    assert (stream.failure.status, stream.failure.code) == (status, code)
    assert stream.relayed_tokens == 3
    assert not stream.finished


def test_comments_and_other_fields_are_dropped_and_data_lines_joined() -> None:
    stream = opened()
    chunk = event("Hi").removeprefix(b"data: ").rstrip()
    first, second = chunk.split(b',"choices"')
    framed = b': OPENAI PROCESSING\n\nid: 7\nretry: 100\ndata: %s\ndata:,"choices"%s\n\n'
    relayed = stream.feed(framed % (first, second))
    assert events_of(relayed) == [json.loads(chunk)]
    assert stream.relayed_tokens == 1


@pytest.mark.parametrize(
    "data",
    [
        b"data: {broken\n\n",
        b"data: 7\n\n",
        b'data: {"choices":7}\n\n',
        b'data: {"choices":[{"delta":"\xff"}]}\n\n',
        b'data: {"choices":[],"x":"\xff"}\n\n',
        b"data: " + b"[" * 100_000 + b"\n\n",
        b'data: {"choices":[{"delta":{"content":"' + b"x" * 1_100_000 + b'"}}]}\n\n',
    ],
)
def test_an_event_that_cannot_be_read_is_a_failure(data: bytes) -> None:
    stream = opened()
    good = event("Hi")
    assert stream.feed(good + data) == good
    assert isinstance(stream.failure, UpstreamInvalid)
    assert stream.relayed_tokens == 1


def test_bad_utf8_in_a_known_shape_is_a_failure_too() -> None:
    stream = opened()
    good, other = event("Hi"), event("Ho")
    assert stream.feed(good + other.replace(b"Ho", b"H\xff") + other) == good
    assert isinstance(stream.failure, UpstreamInvalid)


def test_the_last_readable_usage_wins() -> None:
    stream = opened()
    for count in (1, 2, -3):
        stream.feed(usage_event({"prompt_tokens": 5, "completion_tokens": count}))
    assert stream.usage == ChatUsage(input_tokens=5, output_tokens=2)


def test_usage_in_a_chunk_with_text_is_read_and_the_text_relayed() -> None:
    stream = opened()
    chunk = event("Hi", usage={"prompt_tokens": 5, "completion_tokens": 1})
    assert stream.feed(chunk) == chunk
    assert stream.usage == ChatUsage(input_tokens=5, output_tokens=1)


def test_the_end_needs_no_empty_line_after_it() -> None:
    stream = opened()
    stream.feed(event("Hi") + b"data: [DONE]")
    assert stream.finished


def test_the_word_done_in_a_text_is_no_end() -> None:
    stream = opened()
    text = event('data: [DONE]\n\n {"usage": 1, "error": 2}')
    assert stream.feed(text) == text
    assert not stream.finished
    assert stream.failure is None


@pytest.mark.parametrize("together", [True, False], ids=["one read", "many reads"])
def test_relayed_tokens_are_events_or_a_quarter_of_the_bytes(together: bool) -> None:
    texts = ["a", "b", "c" * 41, "日本語", "d\n", '"', "e" * 100]
    expected = -(-(1 + 1 + 41 + 9 + 3 + 2 + 100) // 4)
    stream = opened()
    parts = [
        b"data: "
        + json.dumps(
            json.loads(event(text)[6:]), separators=(",", ":"), ensure_ascii=False
        ).encode()
        + b"\n\n"
        for text in texts
    ]
    for part in [b"".join(parts)] if together else parts:
        stream.feed(part)
    assert stream.relayed_tokens == expected
    assert opened().relayed_tokens == 0


def test_an_opening_without_text_costs_nothing() -> None:
    stream = opened()
    transcript = reply("stream_text.sse")
    stream.feed(transcript[: transcript.index(b"\n\n") + 2])
    assert stream.relayed_tokens == 0


def test_log_probabilities_are_not_taken_for_text() -> None:
    stream = opened(logprobs=True)
    stream.feed(reply("stream_logprobs.sse"))
    assert stream.relayed_tokens == 4


def test_json_that_is_no_chunk_is_not_relayed() -> None:
    stream = opened()
    assert stream.feed(b'data: {"type":"ping"}\n\n') == b""
    assert stream.failure is None


@pytest.mark.parametrize("usage", BAD_USAGES)
def test_a_usage_that_cannot_be_believed_is_none(usage: bytes) -> None:
    stream = opened()
    stream.feed(b'data: {"choices":[],"usage":%s}\n\n' % usage)
    assert (stream.usage, stream.failure) == (None, None)


def test_an_unknown_finish_reason_is_relayed_as_it_is() -> None:
    stream = opened()
    ending = event(reason="bored")
    assert stream.feed(ending) == ending
    assert stream.finish_reason == "other"

"""What comes back from Anthropic piece by piece, as our callers see it."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.operations.chat import ChatUsage
from gateway.providers.anthropic import PROVIDER
from gateway.providers.base import ChatStream, Target
from tests.gateway.anthropic_bodies import WEATHER, request_of

REPLIES = Path(__file__).parent / "replies/anthropic"
TARGET = Target(model="claude-sonnet-5-5", answer_id="chatcmpl-7", created_s=1_790_000_000)
START = {
    "type": "message_start",
    "message": {"content": [], "usage": {"input_tokens": 20, "output_tokens": 1}},
}
STOP = {"type": "message_stop"}
ROLE = {"role": "assistant", "content": ""}


def opened(**fields: Any) -> ChatStream:
    """Begin to read a stream whose caller wants usage."""
    request = request_of(stream=True, stream_options={"include_usage": True}, **fields)
    return PROVIDER.open_chat_stream(request, TARGET)


def chunks(relayed: bytes) -> list[Any]:
    """Decode what is relayed."""
    found = [json.loads(event.removeprefix(b"data: ")) for event in relayed.split(b"\n\n")[:-1]]
    for chunk in found:
        assert chunk["id"] == "chatcmpl-7"
        assert chunk["created"] == 1_790_000_000
        assert (chunk["object"], chunk["model"]) == ("chat.completion.chunk", "claude-sonnet-5-5")
    return [chunk["choices"][0] for chunk in found]


def deltas(relayed: bytes) -> list[Any]:
    """Give the deltas behind the first, which gives the role, and in front of the end."""
    choices = chunks(relayed)
    assert choices[0]["delta"] == ROLE
    return [choice["delta"] for choice in choices[1:] if choice["finish_reason"] is None]


def recorded(name: str, **fields: Any) -> tuple[ChatStream, bytes]:
    """Read a recorded stream. Returns: it, and what it relayed."""
    stream = opened(**fields)
    return stream, stream.feed((REPLIES / f"stream_{name}.sse").read_bytes())


def fed(*events: dict[str, Any], **fields: Any) -> tuple[ChatStream, bytes]:
    """Read these events."""
    stream = opened(**fields)
    return stream, b"".join(stream.feed(written(event)) for event in events)


def compact(event: dict[str, Any]) -> bytes:
    """Write an event as Anthropic does, without a space."""
    data = json.dumps(event, separators=(",", ":"), ensure_ascii=False)
    return f"event: {event['type']}\ndata: {data}\n\n".encode()


def written(event: dict[str, Any]) -> bytes:
    """Write an event with other white space than Anthropic does."""
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def started(index: int, **block: Any) -> dict[str, Any]:
    """Open a block."""
    return {"type": "content_block_start", "index": index, "content_block": block}


def piece(index: int, **delta: Any) -> dict[str, Any]:
    """Fill a block."""
    return {"type": "content_block_delta", "index": index, "delta": delta}


def ended(index: int) -> dict[str, Any]:
    """Close a block."""
    return {"type": "content_block_stop", "index": index}


def closed(reason: str = "end_turn", **usage: int) -> dict[str, Any]:
    """Close the message."""
    return {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage}


def test_text_becomes_chunks_with_the_role_in_front_and_the_reason_behind() -> None:
    stream, relayed = recorded("text")
    assert chunks(relayed) == [
        {"index": 0, "delta": delta, "finish_reason": reason}
        for delta, reason in [
            (ROLE, None),
            ({"content": "The capital"}, None),
            ({"content": " of France"}, None),
            ({"content": " is Paris."}, None),
            ({}, "stop"),
        ]
    ]
    assert (stream.finished, stream.failure, stream.finish_reason) == (True, None, "stop")
    assert stream.usage == ChatUsage(input_tokens=21, output_tokens=10)
    assert stream.relayed_tokens == 8


def test_the_end_is_the_usage_with_its_charge_and_done() -> None:
    stream, _ = recorded("cached")
    closing = stream.closing_bytes(usage=stream.usage, charge_ucr=1_500_000, failure=None)
    usage, done, rest = closing.split(b"\n\n")
    assert json.loads(usage.removeprefix(b"data: "))["usage"] == {
        "prompt_tokens": 2597,
        "completion_tokens": 4,
        "total_tokens": 2601,
        "prompt_tokens_details": {"cached_tokens": 2048, "cache_write_tokens": 512},
        "completion_tokens_details": {"reasoning_tokens": 0},
        "credits_charged": 1.5,
    }
    assert (done, rest) == (b"data: [DONE]", b"")


def test_texts_go_out_as_openai_writes_them_however_they_came() -> None:
    stream, relayed = recorded("padded")
    texts = ["Sure", ":\n\n", '- "Zürich"', "\t東京 🗼", " C:\\tmp", "été", " a/b", " and", " so"]
    texts += [" on.", " Bye", "."]
    assert deltas(relayed) == [{"content": text} for text in texts]
    said_bytes = sum(len(text.encode()) for text in texts)
    assert (said_bytes, stream.relayed_tokens) == (62, 16)
    assert stream.usage == ChatUsage(input_tokens=24, output_tokens=31)
    assert (stream.finished, stream.finish_reason) == (True, "stop")
    head, tail = b'"choices":[{"index":0,"delta":{"content":"', b'"},"finish_reason":null}]}\n\n'
    assert head + '- \\"Zürich\\"'.encode() + tail in relayed
    assert head + "été".encode() + tail in relayed


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (b"\xc3", b"\xa9"),
        (b"a\\", b"nb"),
        (b"a", b"b\x00"),
        (b"a\x1f", b"b"),
        (b"a\xed\xa0\x80", b"b"),
        (b'a"b', b"c"),
        (b"a", b"\\u00"),
    ],
)
def test_each_text_must_be_readable_by_itself(first: bytes, second: bytes) -> None:
    said = compact(piece(0, type="text_delta", text="%b"))
    stream, _ = fed(START, started(0, type="text", text=""), piece(0, type="text_delta", text="Hm"))
    good = stream.feed(said % b"Hi" + said % first + said % second + said % b"!")
    assert b'"content":"Hi"' in good
    assert b'"content":"!"' not in good
    assert stream.failure is not None
    assert stream.failure.code == "upstream_invalid_response"


def test_each_piece_counts_however_short_it_is() -> None:
    stream, _ = fed(START, started(0, type="text", text="Hm"))
    said = compact(piece(0, type="text_delta", text="é"))
    stream.feed(said * 9)
    assert stream.relayed_tokens == 10
    stream.feed(said + compact(piece(0, type="text_delta", text="\\" * 31)))
    assert stream.relayed_tokens == 14
    stream.feed(compact(piece(0, type="text_delta", text='\n"')))
    assert stream.relayed_tokens == 14


def test_an_unfinished_event_is_no_end_of_one() -> None:
    stream, _ = fed(START, started(0, type="text", text="Hm"))
    assert stream.feed(b"data: {\n") == b""
    assert stream.feed(compact(piece(0, type="text_delta", text="Hi"))) == b""
    assert stream.failure is not None
    assert stream.relayed_tokens == 1


def test_nothing_behind_an_error_in_the_same_read_is_relayed() -> None:
    events = (REPLIES / "stream_error.sse").read_bytes()
    text = events[events.index(b"event: content_block_delta") :]
    stream = opened()
    relayed = stream.feed(events + text)
    assert deltas(relayed) == [{"content": "Once upon"}]
    assert stream.relayed_tokens == 3


def test_calls_begin_with_their_names_and_an_empty_input_is_an_empty_object() -> None:
    stream, relayed = recorded("tools")
    weather = {"name": "get_weather", "arguments": ""}
    time = {"name": "get_time", "arguments": ""}
    first, second = "call_01D7FLrfh4GYq7yT1ULFeyMV", "call_01XkVh2mQ8sWn4Rb6TyLc0Pd"
    assert deltas(relayed) == [
        {"content": "Both, then."},
        {"tool_calls": [{"index": 0, "id": first, "type": "function", "function": weather}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"city": "Zü'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": 'rich"}'}}]},
        {"tool_calls": [{"index": 1, "id": second, "type": "function", "function": time}]},
        {"tool_calls": [{"index": 1, "function": {"arguments": "{}"}}]},
    ]
    assert stream.finish_reason == "tool_calls"


def test_a_caller_who_sent_functions_gets_one_function_call() -> None:
    stream, relayed = recorded("tools", functions=[WEATHER])
    assert deltas(relayed) == [
        {"content": "Both, then."},
        {"function_call": {"name": "get_weather", "arguments": ""}},
        {"function_call": {"arguments": '{"city": "Zü'}},
        {"function_call": {"arguments": 'rich"}'}},
    ]
    assert stream.finish_reason == "function_call"


def test_thoughts_are_shown_as_they_come_and_handed_over_whole() -> None:
    stream, relayed = recorded("thinking")
    signature = "EqQBCkYIBxgCKkBmQ1dKd3ZpY2VfMDFBYkNkRWZHaElqS2xNbk9wUXJTdFV2"
    thought = {"type": "thinking", "thinking": "27 * 400 = 10800", "signature": signature}
    assert deltas(relayed) == [
        {"reasoning_content": "27 * 400"},
        {"reasoning_content": " = 10800"},
        {"thinking_blocks": [thought]},
        {"content": "12231"},
    ]
    assert stream.usage == ChatUsage(input_tokens=42, output_tokens=96, reasoning_tokens=71)
    stream, relayed = recorded("redacted")
    thought = {"type": "redacted_thinking", "data": "EmwKAhgBEgy3va3pzix/"}
    assert deltas(relayed) == [{"thinking_blocks": [thought]}, {"content": "Well."}]
    assert stream.relayed_tokens == 2


def test_a_thought_too_long_to_keep_is_shown_and_not_handed_over() -> None:
    events = [piece(0, type="thinking_delta", thinking="x" * 300_000)] * 4
    signed = piece(0, type="signature_delta", signature="c2ln")
    block = started(0, type="thinking", thinking="", signature="")
    _, relayed = fed(START, block, *events, signed, ended(0))
    assert [list(delta) for delta in deltas(relayed)] == [["reasoning_content"]] * 4


@pytest.mark.parametrize(
    ("name", "reason", "usage"),
    [
        ("refusal", "content_filter", ChatUsage(input_tokens=33, output_tokens=5)),
        ("max_tokens", "length", ChatUsage(input_tokens=18, output_tokens=4)),
        ("japanese", "stop", ChatUsage(input_tokens=12, output_tokens=14)),
        ("json_schema", "stop", ChatUsage(input_tokens=203, output_tokens=9)),
    ],
)
def test_a_stream_is_understood(name: str, reason: str, usage: ChatUsage) -> None:
    stream, _ = recorded(name)
    assert (stream.finish_reason, stream.usage, stream.finished) == (reason, usage, True)


def test_unknown_events_blocks_and_deltas_are_skipped() -> None:
    stream, relayed = recorded("unknown")
    assert deltas(relayed) == [{"content": "Paris."}]
    assert chunks(relayed)[-1]["finish_reason"] == "stop"
    assert (stream.finish_reason, stream.failure) == ("other", None)


def test_an_error_inside_ends_the_stream_and_what_was_said_is_counted() -> None:
    stream, relayed = recorded("error")
    assert deltas(relayed) == [{"content": "Once upon"}]
    assert stream.failure is not None
    assert (stream.failure.status, stream.failure.code) == (503, "upstream_overloaded")
    assert stream.usage == ChatUsage(input_tokens=25, output_tokens=1)
    assert (stream.finished, stream.relayed_tokens) == (False, 3)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("rate_limit_error", "upstream_overloaded"),
        ("api_error", "upstream_error"),
        ("timeout_error", "upstream_timeout"),
        ("billing_error", "upstream_quota"),
        ("authentication_error", "upstream_error"),
        ("invalid_request_error", "invalid_request_error"),
        ("strange_error", "upstream_error"),
    ],
)
def test_an_error_inside_has_the_status_of_its_type(kind: str, code: str) -> None:
    stream, _ = fed(START, {"type": "error", "error": {"type": kind, "message": "Sorry"}})
    assert stream.failure is not None
    assert stream.failure.code == code


def test_an_end_before_the_end_is_neither_finished_nor_failed() -> None:
    stream, relayed = recorded("premature_end")
    assert deltas(relayed) == [{"content": "Once"}, {"content": " upon"}]
    assert (stream.finished, stream.failure, stream.finish_reason) == (False, None, None)


def test_counts_are_cumulative_and_what_the_last_leave_out_stays() -> None:
    start: dict[str, Any] = {"type": "message_start", "message": {"usage": {}}}
    start["message"]["usage"] = {
        "input_tokens": 20,
        "cache_read_input_tokens": 100,
        "output_tokens": 1,
    }
    stream, _ = fed(start, closed(output_tokens=5), closed(output_tokens=9, input_tokens=21), STOP)
    assert stream.usage == ChatUsage(input_tokens=121, output_tokens=9, cached_input_tokens=100)


def test_without_a_last_count_ours_takes_the_place_of_the_first() -> None:
    said = [started(0, type="text", text="Twelve bytes"), piece(0, type="text_delta", text="1234")]
    counted = ChatUsage(input_tokens=20, output_tokens=4, source="counted")
    for end in ([closed(), STOP], [closed(output_tokens=-5), STOP], [STOP]):
        stream, _ = fed(START, *said, *end)
        assert stream.usage == counted
    stream, _ = fed({"type": "message_start", "message": {}}, *said, closed(), STOP)
    assert stream.usage is None


def test_a_call_may_bring_its_input_at_once() -> None:
    block = started(0, type="tool_use", id="toolu_1", name="f", input={"a": [1, 2.50]})
    _, relayed = fed(START, block, ended(0), closed("tool_use", output_tokens=3), STOP)
    assert deltas(relayed)[1:] == [
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"a":[1,2.5]}'}}]}
    ]


@pytest.mark.parametrize(
    "data",
    [
        b"{broken",
        b"[]",
        b'{"type":"content_block_start"}',
        b'{"type":"content_block_delta","index":0,"delta":"x"}',
        b'{"type":"content_block_start","content_block":{"type":"text","text":"\xff"}}',
    ],
)
def test_an_event_that_cannot_be_read_fails_the_stream(data: bytes) -> None:
    stream = opened()
    assert stream.feed(b"data: " + data + b"\n\n") == b""
    assert stream.failure is not None
    assert stream.failure.code == "upstream_invalid_response"

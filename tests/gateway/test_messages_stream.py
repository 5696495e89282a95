"""A stream of OpenAI's chunks, whoever sends it, becomes Anthropic's events in legal order."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.surfaces.messages.stream import MessageStream

USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 20,
    "prompt_tokens_details": {"cached_tokens": 64},
    "credits_charged": 0.9408,
}
DONE = b"data: [DONE]\n\n"
ERROR = {"type": "upstream_overloaded", "message": "Busy", "code": 503, "param": None}
ROLE = {"role": "assistant", "content": ""}


def chunk(delta: dict[str, Any] | None = None, **fields: Any) -> bytes:
    """Write one chunk; without a delta it has no choice."""
    choice = {"index": 0, "delta": delta, "finish_reason": None}
    head = {"id": "chatcmpl-1", "created": 1, "model": "gpt-5.6-sol"}
    data = {**head, "choices": [] if delta is None else [choice], **fields}
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def finish(reason: str) -> bytes:
    """Write the chunk that ends the choice."""
    return chunk(choices=[{"index": 0, "delta": {}, "finish_reason": reason}])


def called(index: int | None, arguments: str = "", **fields: Any) -> dict[str, Any]:
    """Give a delta with a piece of a call; with an id it is the first."""
    function = {"arguments": arguments, **({"name": "time"} if "id" in fields else {})}
    return {"tool_calls": [{"index": index, **fields, "function": function}]}


def stream() -> MessageStream:
    """Begin a stream."""
    return MessageStream(request_id="req-1", model="asked", input_estimate=11)


def events_of(written: bytes) -> list[dict[str, Any]]:
    """Read events; each is named as its data says."""
    assert written == b"" or written.endswith(b"\n\n")
    found = []
    for block in written.decode().split("\n\n")[:-1]:
        name, data = block.split("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {found[-1]['type']}"
    return found


def told(*chunks: bytes, closing: bytes = DONE) -> list[dict[str, Any]]:
    """Give the events that chunks become, and the end."""
    writer = stream()
    return events_of(b"".join(writer.feed(data) for data in chunks) + writer.close(closing))


def blocks_of(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put the content together, after checking that the events come in a legal order."""
    content: list[dict[str, Any]] = []
    is_open = False
    for event in events:
        if event["type"] == "content_block_start":
            assert (is_open, event["index"]) == (False, len(content))
            content.append({**event["content_block"], "json": ""})
            is_open = True
        elif event["type"] == "content_block_delta":
            assert (is_open, event["index"]) == (True, len(content) - 1)
            _add(content[-1], event["delta"])
        elif event["type"] == "content_block_stop":
            assert (is_open, event["index"]) == (True, len(content) - 1)
            is_open = False
    if events[-1]["type"] == "message_stop":
        assert not is_open
        names = [event["type"] for event in events]
        assert names[:2] == ["message_start", "ping"]
        assert names[-2:] == ["message_delta", "message_stop"]
        assert all(name.startswith("content_block_") for name in names[2:-2])
    return content


def _add(block: dict[str, Any], delta: dict[str, Any]) -> None:
    field = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}
    if delta["type"] == "input_json_delta":
        assert block["type"] == "tool_use"
        block["json"] += delta["partial_json"]
    else:
        name = field[delta["type"]]
        block[name] += delta[name]


def test_a_text_event_by_event() -> None:
    closing = chunk(usage=USAGE) + DONE
    told_events = told(
        chunk(ROLE),
        chunk({"content": "Hel"}) + chunk({"content": "lo"}),
        finish("stop"),
        closing=closing,
    )
    start, *rest = told_events
    usage = start["message"].pop("usage")
    assert start["message"].pop("id").startswith("msg_")
    assert start == {
        "type": "message_start",
        "message": {
            "type": "message",
            "role": "assistant",
            "model": "gpt-5.6-sol",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "stop_details": None,
            "container": None,
        },
    }
    assert (usage["input_tokens"], usage["output_tokens"]) == (11, 0)
    block = {"type": "text", "text": "", "citations": None}
    assert rest == [
        {"type": "ping"},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": "Hel"},
        },
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "lo"}},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None, "stop_details": None},
            "usage": {
                "input_tokens": 36,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 64,
                "output_tokens": 20,
                "credits_charged": 0.9408,
            },
        },
        {"type": "message_stop"},
    ]


def test_calls_one_after_the_other() -> None:
    events = told(
        chunk({"content": "Let me look."}),
        chunk(called(0, id="call_1")),
        chunk(called(0, '{"a":')),
        chunk(called(0, " 1}")),
        chunk(called(1, "{}", id="call_2", extra_content={"google": {}})),
        finish("tool_calls"),
    )
    direct = {"caller": {"type": "direct"}, "input": {}, "name": "time", "type": "tool_use"}
    assert blocks_of(events)[1:] == [
        {**direct, "id": "call_1", "json": '{"a": 1}'},
        {**direct, "id": "call_2", "json": "{}", "extra_content": {"google": {}}},
    ]
    assert events[-2]["delta"]["stop_reason"] == "tool_use"


def test_calls_whose_pieces_are_mixed_are_sorted_out_without_loss() -> None:
    writer = stream()
    first = writer.feed(chunk(called(0, '{"a":', id="call_1")))
    assert writer.feed(chunk(called(1, '{"b":', id="call_2"))) == b"", "it waits"
    second = writer.feed(chunk(called(0, " 1}")))
    third = writer.feed(chunk(called(1, " 2}")) + chunk(called(0, " ")) + finish("tool_calls"))
    events = events_of(first + second + third + writer.close(DONE))
    assert [block["json"] for block in blocks_of(events)] == ['{"a": 1}', '{"b": 2}']
    assert b"call_2" in second, "as soon as the first call is whole"


def test_a_call_that_is_cut_off_does_not_keep_the_others_back() -> None:
    events = told(
        chunk(called(0, '{"a":', id="call_1")),
        chunk(called(1, "{}", id="call_2")),
        chunk({"content": "So."}),
        finish("length"),
    )
    blocks = blocks_of(events)
    assert [block["json"] for block in blocks] == ['{"a":', "{}", ""]
    assert blocks[2]["text"] == "So."
    assert events[-2]["delta"]["stop_reason"] == "max_tokens"


def test_what_waits_is_bounded() -> None:
    writer, text = stream(), "x" * 600_000
    writer.feed(chunk(called(0, '{"a":', id="call_1")))
    assert writer.feed(chunk(called(1, text, id="call_2"))) == b""
    assert writer.feed(chunk(called(1, text))).count(text.encode()) == 2


@pytest.mark.parametrize("index", [None, 0])
def test_calls_that_are_not_numbered_are_told_apart_by_their_ids(index: int | None) -> None:
    events = told(
        chunk(called(index, '{"a":1}', id="call_1")), chunk(called(index, "{}", id="call_2"))
    )
    assert [(b["id"], b["json"]) for b in blocks_of(events)] == [
        ("call_1", '{"a":1}'),
        ("call_2", "{}"),
    ]
    assert events[-2]["delta"]["stop_reason"] == "tool_use"


def test_thinking_that_is_signed_behind_its_text() -> None:
    whole = {"type": "thinking", "thinking": "Hmm", "signature": "c2ln"}
    events = told(
        chunk({"reasoning_content": "H"}),
        chunk({"reasoning_content": "mm"}),
        chunk({"thinking_blocks": [whole]}),
        chunk({"thinking_blocks": [{"type": "redacted_thinking", "data": "cmVk"}]}),
        chunk({"reasoning_content": "More"}),
        chunk({"content": "Hello"}),
    )
    assert blocks_of(events) == [
        {**whole, "json": ""},
        {"type": "redacted_thinking", "data": "cmVk", "json": ""},
        {"type": "thinking", "thinking": "More", "signature": "", "json": ""},
        {"type": "text", "text": "Hello", "citations": None, "json": ""},
    ]


def test_thinking_in_blocks_only() -> None:
    signed = {"type": "thinking", "thinking": "", "signature": "c2ln"}
    events = told(
        chunk({"thinking_blocks": [{"type": "thinking", "thinking": "H", "signature": None}]}),
        chunk({"thinking_blocks": [{"type": "thinking", "thinking": "m"}, signed]}),
        chunk({"thinking_blocks": [signed]}),
    )
    assert blocks_of(events) == [
        {"type": "thinking", "thinking": "Hm", "signature": "c2ln", "json": ""},
        {"type": "thinking", "thinking": "", "signature": "c2ln", "json": ""},
    ]


def test_a_refusal_is_text_and_says_so() -> None:
    events = told(chunk({"refusal": "N"}), chunk({"refusal": "o"}), finish("stop"))
    assert blocks_of(events)[0]["text"] == "No"
    assert events[-2]["delta"]["stop_reason"] == "refusal"


def test_an_error_ends_the_stream_and_nothing_follows() -> None:
    closing = chunk(usage=USAGE) + b"data: " + json.dumps({"error": ERROR}).encode() + b"\n\n"
    events = told(chunk({"content": "Hel"}), closing=closing + DONE)
    assert [event["type"] for event in events[-2:]] == ["content_block_delta", "error"]
    assert events[-1] == {
        "type": "error",
        "error": {
            "type": "overloaded_error",
            "message": "Busy",
            "details": {"error_code": "upstream_overloaded"},
        },
        "request_id": "req-1",
    }
    assert [
        event["type"] for event in told(closing=closing[closing.index(b'data: {"error') :])
    ] == ["error"]


def test_an_event_that_is_no_json_is_an_error() -> None:
    writer = stream()
    broken = b'data: {"choices":[{"index":0,"delta":{"content":"\\x"}}]}\n\n'
    [error] = events_of(writer.feed(broken + chunk({"content": "more"})))
    assert error["error"]["details"] == {"error_code": "upstream_invalid_response"}
    assert writer.close(DONE) == b""


def test_nothing_said_is_a_message_without_content() -> None:
    for chunks in ((), (chunk(ROLE), finish("stop"))):
        events = told(*chunks)
        assert blocks_of(events) == []
        assert events[-2]["usage"] == {"output_tokens": 0}


def test_other_choices_and_odd_pieces_are_left_out() -> None:
    other = {"index": 1, "delta": {"content": "Other"}, "finish_reason": "length"}
    odd = {"content": ["x"], "tool_calls": [7, {"index": 0}], "thinking_blocks": [None]}
    events = told(b": keep-alive\n\n", chunk(choices=[other]), chunk(odd), chunk(None, usage="?"))
    assert blocks_of(events) == []


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
deltas = st.one_of(
    st.builds(lambda text: {"content": text}, texts),
    st.builds(lambda text: {"reasoning_content": text}, texts),
    st.builds(lambda text: {"refusal": text}, texts),
    st.builds(
        lambda text, signature: {
            "thinking_blocks": [{"type": "thinking", "thinking": text, "signature": signature}]
        },
        texts,
        texts,
    ),
    st.builds(
        lambda text: {"thinking_blocks": [{"type": "redacted_thinking", "data": text}]}, texts
    ),
    st.builds(
        lambda index, arguments, call_id: called(index, arguments, **call_id),
        st.none() | st.integers(0, 2),
        st.sampled_from(["", '{"a"', ":1}", "{}", " ", "}", "x"]),
        st.sampled_from([{}, {"id": "call_1"}, {"id": "call_2"}, {"id": None}]),
    ),
)
endings = st.sampled_from(
    [
        DONE,
        chunk(usage=USAGE) + DONE,
        chunk(usage={"prompt_tokens": -1}) + DONE,
        b"data: " + json.dumps({"error": ERROR}).encode() + b"\n\n",
        b'data: {"error":{}}\n\n',
        b"",
    ]
)


@settings(max_examples=400, deadline=None)
@given(st.lists(deltas, max_size=12), endings, st.data())
def test_any_stream_is_legal_and_does_not_depend_on_how_it_was_read(
    sent: list[dict[str, Any]], ending: bytes, data: st.DataObject
) -> None:
    chunks = [chunk(delta) for delta in sent]
    events = told(*chunks, closing=ending)
    if events:
        blocks_of(events)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(chunks)))))
    writer, written = stream(), b""
    for start, end in zip([0, *cuts], [*cuts, len(chunks)], strict=True):
        written += writer.feed(b"".join(chunks[start:end]))
    assert events_of(written + writer.close(ending)) == events
    stored = stream()
    assert events_of(stored.feed(b"".join([*chunks, ending])) + stored.close(b"")) == events


pieces = st.lists(st.tuples(st.integers(0, 2), st.text("abc", min_size=1)), max_size=12)


@settings(max_examples=200, deadline=None)
@given(pieces, st.booleans())
def test_no_piece_of_a_call_is_lost_however_they_are_mixed(
    sent: list[tuple[int, str]], whole: bool
) -> None:
    chunks: list[bytes] = []
    arguments: dict[int, str] = {}
    for index, text in sent:
        if index not in arguments:
            arguments[index] = '{"k":"'
            chunks.append(chunk(called(index, arguments[index], id=f"call_{index}")))
        arguments[index] += text
        chunks.append(chunk(called(index, text)))
    for index in arguments if whole else ():
        arguments[index] += '"}'
        chunks.append(chunk(called(index, '"}')))
    blocks = blocks_of(told(*chunks, finish("tool_calls")))
    assert {block["id"]: block["json"] for block in blocks} == {
        f"call_{index}": text for index, text in arguments.items()
    }

"""A response as it streams: the events, exactly, and that none of them is ever out of its place."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.gateway.openai_bodies import reply
from tests.gateway.response_events import (
    DIGITS,
    DONE,
    call_piece,
    chunk,
    error_event,
    events_of,
    opened,
    usage_chunk,
    written,
)

SIGNED = {"type": "thinking", "thinking": "", "signature": "S"}
REDACTED = {"type": "redacted_thinking", "data": "D"}


def short(events: list[dict[str, Any]]) -> list[str]:
    """Give the names of events, each with its item and its piece of text."""
    shown = []
    for event in events:
        words = [event["type"].removeprefix("response.")]
        words += [str(event[name]) for name in ("output_index", "delta") if name in event]
        shown.append(" ".join(words))
    return shown


def statuses(events: list[dict[str, Any]]) -> list[str]:
    """Give the statuses of the items of a response as it ended."""
    return [item.get("status", "none") for item in events[-1]["response"]["output"]]


def test_a_text_is_ten_events_and_no_done() -> None:
    stream = opened()
    body = stream.feed(chunk(role="assistant", content="") + chunk(content="Hel"))
    body += stream.feed(chunk(content="lo"))
    body += stream.feed(chunk(reason="stop"))
    body += stream.close(usage_chunk(prompt_tokens=9, completion_tokens=2) + DONE)
    assert b"[DONE]" not in body
    events = events_of(body)
    assert short(events) == [
        "created",
        "in_progress",
        "output_item.added 0",
        "content_part.added 0",
        "output_text.delta 0 Hel",
        "output_text.delta 0 lo",
        "output_text.done 0",
        "content_part.done 0",
        "output_item.done 0",
        "completed",
    ]
    item_id = f"msg_{DIGITS}0000"
    assert events[2]["item"] == {
        "id": item_id,
        "type": "message",
        "status": "in_progress",
        "role": "assistant",
        "content": [],
    }
    assert events[4] == {
        "type": "response.output_text.delta",
        "sequence_number": 4,
        "item_id": item_id,
        "output_index": 0,
        "content_index": 0,
        "delta": "Hel",
        "logprobs": [],
    }


def test_the_first_and_the_last_event_have_the_response() -> None:
    usage = usage_chunk(prompt_tokens=9, completion_tokens=2, credits_charged=0.5)
    events = written(chunk(content="Hello"), closing=usage + DONE)
    created, final = events[0]["response"], events[-1]["response"]
    assert (created["status"], created["output"], created["usage"]) == ("in_progress", [], None)
    assert (final["id"], final["created_at"], final["model"]) == (
        f"resp_{DIGITS}",
        1_790_000_000,
        "gpt-5.6-sol",
    )
    assert final["usage"] == {
        "input_tokens": 9,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 2,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 11,
        "credits_charged": 0.5,
    }
    assert {name: created[name] for name in created if created[name] != final[name]} == {
        "status": "in_progress",
        "output": [],
        "usage": None,
    }


def test_reasoning_ends_where_words_begin_and_carries_its_signature() -> None:
    events = written(
        chunk(reasoning_content="Hm"),
        chunk(reasoning_content="."),
        chunk(thinking_blocks=[SIGNED, REDACTED]),
        chunk(content="Hi"),
        chunk(reason="stop"),
    )
    assert short(events)[2:9] == [
        "output_item.added 0",
        "content_part.added 0",
        "reasoning_text.delta 0 Hm",
        "reasoning_text.delta 0 .",
        "reasoning_text.done 0",
        "content_part.done 0",
        "output_item.done 0",
    ]
    reasoning = events[8]["item"]
    assert (reasoning["id"], reasoning["content"]) == (
        f"rs_{DIGITS}0000",
        [{"type": "reasoning_text", "text": "Hm."}],
    )
    whole = written(
        chunk(thinking_blocks=[{**SIGNED, "thinking": "Hm."}, REDACTED]), chunk(content="Hi")
    )
    assert whole[-1]["response"]["output"][0] == reasoning
    assert reasoning["encrypted_content"].startswith("blocks.1.")


def test_a_summary_is_written_where_one_was_asked_for() -> None:
    events = written(chunk(reasoning="Hm."), reasoning={"summary": "concise"})
    assert short(events)[2:] == [
        "output_item.added 0",
        "reasoning_summary_part.added 0",
        "reasoning_summary_text.delta 0 Hm.",
        "reasoning_summary_text.done 0",
        "reasoning_summary_part.done 0",
        "output_item.done 0",
        "completed",
    ]


def test_calls_may_come_interleaved_and_end_in_their_order() -> None:
    events = written(
        chunk(content="Let me see."),
        call_piece(0, id="c1", name="weather", type="function"),
        call_piece(0, '{"a"'),
        call_piece(1, kind="custom", id="c2", name="shell"),
        call_piece(0, ":1}"),
        call_piece(1, "ls", kind="custom"),
        chunk(reason="tool_calls"),
    )
    assert short(events)[8:] == [
        "output_item.added 1",
        'function_call_arguments.delta 1 {"a"',
        "output_item.added 2",
        "function_call_arguments.delta 1 :1}",
        "custom_tool_call_input.delta 2 ls",
        "function_call_arguments.done 1",
        "output_item.done 1",
        "custom_tool_call_input.done 2",
        "output_item.done 2",
        "completed",
    ]
    assert events[13]["name"] == "weather"
    assert events[-1]["response"]["output"][1:] == [
        {
            "id": f"fc_{DIGITS}0001",
            "type": "function_call",
            "arguments": '{"a":1}',
            "status": "completed",
            "call_id": "c1",
            "name": "weather",
        },
        {
            "id": f"ctc_{DIGITS}0002",
            "type": "custom_tool_call",
            "input": "ls",
            "call_id": "c2",
            "name": "shell",
        },
    ]


def test_calls_without_an_index_or_without_an_id_are_told_apart() -> None:
    events = written(
        call_piece(None, "{}", id="c1", name="f"),
        call_piece(None, "{}", id="c2", name="g"),
        call_piece(0, "{", name="h"),
        call_piece(0, "}", name="h"),
    )
    found = [
        (item["call_id"], item["name"], item["arguments"])
        for item in events[-1]["response"]["output"]
    ]
    assert found == [("c1", "f", "{}"), ("c2", "g", "{}"), (f"call_{DIGITS}0002", "h", "{}")]


def test_a_thought_signature_travels_with_its_call() -> None:
    extra = {"google": {"thought_signature": "G"}}
    events = written(call_piece(0, "{}", id="c1", name="f", extra_content=extra))
    assert events[-1]["response"]["output"][0]["extra_content"] == extra


def test_a_refusal_is_a_part_of_its_own() -> None:
    events = written(chunk(content="Well."), chunk(refusal="No"), chunk(refusal="."))
    assert short(events)[6:12] == [
        "content_part.done 0",
        "content_part.added 0",
        "refusal.delta 0 No",
        "refusal.delta 0 .",
        "refusal.done 0",
        "content_part.done 0",
    ]
    assert events[8]["content_index"] == 1


def test_log_probabilities_come_with_their_piece_and_with_the_whole() -> None:
    row = {"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": []}
    events = written(chunk(content="Hi", logprobs={"content": [row]}))
    assert [event["logprobs"] for event in events if "logprobs" in event] == [[row], [row]]


@pytest.mark.parametrize(
    ("reason", "detail"), [("length", "max_output_tokens"), ("content_filter", "content_filter")]
)
def test_a_stream_that_was_cut_off_is_incomplete(reason: str, detail: str) -> None:
    events = written(
        chunk(content="Hi"), call_piece(0, '{"a', id="c", name="f"), chunk(reason=reason)
    )
    assert events[-1]["type"] == "response.incomplete"
    assert events[-1]["response"]["incomplete_details"] == {"reason": detail}
    assert statuses(events) == ["completed", "incomplete"]


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("upstream_overloaded", "rate_limit_exceeded"),
        ("invalid_request_error", "invalid_prompt"),
        ("upstream_error", "server_error"),
        ("outcome_unknown", "server_error"),
    ],
)
def test_an_error_ends_the_stream_with_two_events(code: str, shown: str) -> None:
    error = {"type": code, "message": "It broke.", "code": 502, "param": None}
    events = written(
        chunk(content="Hi"),
        call_piece(0, '{"a', id="c", name="f"),
        closing=usage_chunk(prompt_tokens=9, completion_tokens=2) + error_event(**error),
    )
    assert events[-2] == {
        "type": "error",
        "sequence_number": len(events) - 2,
        "code": code,
        "message": "It broke.",
        "param": None,
        "error": error,
    }
    failed = events[-1]["response"]
    assert (events[-1]["type"], failed["status"]) == ("response.failed", "failed")
    assert failed["error"] == {"code": shown, "message": "It broke."}
    assert failed["usage"]["total_tokens"] == 11
    assert statuses(events) == ["completed", "incomplete"]


@pytest.mark.parametrize("closing", [b"", error_event(type=7), b"data: {]\n\n"])
def test_a_stream_that_never_began_is_whole_too(closing: bytes) -> None:
    events = written(closing=closing)
    assert short(events) == ["created", "in_progress", "error", "failed"]
    assert (events[0]["response"]["id"], events[0]["response"]["model"]) == (
        f"resp_{DIGITS}",
        "asked",
    )


def test_an_answer_of_nothing_is_complete() -> None:
    events = written(chunk(role="assistant", content=""), chunk(reason="stop"))
    assert short(events) == ["created", "in_progress", "completed"]
    assert short(written()) == ["created", "in_progress", "completed"]


def test_nothing_follows_the_end() -> None:
    stream = opened()
    body = stream.feed(chunk(content="Hi") + DONE + chunk(content="more"))
    assert body.endswith(stream.close(b"") or body)
    assert short(events_of(body))[-1] == "completed"


def test_other_choices_and_comments_are_passed_over() -> None:
    other = chunk(content="other").replace(b'"index": 0', b'"index": 1')
    events = written(b": hello\n\n", other, chunk(content="Hi"))
    assert events[-1]["response"]["output"][0]["content"][0]["text"] == "Hi"


@pytest.mark.parametrize(
    "name",
    ["stream_text", "stream_tools", "stream_refusal", "stream_japanese", "stream_logprobs"]
    + ["stream_content_filter", "stream_reasoning_usage", "stream_two_choices"],
)
def test_a_recorded_stream_reads_the_same_however_it_was_cut(name: str) -> None:
    transcript = reply(f"{name}.sse")
    whole, piece_by_piece = opened(), opened()
    replayed = whole.feed(transcript) + whole.close(b"")
    live = b"".join(piece_by_piece.feed(block + b"\n\n") for block in transcript.split(b"\n\n"))
    assert live + piece_by_piece.close(b"") == replayed
    final = events_of(replayed)[-1]["response"]
    assert final["status"] == ("incomplete" if "filter" in name else "completed")
    assert b"chatcmpl-" not in replayed


texts = st.text(max_size=4)
names = st.sampled_from(["", "f", "g"])
call_ids = st.sampled_from(["", "c1", "c2"])
pieces = st.one_of(
    st.builds(lambda text: chunk(content=text), texts),
    st.builds(lambda text: chunk(refusal=text), texts),
    st.builds(lambda text: chunk(reasoning_content=text), texts),
    st.builds(lambda text: chunk(reasoning=text, content=text), texts),
    st.builds(lambda text: chunk(thinking_blocks=[{**SIGNED, "thinking": text}]), texts),
    st.sampled_from([chunk(thinking_blocks=[REDACTED]), chunk(thinking_blocks=[7, {}])]),
    st.builds(
        lambda index, text, kind, call_id, name: call_piece(
            index, text, kind=kind, id=call_id, name=name
        ),
        st.none() | st.integers(0, 2),
        texts,
        st.sampled_from(["function", "custom"]),
        call_ids,
        names,
    ),
    st.sampled_from(
        [
            chunk(),
            chunk(role="assistant", content=""),
            chunk(reason="length"),
            chunk(reason="stop"),
            chunk(tool_calls=[None, {"index": 0}, {"function": 7}]),
            usage_chunk(prompt_tokens=-1),
            b'data: {"choices":null}\n\n',
            b"data: 7\n\n",
        ]
    ),
)
endings = st.sampled_from([DONE, b"", error_event(type="upstream_error", message="It broke.")])


@given(st.lists(pieces, max_size=12), endings, st.booleans())
def test_whatever_the_chunks_the_events_are_legal(
    chunks: list[bytes], closing: bytes, as_summary: bool
) -> None:
    fields = {"reasoning": {"summary": "auto"}} if as_summary else {}
    events = written(*chunks, closing=closing, **fields)
    whole = opened(**fields)
    assert events_of(whole.feed(b"".join(chunks)) + whole.close(closing)) == events
    said = "".join(
        json.loads(block.removeprefix(b"data: "))["choices"][0]["delta"].get("content") or ""
        for block in b"".join(chunks).split(b"\n\n")
        if b'"content"' in block
    )
    if events[-1]["type"] != "response.failed":
        assert (
            "".join(
                part["text"]
                for item in events[-1]["response"]["output"]
                if item["type"] == "message"
                for part in item["content"]
                if part["type"] == "output_text"
            )
            == said
        )

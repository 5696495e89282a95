"""What OpenAI's Responses API allows in a stream, as a check; and chunks of a chat to make one."""

import json
from typing import Any, get_args

from openai.types.responses import Response, ResponseStreamEvent

from gateway.surfaces.responses.answer import Head
from gateway.surfaces.responses.request import read_response
from gateway.surfaces.responses.stream import ResponseStream

DIGITS = "0190a5b47c1e7a3e8f50123456789abc"
OWN = Head(digits=DIGITS, created_s=1_790_000_001, model="asked")
CHUNK: dict[str, Any] = {
    "id": "chatcmpl-0190a5b4-7c1e-7a3e-8f50-123456789abc",
    "object": "chat.completion.chunk",
    "created": 1_790_000_000,
    "model": "gpt-5.6-sol",
}
DONE = b"data: [DONE]\n\n"
ENDINGS = ("response.completed", "response.incomplete", "response.failed")
_TYPES = {
    get_args(event.model_fields["type"].annotation)[0]: event
    for event in get_args(get_args(ResponseStreamEvent)[0])
}


def chunk(*, reason: str | None = None, logprobs: Any = None, **delta: Any) -> bytes:
    """Write one event with this delta."""
    choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": reason}
    return b"data: " + json.dumps({**CHUNK, "choices": [choice]}).encode() + b"\n\n"


def call_piece(index: int | None, text: str = "", *, kind: str = "function", **head: Any) -> bytes:
    """Write one event with a piece of a call; `name` and `id` come with its first."""
    body = {"input" if kind == "custom" else "arguments": text}
    if "name" in head:
        body["name"] = head.pop("name")
    call = {**head, kind: body} if index is None else {"index": index, **head, kind: body}
    return chunk(tool_calls=[call])


def usage_chunk(**usage: Any) -> bytes:
    """Write the usage chunk, as it stands before `[DONE]`."""
    return b"data: " + json.dumps({**CHUNK, "choices": [], "usage": usage}).encode() + b"\n\n"


def error_event(**error: Any) -> bytes:
    """Write the terminal error of a stream."""
    return b"data: " + json.dumps({"error": error}).encode() + b"\n\n"


def opened(**fields: Any) -> ResponseStream:
    """Begin to write the answer to a request with these fields."""
    body = {"model": "asked", "input": "Hi", "stream": True, **fields}
    return ResponseStream(read_response(json.dumps(body).encode()), OWN)


def written(*chunks: bytes, closing: bytes = DONE, **fields: Any) -> list[dict[str, Any]]:
    """Write a stream, one chunk at a time, and give its events, which are legal."""
    stream = opened(**fields)
    return events_of(b"".join(map(stream.feed, chunks)) + stream.close(closing))


def events_of(body: bytes) -> list[dict[str, Any]]:
    """Read a stream; fail where it is not one that OpenAI's API could send."""
    events = []
    for block in body.decode().split("\n\n")[:-1]:
        if block.startswith(":"):
            continue
        name, data = block.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        _TYPES[event["type"]].model_validate(event)
        events.append(event)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    names = [event["type"] for event in events]
    assert names[:2] == ["response.created", "response.in_progress"]
    assert [name for name in names if name in ENDINGS] == names[-1:]
    assert len({event["response"]["id"] for event in (*events[:2], events[-1])}) == 1
    items = _check_items([event for event in events if "output_index" in event])
    final = events[-1]["response"]
    Response.model_validate(final)
    assert final["output"] == items
    if names[-1] == "response.failed":
        assert names[-2] == "error"
    return events


def _check_items(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Check the events of all items. Returns: the items as they ended."""
    by_index: dict[int, list[dict[str, Any]]] = {}
    for event in events:
        if event["type"] == "response.output_item.added":
            assert event["output_index"] == len(by_index), "items are counted as they begin"
        by_index.setdefault(event["output_index"], []).append(event)
    return [_check_item(own) for own in by_index.values()]


def _check_item(events: list[dict[str, Any]]) -> dict[str, Any]:
    """Check the events of one item. Returns: the item as it ended."""
    first, *inner, last = events
    assert first["type"] == "response.output_item.added"
    assert last["type"] == "response.output_item.done"
    item: dict[str, Any] = last["item"]
    assert (first["item"]["id"], first["item"]["type"]) == (item["id"], item["type"])
    assert first["item"].get("status", "in_progress") == "in_progress"
    assert {event["item_id"] for event in inner} <= {item["id"]}
    if item["type"] in ("function_call", "custom_tool_call"):
        field = "arguments" if item["type"] == "function_call" else "input"
        assert first["item"][field] == ""
        assert _check_text(inner) == item[field]
        return item
    parts = item["content"] or item.get("summary", [])
    assert first["item"]["content"] == []
    assert [_check_part(own) for own in _parts_of(inner)] == parts
    return item


def _parts_of(events: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Split the events of an item by the part they are of, each with its beginning and its end."""
    parts: list[list[dict[str, Any]]] = []
    for event in events:
        if event["type"].endswith("part.added"):
            parts.append([])
        place = event.get("content_index", event.get("summary_index"))
        assert place == len(parts) - 1
        parts[-1].append(event)
    return parts


def _check_part(events: list[dict[str, Any]]) -> dict[str, Any]:
    added, *inner, done = events
    part: dict[str, Any] = done["part"]
    assert done["type"] == added["type"].replace(".added", ".done")
    assert added["part"]["type"] == part["type"]
    field = "refusal" if part["type"] == "refusal" else "text"
    assert added["part"][field] == ""
    assert _check_text(inner) == part[field]
    return part


def _check_text(events: list[dict[str, Any]]) -> str:
    """Check pieces of text and their end. Returns: the whole."""
    *deltas, done = events
    kind = done["type"].removesuffix(".done")
    assert done["type"].endswith(".done")
    assert {event["type"] for event in deltas} <= {f"{kind}.delta"}
    whole = next(done[name] for name in ("text", "refusal", "arguments", "input") if name in done)
    assert "".join(event["delta"] for event in deltas) == whole
    assert all(event["delta"] for event in deltas)
    return str(whole)

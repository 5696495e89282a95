"""A stream in Anthropic's form, written from OpenAI's chunks, one event at a time.

What is written does not depend on how the chunks were cut into reads, so a stored stream reads as
it did. Source: Anthropic, Streaming Messages; `anthropic` Python SDK 2.12.0 (`_streaming.py`,
`types/raw_*_event.py`).
"""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from gateway.surfaces.envelopes import anthropic_error
from gateway.surfaces.messages.answer import (
    call_id_of,
    counted_usage,
    message_form,
    message_id_of,
    stop_reason_of,
    thinking_form,
    tool_use_form,
    usage_of,
)
from gateway.surfaces.messages.pieces import BlockWriter, Piece, event

_PING = event("ping", {"type": "ping"})
_UNREADABLE = "The provider sent an event that cannot be read."


class _Delta(Struct):
    content: Any = None
    refusal: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    thinking_blocks: Any = None
    tool_calls: Any = None


class _Choice(Struct):
    index: Any = 0
    delta: _Delta | None = None
    finish_reason: Any = None


class _Chunk(Struct):
    id: Any = ""
    created: Any = 0
    model: Any = ""
    choices: list[_Choice] | None = None
    usage: Any = None
    error: Any = None


_CHUNK = msgspec.json.Decoder(_Chunk)


class MessageStream:
    """Writes one stream (see `gateway.surfaces.chat.StreamWriter`).

    `input_estimate` are the input tokens that `message_start` tells; the settled figures come in
    `message_delta`. After an error or the end nothing more is written.
    """

    def __init__(self, *, request_id: str, model: str, input_estimate: int) -> None:
        self._request_id = request_id
        self._model = model
        self._input_estimate = input_estimate
        self._blocks = BlockWriter()
        self._message_id = ""
        self._thought = False
        self._calls: dict[int, tuple[int, str]] = {}
        self._call_count = 0
        self._reason: object = None
        self._refused = False
        self._usage: dict[str, Any] | None = None
        self._over = False

    def feed(self, data: bytes) -> bytes:
        """Take whole events of OpenAI's; give what they become."""
        written = []
        for block in data.split(b"\n\n"):
            if block.startswith(b"data: ") and not self._over:
                written.append(self._take(block[6:]))
        return b"".join(written)

    def close(self, data: bytes) -> bytes:
        """Take the settled end; give the last events."""
        return self.feed(data)

    def _take(self, payload: bytes) -> bytes:
        if payload == b"[DONE]":
            return self._end()
        try:
            chunk = _CHUNK.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._fail("upstream_invalid_response", 502, _UNREADABLE)
        if isinstance(chunk.error, dict):
            error = chunk.error
            return self._fail(error.get("type"), error.get("code"), error.get("message"))
        if chunk.usage is not None and not chunk.choices:
            self._usage = usage_of(chunk.usage)
            self._note_charge(chunk.usage)
        started = b"" if self._message_id else self._start(chunk)
        choices = [choice for choice in chunk.choices or () if choice.index == 0]
        return started + b"".join(self._take_choice(choice) for choice in choices)

    def _note_charge(self, usage: object) -> None:
        if self._usage is not None and isinstance(usage, dict) and "credits_charged" in usage:
            self._usage["credits_charged"] = usage["credits_charged"]

    def _take_choice(self, choice: _Choice) -> bytes:
        if choice.finish_reason:
            self._reason = choice.finish_reason
        if choice.delta is None:
            return b""
        return b"".join(self._blocks.put(piece) for piece in self._pieces(choice.delta))

    def _pieces(self, delta: _Delta) -> Iterator[Piece]:
        reasoning = delta.reasoning_content or delta.reasoning
        if isinstance(reasoning, str) and reasoning:
            self._thought = True
            yield Piece(kind="thinking", text=reasoning)
        if isinstance(delta.thinking_blocks, list):
            yield from self._thinking_pieces(delta.thinking_blocks)
        if isinstance(delta.content, str) and delta.content:
            yield Piece(kind="text", text=delta.content)
        if isinstance(delta.refusal, str) and delta.refusal:
            self._refused = True
            yield Piece(kind="text", text=delta.refusal)
        if isinstance(delta.tool_calls, list):
            yield from self._call_pieces(delta.tool_calls)

    def _thinking_pieces(self, blocks: list[Any]) -> Iterator[Piece]:
        """Give whole blocks of thinking; text that came as reasoning before is only signed."""
        for form in map(thinking_form, blocks):
            if form is None:
                continue
            if form["type"] == "redacted_thinking":
                yield Piece(kind="redacted", start=form)
                continue
            if form["thinking"] and not self._thought:
                yield Piece(kind="thinking", text=form["thinking"])
            if form["signature"]:
                self._thought = False
                yield Piece(kind="signature", text=form["signature"])

    def _call_pieces(self, calls: list[Any]) -> Iterator[Piece]:
        for call in calls:
            if not isinstance(call, dict) or not isinstance(call.get("function"), dict):
                continue
            number, is_new = self._number_of(call)
            arguments = call["function"].get("arguments")
            yield Piece(
                kind="call",
                call=number,
                start=tool_use_form(call, call_id_of(self._message_id, number)) if is_new else None,
                text=arguments if isinstance(arguments, str) else "",
            )

    def _number_of(self, call: dict[str, Any]) -> tuple[int, bool]:
        """Tell which call of the message a piece belongs to, and whether it is the call's first.

        Some providers give no index, or one index to several calls; then the ids tell.
        """
        index, call_id = call.get("index"), call.get("id")
        if not isinstance(index, int):
            index = -1
        known = self._calls.get(index)
        if known is not None and (not call_id or call_id == known[1]):
            return known[0], False
        number = self._call_count
        self._call_count += 1
        self._calls[index] = number, call_id if isinstance(call_id, str) else ""
        return number, True

    def _start(self, chunk: _Chunk) -> bytes:
        self._message_id = message_id_of(chunk.id, chunk.created)
        message = message_form(
            self._message_id,
            model=chunk.model or self._model,
            content=[],
            stop_reason=None,
            usage=counted_usage(self._input_estimate, None),
        )
        return event("message_start", {"type": "message_start", "message": message}) + _PING

    def _end(self) -> bytes:
        self._over = True
        started = b"" if self._message_id else self._start(_Chunk())
        reason = stop_reason_of(self._reason, refused=self._refused, called=self._call_count > 0)
        delta = {
            "type": "message_delta",
            "delta": {"stop_reason": reason, "stop_sequence": None, "stop_details": None},
            "usage": self._usage or {"output_tokens": 0},
        }
        ending = event("message_delta", delta) + event("message_stop", {"type": "message_stop"})
        return started + self._blocks.finish() + ending

    def _fail(self, code: object, status: object, message: object) -> bytes:
        """Write a terminal error, whatever its parts are."""
        self._over = True
        error = anthropic_error(
            code=code if isinstance(code, str) else "upstream_error",
            status=status if isinstance(status, int) else 502,
            message=message if isinstance(message, str) else "The provider broke off its answer.",
            request_id=self._request_id,
        )
        return event("error", error)

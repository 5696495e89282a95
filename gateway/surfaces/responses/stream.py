"""A stream of a response, written from OpenAI's chunks, one event at a time.

Reasoning and words end when something else begins; calls are open until the end, as providers may
send their pieces in any order. What is written does not depend on how the chunks were cut into
reads, so a stored stream reads as it did.
"""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from gateway.surfaces.responses.answer import (
    NO_RAW,
    Call,
    Head,
    calls_in,
    decode_lenient,
    head_of,
    logprobs_of,
    response_form,
    status_of,
    text_of,
    tier_of,
    usage_form,
)
from gateway.surfaces.responses.output import (
    CallItem,
    EventWriter,
    MessageItem,
    OutputItem,
    ReasoningItem,
)
from gateway.surfaces.responses.reasoning import signed_block
from gateway.surfaces.responses.request import Asked

_ERROR_CODES = {
    "rate_limit_exceeded": "rate_limit_exceeded",
    "upstream_overloaded": "rate_limit_exceeded",
    "invalid_request_error": "invalid_prompt",
}
"""A failed response has one of OpenAI's codes; all others are `server_error`."""
_UNREADABLE = {
    "type": "upstream_invalid_response",
    "message": "The provider sent an event that cannot be read.",
    "code": 502,
    "param": None,
}
_CUT = {
    "type": "upstream_error",
    "message": "The provider broke off its answer.",
    "code": 502,
    "param": None,
}


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
    logprobs: Any = None
    finish_reason: Any = None


class _Chunk(Struct):
    id: Any = ""
    created: Any = 0
    model: Any = ""
    service_tier: Any = None
    choices: list[_Choice] | None = None
    usage: Raw = NO_RAW
    error: Any = None


_CHUNK = msgspec.json.Decoder(_Chunk)


class ResponseStream:
    """A response being written (see `gateway.surfaces.chat.StreamWriter`).

    `own` names the response if no chunk does.
    """

    def __init__(self, asked: Asked, own: Head) -> None:
        self._asked = asked
        self._own = own
        self._head: Head | None = None
        self._events = EventWriter()
        self._items: list[OutputItem] = []
        self._open: MessageItem | ReasoningItem | None = None
        self._calls: list[CallItem] = []
        self._numbers: dict[int, tuple[str, CallItem]] = {}
        self._reason: object = None
        self._tier: str | None = None
        self._usage: dict[str, Any] | None = None
        self._over = False

    def feed(self, data: bytes) -> bytes:
        """Take whole events; give what they become."""
        return b"".join(self._take(block) for block in data.split(b"\n\n") if block)

    def close(self, data: bytes) -> bytes:
        """Take the end; give the last events. An end that nobody announced is a break."""
        return self.feed(data) + (b"" if self._over else self._fail(_CUT))

    def _take(self, block: bytes) -> bytes:
        if self._over or not block.startswith(b"data:"):
            return b""
        payload = block[5:].strip()
        if payload == b"[DONE]":
            return self._end()
        try:
            chunk = decode_lenient(_CHUNK, payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._fail(_UNREADABLE)
        if isinstance(chunk.error, dict):
            return self._fail(chunk.error)
        self._usage = usage_form(chunk.usage, charged=not chunk.choices) or self._usage
        self._tier = tier_of(chunk.service_tier) or self._tier
        begun = b"" if self._head is not None else self._begin(chunk)
        choices = [choice for choice in chunk.choices or () if choice.index == 0]
        return begun + b"".join(self._take_choice(choice) for choice in choices)

    def _begin(self, chunk: _Chunk) -> bytes:
        self._head = head_of(chunk.id, chunk.created, chunk.model, self._own)
        response = self._response("in_progress")
        return self._events.write("response.created", response=response) + self._events.write(
            "response.in_progress", response=response
        )

    def _take_choice(self, choice: _Choice) -> bytes:
        if choice.finish_reason:
            self._reason = choice.finish_reason
        delta = choice.delta
        if delta is None:
            return b""
        written = self._take_reasoning(delta)
        if text := text_of(delta.content):
            opening, message = self._message()
            written += opening + message.say(text, logprobs_of(choice.logprobs))
        if text := text_of(delta.refusal):
            opening, message = self._message()
            written += opening + message.refuse(text)
        for piece, text, given in calls_in(delta.tool_calls):
            opening, call = self._call(piece, given)
            written += opening + call.add(piece, text)
        return written

    def _take_reasoning(self, delta: _Delta) -> bytes:
        written = b""
        if text := text_of(delta.reasoning_content) or text_of(delta.reasoning):
            opening, reasoning = self._reasoning()
            written = opening + reasoning.reason(text)
        for block in delta.thinking_blocks if isinstance(delta.thinking_blocks, list) else ():
            unsigned = self._open.unsigned if isinstance(self._open, ReasoningItem) else ""
            signed = signed_block(block, unsigned)
            if signed is not None:
                opening, reasoning = self._reasoning()
                written += opening + reasoning.sign(signed)
        return written

    def _message(self) -> tuple[bytes, MessageItem]:
        if isinstance(self._open, MessageItem):
            return b"", self._open
        ending = self._end_open()
        index = len(self._items)
        self._open = item = MessageItem(self._events, index, self._item_id("msg", index))
        return ending + self._add(item), item

    def _reasoning(self) -> tuple[bytes, ReasoningItem]:
        if isinstance(self._open, ReasoningItem):
            return b"", self._open
        ending = self._end_open()
        index = len(self._items)
        item_id = self._item_id("rs", index)
        self._open = item = ReasoningItem(
            self._events, index, item_id, as_summary=self._asked.summarizes
        )
        return ending + self._add(item), item

    def _call(self, piece: Call, given: dict[str, Any]) -> tuple[bytes, CallItem]:
        """Find the call that a piece belongs to, or begin one.

        Some providers give no index, or one index to several calls; then the ids tell.
        """
        number = given.get("index")
        number = number if isinstance(number, int) else -1
        known = self._numbers.get(number)
        if known is not None and piece.call_id in ("", known[0]):
            return b"", known[1]
        ending = self._end_open()
        index = len(self._items)
        item_id = self._item_id(piece.prefix, index)
        call = Call(
            is_custom=piece.is_custom,
            call_id=piece.call_id or self._item_id("call", index),
            name=piece.name,
            extra_content=piece.extra_content,
        )
        item = CallItem(self._events, index, item_id, call)
        self._numbers[number] = piece.call_id, item
        self._calls.append(item)
        return ending + self._add(item), item

    def _item_id(self, prefix: str, index: int) -> str:
        return (self._head or self._own).item_id(prefix, index)

    def _add(self, item: OutputItem) -> bytes:
        self._items.append(item)
        return item.begin()

    def _end_open(self) -> bytes:
        if self._open is None:
            return b""
        ending = self._open.finish("completed")
        self._open = None
        return ending

    def _end_items(self, *, whole: bool, last: str) -> bytes:
        """End what is open in the order of the output; where not `whole`, all of it is `last`."""
        pending = [item for item in self._items if item is self._open or item in self._calls]
        self._open = None
        self._calls = []
        return b"".join(
            item.finish(last if not whole or item is self._items[-1] else "completed")
            for item in pending
        )

    def _end(self) -> bytes:
        self._over = True
        begun = b"" if self._head is not None else self._begin(_Chunk())
        status, details = status_of(self._reason)
        ending = self._end_items(whole=True, last=status)
        response = self._response(status, incomplete_details=details)
        return begun + ending + self._events.write(f"response.{status}", response=response)

    def _fail(self, error: dict[str, Any]) -> bytes:
        """End with an error, whatever its parts are.

        OpenAI documents the flat form and sends the nested one; its SDKs raise only by the latter.
        """
        self._over = True
        begun = b"" if self._head is not None else self._begin(_Chunk())
        ending = self._end_items(whole=False, last="incomplete")
        code = text_of(error.get("type")) or "upstream_error"
        message = text_of(error.get("message")) or _CUT["message"]
        param = text_of(error.get("param")) or None
        told = {"type": code, "code": error.get("code"), "message": message, "param": param}
        response = self._response(
            "failed", error={"code": _ERROR_CODES.get(code, "server_error"), "message": message}
        )
        return (
            begun
            + ending
            + self._events.write("error", code=code, message=message, param=param, error=told)
            + self._events.write("response.failed", response=response)
        )

    def _response(self, status: str, **parts: Any) -> dict[str, Any]:  # noqa: ANN401  parts of JSON
        return response_form(
            self._head or self._own,
            self._asked,
            status=status,
            output=[item.form() for item in self._items],
            usage=None if status == "in_progress" else self._usage,
            service_tier=self._tier,
            **parts,
        )

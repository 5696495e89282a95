"""The items of a stream, each from its first event to its last.

An item gives its events as it grows and is told when it is over; nothing follows its last event.
Source: `openai` Python SDK 3.52.0 (`types/responses/response_*_event.py`); github
openai/openai-openapi v2.3.0 (2026-08-21), ResponseStreamEvent.
"""

from abc import ABC, abstractmethod
from typing import Any

import msgspec

from gateway.surfaces.responses.answer import (
    Call,
    message_form,
    reasoning_form,
    refusal_part,
    text_part,
)
from gateway.surfaces.responses.reasoning import Block, said_in

_ENCODE = msgspec.json.Encoder().encode


class EventWriter:
    """Writes numbered events."""

    def __init__(self) -> None:
        self._number = 0

    def write(self, name: str, /, **fields: object) -> bytes:
        """Write one event."""
        data = {"type": name, "sequence_number": self._number, **fields}
        self._number += 1
        return b"event: " + name.encode() + b"\ndata: " + _ENCODE(data) + b"\n\n"


class OutputItem(ABC):
    """One item of the output; `form` is how it looks now."""

    def __init__(self, events: EventWriter, index: int, item_id: str) -> None:
        self._events = events
        self._index = index
        self._id = item_id
        self._status = "in_progress"

    def begin(self) -> bytes:
        """Give the first event."""
        return self._events.write(
            "response.output_item.added", output_index=self._index, item=self.form()
        )

    def finish(self, status: str) -> bytes:
        """Give the last events; the item is over, completed or incomplete."""
        ending = self._last_part()
        self._status = status
        return ending + self._events.write(
            "response.output_item.done", output_index=self._index, item=self.form()
        )

    @abstractmethod
    def form(self) -> dict[str, Any]:
        """Give the item as answers have it."""

    @abstractmethod
    def _last_part(self) -> bytes:
        """End what is open within the item."""

    def _write(self, name: str, /, **fields: object) -> bytes:
        return self._events.write(
            f"response.{name}", item_id=self._id, output_index=self._index, **fields
        )


class MessageItem(OutputItem):
    """What is said: parts of text and of refusal, one after the other."""

    def __init__(self, events: EventWriter, index: int, item_id: str) -> None:
        super().__init__(events, index, item_id)
        self._parts: list[dict[str, Any]] = []
        self._kind = ""
        self._texts: list[str] = []
        self._logprobs: list[dict[str, Any]] = []

    def form(self) -> dict[str, Any]:
        return message_form(self._id, self._parts, self._status)

    def say(self, text: str, logprobs: list[dict[str, Any]]) -> bytes:
        """Add a piece of text."""
        opening = self._open("output_text")
        self._texts.append(text)
        self._logprobs += logprobs
        return opening + self._write(
            "output_text.delta", content_index=len(self._parts), delta=text, logprobs=logprobs
        )

    def refuse(self, text: str) -> bytes:
        """Add a piece of a refusal."""
        opening = self._open("refusal")
        self._texts.append(text)
        return opening + self._write("refusal.delta", content_index=len(self._parts), delta=text)

    def _open(self, kind: str) -> bytes:
        if kind == self._kind:
            return b""
        ending = self._last_part()
        self._kind = kind
        return ending + self._write(
            "content_part.added", content_index=len(self._parts), part=self._part()
        )

    def _last_part(self) -> bytes:
        if not self._kind:
            return b""
        part, content_index = self._part(), len(self._parts)
        said = self._write(f"{self._kind}.done", content_index=content_index, **_said(part))
        ended = self._write("content_part.done", content_index=content_index, part=part)
        self._parts.append(part)
        self._kind, self._texts, self._logprobs = "", [], []
        return said + ended

    def _part(self) -> dict[str, Any]:
        text = "".join(self._texts)
        return refusal_part(text) if self._kind == "refusal" else text_part(text, self._logprobs)


class ReasoningItem(OutputItem):
    """Visible reasoning, as its text or as a summary, and the blocks of it that were signed."""

    def __init__(self, events: EventWriter, index: int, item_id: str, *, as_summary: bool) -> None:
        super().__init__(events, index, item_id)
        self._as_summary = as_summary
        self._texts: list[str] = []
        self._unsigned: list[str] = []
        self._blocks: list[Block] = []

    def form(self) -> dict[str, Any]:
        whole = ["".join(self._texts)] if self._texts else []
        if self._status == "in_progress":
            whole = []
        return reasoning_form(
            self._id, whole, self._status, blocks=self._blocks, as_summary=self._as_summary
        )

    def reason(self, text: str) -> bytes:
        """Add a piece of reasoning."""
        opening = b""
        if not self._texts:
            name = "reasoning_summary_part.added" if self._as_summary else "content_part.added"
            opening = self._write(name, **self._place, part=self._part(""))
        self._texts.append(text)
        self._unsigned.append(text)
        return opening + self._write(f"{self._name}.delta", **self._place, delta=text)

    @property
    def unsigned(self) -> str:
        """What has been given since the last signature."""
        return "".join(self._unsigned)

    def sign(self, signed: Block) -> bytes:
        """Take a signed block; what it says is given now unless it was given before."""
        text = "" if self._unsigned else said_in([signed])
        given = self.reason(text) if text else b""
        self._unsigned.clear()
        self._blocks.append(signed)
        return given

    def _last_part(self) -> bytes:
        if not self._texts:
            return b""
        text = "".join(self._texts)
        name = "reasoning_summary_part.done" if self._as_summary else "content_part.done"
        said = self._write(f"{self._name}.done", **self._place, text=text)
        return said + self._write(name, **self._place, part=self._part(text))

    @property
    def _name(self) -> str:
        return "reasoning_summary_text" if self._as_summary else "reasoning_text"

    @property
    def _place(self) -> dict[str, int]:
        return {"summary_index" if self._as_summary else "content_index": 0}

    def _part(self, text: str) -> dict[str, Any]:
        return {"type": "summary_text" if self._as_summary else "reasoning_text", "text": text}


class CallItem(OutputItem):
    """A call of a tool, whose name and text may come in pieces."""

    def __init__(self, events: EventWriter, index: int, item_id: str, call: Call) -> None:
        super().__init__(events, index, item_id)
        self._call = call
        self._texts: list[str] = []

    def form(self) -> dict[str, Any]:
        text = "" if self._status == "in_progress" else "".join(self._texts)
        return self._call.form(self._id, text, self._status)

    def add(self, piece: Call, text: str) -> bytes:
        """Add a piece of the call."""
        self._call.name = self._call.name or piece.name
        if piece.extra_content is not None:
            self._call.extra_content = piece.extra_content
        if not text:
            return b""
        self._texts.append(text)
        return self._write(f"{self._name}.delta", delta=text)

    def _last_part(self) -> bytes:
        text = "".join(self._texts)
        if self._call.is_custom:
            return self._write(f"{self._name}.done", input=text)
        return self._write(f"{self._name}.done", name=self._call.name, arguments=text)

    @property
    def _name(self) -> str:
        return "custom_tool_call_input" if self._call.is_custom else "function_call_arguments"


def _said(part: dict[str, Any]) -> dict[str, Any]:
    if part["type"] == "refusal":
        return {"refusal": part["refusal"]}
    return {"text": part["text"], "logprobs": part["logprobs"]}

"""The content blocks of a stream, written one after the other, whatever order their pieces come in.

A block ends before the next begins. A call of a tool is open until its input is a whole JSON
object, so pieces of other blocks that come meanwhile wait, up to a million characters; nothing is
lost then, and what comes in order is never held back.
"""

from typing import Any, Literal

import msgspec
from msgspec import Struct

from gateway.surfaces.messages.answer import is_object

MOST_HELD = 1_000_000
"""Characters, of what waits and of the open call's input. No honest provider mixes that much."""
_ENCODE = msgspec.json.Encoder().encode
_DELTAS = {
    "text": b'"text_delta","text":',
    "thinking": b'"thinking_delta","thinking":',
    "signature": b'"signature_delta","signature":',
    "call": b'"input_json_delta","partial_json":',
}
_STARTS: dict[str, dict[str, Any]] = {
    "text": {"type": "text", "text": "", "citations": None},
    "thinking": {"type": "thinking", "thinking": "", "signature": ""},
}


class Piece(Struct, frozen=True, kw_only=True):
    """A piece of a block.

    A signature ends the thinking before it. `call` counts the calls of a message from 0, and
    `start` is its block, given with its first piece. `redacted` blocks are all `start`.
    """

    kind: Literal["text", "thinking", "signature", "redacted", "call"]
    text: str = ""
    call: int = -1
    start: dict[str, Any] | None = None

    @property
    def block(self) -> tuple[str, int]:
        """Name the block that this is a piece of."""
        return ("thinking" if self.kind == "signature" else self.kind), self.call


class BlockWriter:
    """Writes the events of content blocks, legal however their pieces come."""

    def __init__(self) -> None:
        self._index = -1
        self._open: tuple[str, int] | None = None
        self._arguments = ""
        self._over: set[tuple[str, int]] = set()
        self._waiting: list[Piece] = []
        self._held = 0

    def put(self, piece: Piece) -> bytes:
        """Take a piece; give the events that can be written now."""
        if not self._waiting and (piece.block == self._open or not self._is_cut()):
            return self._write(piece)
        self._waiting.append(piece)
        self._held += len(piece.text)
        return self._drain(final=self._held > MOST_HELD)

    def finish(self) -> bytes:
        """Write what still waits, and end the last block."""
        return self._drain(final=True) + self._stop()

    def _drain(self, *, final: bool) -> bytes:
        written = []
        while self._waiting:
            own = next((p for p in self._waiting if p.block == self._open), None)
            if own is None and self._is_cut() and not final:
                break
            piece = own or self._waiting[0]
            self._waiting.remove(piece)
            self._held -= len(piece.text)
            written.append(self._write(piece))
        return b"".join(written)

    def _is_cut(self) -> bool:
        """Tell whether the open block is a call whose input is not whole yet."""
        if self._open is None or self._open[0] != "call":
            return False
        return not (self._arguments.rstrip().endswith("}") and is_object(self._arguments))

    def _write(self, piece: Piece) -> bytes:
        if piece.block in self._over:
            return b""  # behind a whole input there is only white space
        before = b"" if piece.block == self._open else self._stop() + self._start(piece)
        if piece.kind == "redacted":
            return before + self._stop()
        if not piece.text:
            return before
        if piece.kind == "call" and len(self._arguments) <= MOST_HELD:
            self._arguments += piece.text
        delta = (
            b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,'
            b'"delta":{"type":' % self._index
        ) + _DELTAS[piece.kind]
        written = before + delta + _ENCODE(piece.text) + b"}}\n\n"
        return written + self._stop() if piece.kind == "signature" else written

    def _start(self, piece: Piece) -> bytes:
        self._index += 1
        self._open = piece.block
        self._arguments = ""
        form = piece.start or _STARTS[self._open[0]]
        return event(
            "content_block_start",
            {"type": "content_block_start", "index": self._index, "content_block": form},
        )

    def _stop(self) -> bytes:
        if self._open is None:
            return b""
        if self._open[0] == "call":
            self._over.add(self._open)
        self._open = None
        return event("content_block_stop", {"type": "content_block_stop", "index": self._index})


def event(name: str, data: dict[str, Any]) -> bytes:
    """Write one event of a stream."""
    return b"event: " + name.encode() + b"\ndata: " + _ENCODE(data) + b"\n\n"

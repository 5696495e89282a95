"""One structured line per request, written off the event loop: an allow-list of fields, none for a
body or a key.
"""

import asyncio
import contextlib
import sys
from typing import BinaryIO

import msgspec

_FLUSH_EVERY_S = 0.2
_MOST_LINES = 50_000


class Line(msgspec.Struct, omit_defaults=True):
    """What a log line may say. Times in Unix seconds and milliseconds."""

    at: float
    request_id: str
    method: str
    path: str
    surface: str
    status: int
    duration_ms: float
    code: str = ""
    workspace_id: int | None = None
    app_key_id: int | None = None
    upstream: str = ""


class AccessLog:
    """Collect lines and write them in one go, a few times a second."""

    def __init__(self, stream: BinaryIO | None = None) -> None:
        self._stream = stream or sys.stdout.buffer
        self._encode = msgspec.json.Encoder().encode
        self._lines: list[bytes] = []
        self._dropped = 0
        self._task: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin to write in the running loop."""
        self._task = asyncio.get_running_loop().create_task(self._flush_forever())

    def write(self, line: Line) -> None:
        """Note one finished request."""
        if len(self._lines) >= _MOST_LINES:
            self._dropped += 1
            return
        self._lines.append(self._encode(line))

    async def close(self) -> None:
        """Write what is left."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self._write_out()

    async def _flush_forever(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_FLUSH_EVERY_S)
            if self._lines:
                await loop.run_in_executor(None, self._write_out)

    def _write_out(self) -> None:
        lines, self._lines = self._lines, []
        if self._dropped:
            lines.append(b'{"dropped_lines":%d}' % self._dropped)
            self._dropped = 0
        if lines:
            self._stream.write(b"\n".join(lines) + b"\n")
            self._stream.flush()

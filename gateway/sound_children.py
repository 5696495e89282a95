"""A few processes that measure sounds, kept for the next one; a bad sound costs one of them.

They are asked from threads of their own, one sound at a time each: starting one takes as long as
measuring many.
"""

import asyncio
import atexit
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

import msgspec

from gateway.operations.transcription import MOST_SOUND_MS, SoundKind
from studio.core.errors import InvalidRequest, Unavailable

_ROOT = Path(__file__).resolve().parent.parent
_MOST_CHILDREN = 2
_MOST_WAITING = 16
_PATIENCE_S = 40.0
"""For one sound, by the clock; its processor time is limited by the child itself."""
_RETRY_AFTER_S = "10"


class SoundsBusy(Unavailable):
    """This process has as many sounds on its hands as it may."""


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What sound_child.py says of a file."""

    media_ms: int
    too_long: bool


class _Child:
    """One process and its two pipes."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603  our own module
            [sys.executable, "-m", "gateway.sound_child"],
            cwd=_ROOT,
            # No secrets; one arena, as each would take its share of the address space.
            env={"PATH": os.defpath, "MALLOC_ARENA_MAX": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._questions: IO[bytes] = self._process.stdin
        self._answers: IO[bytes] = self._process.stdout

    @property
    def lives(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def ask(self, sound: bytes | bytearray, kind: SoundKind) -> bytes:
        """Have one sound measured. Returns: its line; empty if the process ended over it."""
        watch = threading.Timer(_PATIENCE_S, self._process.kill)
        watch.daemon = True
        watch.start()
        try:
            self._questions.write(f"{kind} {MOST_SOUND_MS} {len(sound)}\n".encode())
            self._questions.write(sound)
            self._questions.flush()
            return self._answers.readline()
        except OSError:
            return b""
        finally:
            watch.cancel()

    def end(self) -> None:
        """Kill the process and close its pipes."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._answers, self._questions):
            try:
                pipe.close()
            except OSError:
                continue  # it had ended, and what was left for it went nowhere


class SoundChildren:
    """The processes of one process of ours."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_MOST_CHILDREN, thread_name_prefix="sounds")
        self._idle: list[_Child] = []
        self._waiting = 0
        atexit.register(self.close)

    async def measure(self, sound: bytes | bytearray, kind: SoundKind) -> Measured:
        """Have one sound measured. Raises: InvalidRequest, SoundsBusy."""
        if self._waiting >= _MOST_WAITING:
            raise SoundsBusy(
                "Too many sounds are being measured. Please try again.",
                headers={"Retry-After": _RETRY_AFTER_S},
            )
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, self._measure, sound, kind)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """End the idle processes."""
        while self._idle:
            self._idle.pop().end()

    def _measure(self, sound: bytes | bytearray, kind: SoundKind) -> Measured:
        child = self._take()
        line = child.ask(sound, kind)
        if not line:
            child.end()
            raise InvalidRequest(
                "file: the sound cannot be read, or takes too long to read.",
                details={"param": "file"},
            )
        self._idle.append(child)
        return msgspec.json.decode(line, type=Measured)

    def _take(self) -> _Child:
        while self._idle:
            child = self._idle.pop()
            if child.lives:
                return child
            child.end()
        return _Child()


sounds = SoundChildren()

"""A few processes that work on images, kept for the next one; a bad image costs one of them.

Threads ask, one image at a time each. Nothing here survives a fork: the child process of a fork
starts its own.
"""

import atexit
import logging
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

import msgspec

from gateway.media.errors import ImagesBusy, NoPicture, UnusableFile
from gateway.media.image_wire import LENGTHS, Reply
from gateway.media.works import Bytes, ImageFitWork, ImageWork, PictureWork, Shaped

logger = logging.getLogger(__name__)

_ROOT = Path(__file__).resolve().parent.parent.parent
_MOST_CHILDREN = min(4, os.cpu_count() or 1)
_PLACE_PATIENCE_S = 15.0
_PATIENCE_S = 40.0
"""For one image, by the clock; its processor time is limited by the child itself."""


class _ChildGone(Exception):
    """The child ended in the middle of an image."""


class _Child:
    """One process and its two pipes."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603  our own module
            [sys.executable, "-m", "gateway.media.image_child"],
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

    def ask(self, data: Bytes, work: PictureWork) -> tuple[Reply, list[bytes]]:
        """Have one image worked on. Raises: _ChildGone, ImagesBusy (it took too long)."""
        late = threading.Event()
        watch = threading.Timer(_PATIENCE_S, self._stop, [late])
        watch.daemon = True
        watch.start()
        try:
            return self._exchange(data, work)
        except (OSError, _ChildGone) as error:
            if late.is_set():
                raise ImagesBusy("Working on the image took too long.") from error
            raise _ChildGone from error
        finally:
            watch.cancel()

    def end(self) -> None:
        """Kill the process and close its pipes."""
        self._process.kill()
        self._process.wait()
        self.let_go()

    def let_go(self) -> None:
        """Close our ends of the pipes: a process that waits for work ends by itself."""
        for pipe in (self._answers, self._questions):
            try:
                pipe.close()
            except OSError:
                continue  # it had ended, and what was left for it went nowhere

    def _exchange(self, data: Bytes, work: PictureWork) -> tuple[Reply, list[bytes]]:
        head = msgspec.json.encode(work)
        self._questions.write(LENGTHS.pack(len(head), len(data)) + head)
        self._questions.write(data)
        self._questions.flush()
        head_bytes, made_bytes = LENGTHS.unpack(self._read(LENGTHS.size))
        reply = msgspec.json.decode(self._read(head_bytes), type=Reply)
        assert made_bytes == sum(each.size_bytes for each in reply.made), "both are ours"
        return reply, [self._read(each.size_bytes) for each in reply.made]

    def _read(self, wanted_bytes: int) -> bytes:
        found = self._answers.read(wanted_bytes)
        if len(found) != wanted_bytes:
            raise _ChildGone
        return found

    def _stop(self, late: threading.Event) -> None:
        late.set()
        self._process.kill()


class ImageChildren:
    """The processes of one process of ours, at most `most` at a time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._begin()
        atexit.register(self.close)
        os.register_at_fork(after_in_child=self._forget)

    def shape(self, data: Bytes, work: ImageWork) -> Shaped:
        """Have one image worked on. Raises: UnusableFile, ImagesBusy."""
        [made] = self._work(data, work)
        return made

    def fit(self, data: Bytes, work: ImageFitWork) -> list[Shaped]:
        """Have one image cut to many sizes. Raises: UnusableFile, ImagesBusy."""
        return self._work(data, work)

    def _work(self, data: Bytes, work: PictureWork) -> list[Shaped]:
        if not self._places.acquire(timeout=_PLACE_PATIENCE_S):
            raise ImagesBusy("Too many images are being worked on.", headers={"Retry-After": "10"})
        try:
            return _shaped(*self._ask(data, work))
        finally:
            self._places.release()

    def close(self) -> None:
        """End the idle processes."""
        while self._idle:
            self._idle.pop().end()

    def _ask(self, data: Bytes, work: PictureWork) -> tuple[Reply, list[bytes]]:
        child = self._take()
        kept = False
        try:
            reply, made = child.ask(data, work)
            kept = not reply.last
            return reply, made
        except _ChildGone as error:
            raise UnusableFile("The image cannot be worked on.") from error
        finally:
            if kept:
                self._idle.append(child)
            else:
                child.end()

    def _take(self) -> _Child:
        while True:
            try:
                child = self._idle.pop()
            except IndexError:
                return _Child()
            if child.lives:
                return child
            child.end()

    def _begin(self) -> None:
        self._places = threading.BoundedSemaphore(self._most)
        self._idle: list[_Child] = []

    def _forget(self) -> None:
        for child in self._idle:
            child.let_go()
        self._begin()


def _shaped(reply: Reply, made: list[bytes]) -> list[Shaped]:
    if reply.bug:
        logger.error("an image could not be worked on: %s", reply.bug)
        raise UnusableFile("The image cannot be worked on.")
    if reply.refused:
        raise (NoPicture if reply.no_picture else UnusableFile)(reply.refused)
    return [
        Shaped(
            data=data,
            media_type=each.media_type,
            width=each.width,
            height=each.height,
            original_width=each.original_width,
            original_height=each.original_height,
        )
        for each, data in zip(reply.made, made, strict=True)
    ]


children = ImageChildren(_MOST_CHILDREN)

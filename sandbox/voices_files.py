"""Speech as the files that providers send, made while it is sent; and reading what was sent to us.

A file's metadata holds the text that is spoken in it, where its form has any, so that the doubles
that hear can tell what was said.
"""

import io
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

import av

from sandbox.voices import spoken, spoken_text

# Strangers' files are probed here too; what FFmpeg says of them is nobody's business.
logging.getLogger("libav").setLevel(logging.CRITICAL)

_MOST_TAG_CHARACTERS = 5_000
_TAG = "comment"


@dataclass(frozen=True, slots=True)
class Form:
    """How speech is written: FFmpeg's container (empty for bare samples), its codec, its rate."""

    container: str
    codec: str
    rate_hz: int
    bit_rate: int = 0
    media_type: str = "audio/mpeg"


@dataclass(frozen=True, slots=True)
class Heard:
    """What is known of a file: its length, and the words if it says them itself."""

    length_ms: int
    text: str


def length_ms_of(text: str, *, speed: float = 1.0) -> int:
    """Give how long a text is spoken."""
    rate_hz = 8000
    pieces = spoken(spoken_text(text), "", rate_hz=rate_hz, speed=speed)
    return sum(map(len, pieces)) * 1000 // (2 * rate_hz)


def speech(text: str, voice: str, form: Form, *, speed: float = 1.0) -> Iterator[bytes]:
    """Give the bytes of a spoken text, piece by piece; a text that was spoken before is there."""
    key = (spoken_text(text), voice, form, speed)
    kept = _KEPT.get(key)
    return _keeping(key) if kept is None else iter(kept)


_Key = tuple[str, str, Form, float]
_KEPT: dict[_Key, list[bytes]] = {}
"""What was spoken, the newest last: many callers say the same, and an encoder is slow."""
_MOST_KEPT, _MOST_KEPT_CHARACTERS = 96, 300


def _keeping(key: _Key) -> Iterator[bytes]:
    made = []
    for piece in _written(*key):
        made.append(piece)
        yield piece
    if len(key[0]) <= _MOST_KEPT_CHARACTERS:
        _KEPT[key] = made
    if len(_KEPT) > _MOST_KEPT:
        del _KEPT[next(iter(_KEPT))]


def _written(said: str, voice: str, form: Form, speed: float) -> Iterator[bytes]:
    samples = spoken(said, voice, rate_hz=form.rate_hz, speed=speed)
    if not form.container:
        return samples
    return _encoded(samples, form, said[:_MOST_TAG_CHARACTERS])


class _Sink(io.RawIOBase):
    """Takes what a container writes; it cannot go back, as a connection cannot."""

    def __init__(self) -> None:
        self._held = bytearray()

    def writable(self) -> bool:
        """Say that it can be written to."""
        return True

    def write(self, data: Any) -> int:  # noqa: ANN401  bytes or a view of them
        """Take bytes."""
        self._held += data
        return len(data)

    def taken(self) -> bytes:
        """Give what has come since the last time."""
        held = bytes(self._held)
        self._held.clear()
        return held


_OPTIONS = {
    "mp3": {"write_xing": "0", "id3v2_version": "4"},
    "ogg": {"page_duration": "200000"},
}


def _encoded(samples: Iterator[bytes], form: Form, said: str) -> Iterator[bytes]:
    sink = _Sink()
    options = _OPTIONS.get(form.container, {})
    container = av.open(sink, "w", format=form.container, options=options)
    stream: Any = container.add_stream(form.codec, rate=form.rate_hz, layout="mono")
    if form.bit_rate:
        stream.bit_rate = form.bit_rate
    container.metadata[_TAG] = stream.metadata[_TAG] = said
    wanted = stream.codec_context.frame_size
    for frame in chain(_frames(samples, form.rate_hz, wanted, stream.format.name), (None,)):
        container.mux(stream.encode(frame))
        written = sink.taken()
        if written:
            yield written
    container.close()
    written = sink.taken()
    if written:
        yield written


def _frames(
    samples: Iterator[bytes], rate_hz: int, size: int, layout: str
) -> Iterator[av.AudioFrame]:
    """Cut samples into the frames that an encoder takes, in the form it takes them."""
    resampler = av.AudioResampler(format=layout, layout="mono", rate=rate_hz, frame_size=size)
    at = 0
    for piece in samples:
        frame = av.AudioFrame(format="s16", layout="mono", samples=len(piece) // 2)
        frame.planes[0].update(piece)
        frame.sample_rate, frame.pts = rate_hz, at
        at += frame.samples
        yield from resampler.resample(frame)
    yield from resampler.resample(None)


def heard(data: bytes) -> Heard | None:
    """Read the length of a sound and the words that its metadata has; None if it is no sound."""
    try:
        with av.open(io.BytesIO(data), "r") as container:
            stream = container.streams.audio[0]
            tags = {**stream.metadata, **container.metadata}
            length_s = sum(f.samples / f.sample_rate for f in container.decode(stream))
    except (av.FFmpegError, IndexError, ValueError):
        return None
    words = next((tags[name] for name in tags if name.lower() in (_TAG, "icmt")), "")
    return Heard(length_ms=round(length_s * 1000), text=words)

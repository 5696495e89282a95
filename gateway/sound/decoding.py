"""Decode sound into samples, piece by piece."""

from typing import Final, Protocol

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.stream import AudioStream
from av.error import FFmpegError

from gateway.sound.containers import (
    OPUS_HZ,
    BrokenSound,
    FlacHead,
    Id3Skipped,
    OggPackets,
    WavSamples,
)
from gateway.sound.formats import SAMPLE_BYTES, SoundFormat

_DECODER_DELAY: Final = 529
"""Samples by which an MP3 decoder is late. Source: LAME Tag specification, rev. 1 (2005)."""
_XING_FRAMES, _XING_BYTES, _XING_TABLE, _XING_QUALITY = 1, 2, 4, 8
_DELAY_AT: Final = 21
"""Behind the quality, where the encoder's delay and padding stand, 12 bits each (LAME Tag)."""


class _Source(Protocol):
    def feed(self, data: bytes) -> list[av.AudioFrame]: ...

    def finish(self) -> list[av.AudioFrame]: ...


class Decoder:
    """Decode one piece of sound as its bytes come, into samples at `sample_rate`.

    PCM comes at `pcm_rate` and is only sampled anew. What an encoder put before and behind the
    sound is left out where the file says how much that is (MP3 with LAME's tag, Opus).
    """

    def __init__(
        self, format: SoundFormat, *, sample_rate: int = 24_000, pcm_rate: int = 24_000
    ) -> None:
        self._source = _source_of(format, pcm_rate)
        self._resampler = av.AudioResampler(format="s16", layout="mono", rate=sample_rate)

    def feed(self, data: bytes) -> bytes:
        """Take bytes, cut anywhere; give what is decoded by now. Raises: BrokenSound."""
        try:
            return self._samples(self._source.feed(data))
        except FFmpegError as error:
            raise BrokenSound("The sound could not be decoded.") from error

    def finish(self) -> bytes:
        """Give the rest. Raises: BrokenSound."""
        try:
            rest = self._samples(self._source.finish())
            return rest + _bytes_of(self._resampler.resample(None))
        except FFmpegError as error:
            raise BrokenSound("The sound could not be decoded.") from error

    def _samples(self, frames: list[av.AudioFrame]) -> bytes:
        made: list[bytes] = []
        for frame in frames:
            frame.pts = None
            made.append(_bytes_of(self._resampler.resample(frame)))
        return b"".join(made)


def decode(data: bytes, format: SoundFormat, *, sample_rate: int = 24_000) -> bytes:
    """Decode a whole piece. Raises: BrokenSound."""
    decoder = Decoder(format, sample_rate=sample_rate)
    return decoder.feed(data) + decoder.finish()


def _bytes_of(frames: list[av.AudioFrame]) -> bytes:
    return b"".join(bytes(frame.planes[0])[: frame.samples * SAMPLE_BYTES] for frame in frames)


def _source_of(format: SoundFormat, pcm_rate: int) -> _Source:
    match format:
        case "mp3":
            return _Mp3()
        case "opus":
            return _Opus()
        case "aac":
            return _Parsed("aac")
        case "flac":
            return _Flac()
        case "wav":
            return _Wav()
        case "pcm":
            return _Pcm(pcm_rate)


def _decoder(name: str, head: bytes = b"") -> AudioCodecContext:
    context = av.CodecContext.create(name, "r")
    assert isinstance(context, AudioCodecContext)
    if head:
        context.extradata = head
    return context


class _Parsed:
    """Frames that say themselves where they begin."""

    def __init__(self, codec: str, head: bytes = b"") -> None:
        self._context = _decoder(codec, head)

    def feed(self, data: bytes) -> list[av.AudioFrame]:
        return self._decoded(self._context.parse(data)) if data else []

    def finish(self) -> list[av.AudioFrame]:
        frames: list[av.AudioFrame] = []
        while packets := self._context.parse(b""):
            frames += self._decoded(packets)
        return [*frames, *self._context.decode(None)]

    def _decoded(self, packets: "list[av.Packet[AudioStream]]") -> list[av.AudioFrame]:
        return [frame for packet in packets for frame in self._context.decode(packet)]


class _Mp3(_Parsed):
    def __init__(self) -> None:
        super().__init__("mp3float")
        self._tag = Id3Skipped()
        self._first = True
        self._skip = 0
        self._left: int | None = None

    def feed(self, data: bytes) -> list[av.AudioFrame]:
        return super().feed(self._tag.feed(data))

    def _decoded(self, packets: "list[av.Packet[AudioStream]]") -> list[av.AudioFrame]:
        if self._first and packets:
            self._first = False
            if self._read_totals(bytes(packets[0])):
                packets = packets[1:]
        cut = (self._cut(frame) for frame in super()._decoded(packets))
        return [frame for frame in cut if frame is not None]

    def _read_totals(self, frame: bytes) -> bool:
        """Read the frame that holds totals in place of sound. Returns: whether it is one."""
        at = max(frame.find(mark, 4, 44) for mark in (b"Xing", b"Info"))
        if at < 0:
            return False
        flags = int.from_bytes(frame[at + 4 : at + 8], "big")
        frames = int.from_bytes(frame[at + 8 : at + 12], "big") if flags & _XING_FRAMES else 0
        sizes = ((_XING_FRAMES, 4), (_XING_BYTES, 4), (_XING_TABLE, 100), (_XING_QUALITY, 4))
        at += 8 + sum(size for flag, size in sizes if flags & flag) + _DELAY_AT
        delays = int.from_bytes(frame[at : at + 3], "big")
        delay, padding = delays >> 12, delays & 0xFFF
        if frames and delays:
            samples = 1152 if frame[1] >> 3 & 3 == 3 else 576
            self._skip = delay + _DECODER_DELAY
            self._left = frames * samples - delay - padding
        return True

    def _cut(self, frame: av.AudioFrame) -> av.AudioFrame | None:
        """Leave out what the encoder added."""
        if self._left is None:
            return frame
        start = min(self._skip, frame.samples)
        self._skip -= start
        count = min(frame.samples - start, self._left)
        self._left -= count
        return _part(frame, start, count)


def _part(frame: av.AudioFrame, start: int, count: int) -> av.AudioFrame | None:
    """Give samples of a frame; None for none."""
    if (start, count) == (0, frame.samples):
        return frame
    if count <= 0:
        return None
    part = av.AudioFrame(format=frame.format, layout=frame.layout, samples=count)
    part.sample_rate = frame.sample_rate
    channels = 1 if frame.format.is_planar else len(frame.layout.channels)
    size = frame.format.bytes * channels
    for plane, whole in zip(part.planes, frame.planes, strict=True):
        plane.update(
            bytes(whole)[start * size : (start + count) * size].ljust(plane.buffer_size, b"\0")
        )
    return part


class _Opus:
    """Source: RFC 7845 (2016) 4.2 pre-skip, 4.4 the end by the last page's position."""

    def __init__(self) -> None:
        self._ogg = OggPackets()
        self._context: AudioCodecContext | None = None
        self._skip = 0
        self._given = 0
        self._waiting: list[av.AudioFrame] = []

    def feed(self, data: bytes) -> list[av.AudioFrame]:
        frames: list[av.AudioFrame] = []
        for packet in self._ogg.feed(data):
            if self._context is None:
                if not packet.startswith(b"OpusHead"):
                    raise BrokenSound("No Opus.")
                self._skip = int.from_bytes(packet[10:12], "little")
                self._context = _decoder("libopus")
                self._context.sample_rate = OPUS_HZ
                self._context.layout = "mono" if packet[9] == 1 else "stereo"
            elif not packet.startswith(b"OpusTags"):
                frames += self._context.decode(av.Packet(packet))
        return [part for part in map(self._cut, frames) if part is not None]

    def finish(self) -> list[av.AudioFrame]:
        return []

    def _cut(self, frame: av.AudioFrame) -> av.AudioFrame | None:
        end = self._ogg.position - self._given
        start = min(max(0, self._skip - self._given), frame.samples)
        self._given += frame.samples
        return _part(frame, start, min(frame.samples, end) - start)


class _Flac:
    def __init__(self) -> None:
        self._head = FlacHead()
        self._frames: _Parsed | None = None

    def feed(self, data: bytes) -> list[av.AudioFrame]:
        rest = self._head.feed(data)
        if self._frames is None and self._head.info:
            self._frames = _Parsed("flac", self._head.info)
        return self._frames.feed(rest) if self._frames is not None else []

    def finish(self) -> list[av.AudioFrame]:
        return self._frames.finish() if self._frames is not None else []


class _Pcm:
    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self._half = b""

    def feed(self, data: bytes) -> list[av.AudioFrame]:
        data = self._half + data
        whole = len(data) - len(data) % SAMPLE_BYTES
        data, self._half = data[:whole], data[whole:]
        if not data:
            return []
        frame = av.AudioFrame(format="s16", layout="mono", samples=whole // SAMPLE_BYTES)
        frame.planes[0].update(data)
        frame.sample_rate = self.sample_rate
        return [frame]

    def finish(self) -> list[av.AudioFrame]:
        return []


class _Wav:
    def __init__(self) -> None:
        self._wav = WavSamples()
        self._pcm = _Pcm(0)

    def feed(self, data: bytes) -> list[av.AudioFrame]:
        samples = self._wav.feed(data)
        self._pcm.sample_rate = self._wav.sample_rate
        return self._pcm.feed(samples)

    def finish(self) -> list[av.AudioFrame]:
        return []

"""Encode samples, piece by piece or at once.

Source: FFmpeg's muxers (ffmpeg.org/ffmpeg-formats.html, 2026): where they cannot go back, they
leave the totals out that MP3's "Info" frame and FLAC's STREAMINFO hold.
"""

from fractions import Fraction
from io import BytesIO
from typing import Final

import av
from av.audio.stream import AudioStream
from msgspec import Struct

from gateway.sound.formats import RATES_HZ, SAMPLE_BYTES, SoundFormat, duration_ms

_UNKNOWN_BYTES: Final = 0xFFFF_FFFF
_WAV_HEADER_BYTES: Final = 44
_ALWAYS: Final = {"flush_packets": "1", "fflags": "+bitexact", "metadata_header_padding": "0"}
_LOW_HZ: Final = 24_000


class _Way(Struct, frozen=True, kw_only=True):
    """How FFmpeg makes a format. Bits a second are for rates up to 24 kHz, and above them."""

    container: str
    codec: str
    low_bit: int | None = None
    high_bit: int | None = None
    sample_rate: int | None = None
    options: tuple[tuple[str, str], ...] = ()
    streamed: tuple[tuple[str, str], ...] = ()


_WAYS: Final[dict[SoundFormat, _Way]] = {
    "mp3": _Way(
        container="mp3",
        codec="libmp3lame",
        low_bit=64_000,
        high_bit=128_000,
        options=(("id3v2_version", "0"),),
        streamed=(("write_xing", "0"),),
    ),
    "opus": _Way(
        container="ogg",
        codec="libopus",
        low_bit=48_000,
        high_bit=64_000,
        sample_rate=48_000,
        options=(("page_duration", "100000"),),
    ),
    "aac": _Way(container="adts", codec="aac", low_bit=64_000, high_bit=128_000),
    "flac": _Way(container="flac", codec="flac"),
}


class Encoder:
    """Encode one piece of sound as its samples come.

    `samples` is how many there will be, where that is known: a WAV's header then says so, else it
    says "as long as it goes on", which players take. WAV and PCM keep the samples as they are.
    """

    def __init__(
        self, format: SoundFormat, *, sample_rate: int, samples: int | None = None
    ) -> None:
        if sample_rate not in RATES_HZ:
            raise ValueError(f"{sample_rate} Hz is not among {RATES_HZ}")
        self.format = format
        self.sample_rate = sample_rate
        self.samples = 0
        """Taken so far."""
        self._half = b""
        way = _WAYS.get(format)
        self._head = _wav_header(sample_rate, samples) if format == "wav" else b""
        self._muxer = None if way is None else _Muxer(way, sample_rate, sink=_Sink())

    @property
    def duration_ms(self) -> int:
        """How long the sound taken so far plays, exactly but for the rounding."""
        return duration_ms(self.samples * SAMPLE_BYTES, self.sample_rate)

    def feed(self, pcm: bytes) -> bytes:
        """Take samples, cut anywhere; give what is encoded by now, maybe nothing."""
        pcm = self._half + pcm
        whole = len(pcm) - len(pcm) % SAMPLE_BYTES
        pcm, self._half = pcm[:whole], pcm[whole:]
        self.samples += whole // SAMPLE_BYTES
        if self._muxer is None:
            given, self._head = self._head + pcm, b""
            return given
        return self._muxer.feed(pcm)

    def finish(self) -> bytes:
        """Give the rest. Half a sample at the end is dropped; nothing may be fed after this."""
        if self._muxer is None:
            given, self._head = self._head, b""
            return given
        return self._muxer.finish()


def encode(pcm: bytes, format: SoundFormat, *, sample_rate: int) -> bytes:
    """Encode a whole piece, with all totals in its headers: players show its true length."""
    way = _WAYS.get(format)
    if way is None:
        encoder = Encoder(format, sample_rate=sample_rate, samples=len(pcm) // SAMPLE_BYTES)
        return encoder.feed(pcm) + encoder.finish()
    file = BytesIO()
    muxer = _Muxer(way, sample_rate, sink=file)
    muxer.encode(pcm[: len(pcm) - len(pcm) % SAMPLE_BYTES])
    muxer.close()
    return file.getvalue()


class _Sink:
    """Where a muxer writes what is to be handed on; it cannot go back."""

    def __init__(self) -> None:
        self._written = bytearray()

    def write(self, data: bytes) -> int:
        self._written += data
        return len(data)

    def take(self) -> bytes:
        taken = bytes(self._written)
        self._written.clear()
        return taken


class _Muxer:
    def __init__(self, way: _Way, sample_rate: int, sink: _Sink | BytesIO) -> None:
        self._sink = sink
        self._sample_rate = sample_rate
        self._at = 0
        options = _ALWAYS | dict(way.options)
        if isinstance(sink, _Sink):
            options |= dict(way.streamed)
        self._container = av.open(sink, "w", format=way.container, options=options)
        made = self._container.add_stream(way.codec, rate=way.sample_rate or sample_rate)
        assert isinstance(made, AudioStream)
        self._stream = made
        made.codec_context.layout = "mono"
        bits = way.low_bit if sample_rate <= _LOW_HZ else way.high_bit
        if bits is not None:
            made.codec_context.bit_rate = bits

    def feed(self, pcm: bytes) -> bytes:
        self.encode(pcm)
        assert isinstance(self._sink, _Sink)
        return self._sink.take()

    def encode(self, pcm: bytes) -> None:
        samples = len(pcm) // SAMPLE_BYTES
        if not samples:
            return
        frame = av.AudioFrame(format="s16", layout="mono", samples=samples)
        frame.planes[0].update(pcm)
        frame.sample_rate = self._sample_rate
        frame.time_base = Fraction(1, self._sample_rate)
        frame.pts = self._at
        self._at += samples
        for packet in self._stream.encode(frame):
            self._container.mux(packet)

    def finish(self) -> bytes:
        self.close()
        assert isinstance(self._sink, _Sink)
        return self._sink.take()

    def close(self) -> None:
        if self._at:
            for packet in self._stream.encode(None):
                self._container.mux(packet)
        self._container.close()


def _wav_header(sample_rate: int, samples: int | None) -> bytes:
    """Write RIFF's 44 bytes; sizes of all ones stand for "unknown".

    Source: Microsoft/IBM Multimedia Programming Interface 1.0 (1991), RIFF WAVE.
    """
    data_bytes = _UNKNOWN_BYTES if samples is None else samples * SAMPLE_BYTES
    riff_bytes = min(data_bytes + _WAV_HEADER_BYTES - 8, _UNKNOWN_BYTES)
    parts = (
        (b"RIFF", 4, riff_bytes),
        (b"WAVEfmt ", 4, 16),
        (b"", 2, 1),
        (b"", 2, 1),
        (b"", 4, sample_rate),
        (b"", 4, sample_rate * SAMPLE_BYTES),
        (b"", 2, SAMPLE_BYTES),
        (b"", 2, SAMPLE_BYTES * 8),
        (b"data", 4, data_bytes),
    )
    return b"".join(word + number.to_bytes(size, "little") for word, size, number in parts)

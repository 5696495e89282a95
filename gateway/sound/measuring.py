"""Say how long sound plays that passes by, without decoding it where that can be."""

from typing import Final, Protocol

from gateway.media.mp3 import read_frame
from gateway.sound.containers import OPUS_HZ, BrokenSound, Id3Skipped, OggPackets, WavSamples
from gateway.sound.decoding import Decoder
from gateway.sound.formats import SAMPLE_BYTES, SoundFormat

_SYNC: Final = b"\xff"
"""Every frame of either kind begins with it."""
_FRAME_HEADER_BYTES: Final = 4
_ADTS_HEADER_BYTES: Final = 7
_DECODED_HZ: Final = 48_000
_ADTS_SAMPLES: Final = 1024
_ADTS_RATES: Final = (
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000
)  # fmt: skip


class _Counter(Protocol):
    def feed(self, data: bytes) -> float: ...


class SoundMeter:
    """Add up how long the sound plays that was fed so far.

    MP3 and AAC by their frames, Opus by its pages, WAV and PCM (at `pcm_rate`) by their samples;
    FLAC is decoded. Never raises: what is broken counts as far as it was understood.
    """

    def __init__(self, format: SoundFormat, *, pcm_rate: int = 24_000) -> None:
        self._counter = _counter_of(format, pcm_rate)
        self._broken = False
        self._seconds = 0.0

    def feed(self, data: bytes) -> None:
        """Count bytes, cut anywhere."""
        if self._broken:
            return
        try:
            self._seconds += self._counter.feed(data)
        except ValueError:
            self._broken = True

    def finish(self) -> None:
        """Count what was waiting for more; nothing may be fed after this."""
        if isinstance(self._counter, _Decoded) and not self._broken:
            self._seconds += self._counter.finish()

    @property
    def duration_ms(self) -> int:
        """How long it plays so far, to the nearest millisecond."""
        return round(self._seconds * 1000)


def _counter_of(format: SoundFormat, pcm_rate: int) -> _Counter:
    match format:
        case "mp3":
            return _Mp3()
        case "aac":
            return _Adts()
        case "opus":
            return _Opus()
        case "wav":
            return _Wav()
        case "pcm":
            return _Pcm(pcm_rate)
        case "flac":
            return _Decoded(format)


class _Framed:
    """Goes from frame to frame; looks for the next one where there is none."""

    header_bytes: int

    def __init__(self) -> None:
        self._waiting = bytearray()

    def feed(self, data: bytes) -> float:
        self._waiting += data
        held, at, seconds = self._waiting, 0, 0.0
        while at + self.header_bytes <= len(held):
            size, plays_s = self.read(bytes(held[at : at + self.header_bytes]))
            if not size:
                found = held.find(_SYNC, at + 1)
                at = len(held) if found < 0 else found
                continue
            if at + size > len(held):
                break
            if not self.is_silent(held[at : at + size]):
                seconds += plays_s
            at += size
        del held[:at]
        return seconds

    def read(self, header: bytes) -> tuple[int, float]:
        """Give a frame's bytes and seconds; 0 bytes if it is none."""
        raise NotImplementedError

    def is_silent(self, frame: bytearray) -> bool:
        """Say whether a frame tells of others and plays nothing."""
        return False


class _Mp3(_Framed):
    header_bytes = _FRAME_HEADER_BYTES

    def __init__(self) -> None:
        super().__init__()
        self._tag = Id3Skipped()

    def feed(self, data: bytes) -> float:
        return super().feed(self._tag.feed(data))

    def read(self, header: bytes) -> tuple[int, float]:
        frame = read_frame(header)
        return (frame.size_bytes, frame.samples / frame.sampling_hz) if frame else (0, 0.0)

    def is_silent(self, frame: bytearray) -> bool:
        return any(frame.find(mark, 4, 44) > 0 for mark in (b"Xing", b"Info"))


class _Adts(_Framed):
    """Source: ISO/IEC 13818-7 (2006) 6.2, the fixed and variable header."""

    header_bytes = _ADTS_HEADER_BYTES

    def read(self, header: bytes) -> tuple[int, float]:
        rate_at = header[2] >> 2 & 0x0F
        if header[0] != 0xFF or header[1] & 0xF6 != 0xF0 or rate_at >= len(_ADTS_RATES):
            return 0, 0.0
        size = (header[3] & 3) << 11 | header[4] << 3 | header[5] >> 5
        blocks = (header[6] & 3) + 1
        if size < _ADTS_HEADER_BYTES:
            return 0, 0.0
        return size, blocks * _ADTS_SAMPLES / _ADTS_RATES[rate_at]


class _Opus:
    def __init__(self) -> None:
        self._ogg = OggPackets()
        self._skip: int | None = None
        self._told = 0

    def feed(self, data: bytes) -> float:
        packets = self._ogg.feed(data)
        if self._skip is None and packets:
            self._skip = int.from_bytes(packets[0][10:12], "little")
        before, self._told = self._told, max(0, self._ogg.position - (self._skip or 0))
        return (self._told - before) / OPUS_HZ


class _Wav:
    def __init__(self) -> None:
        self._wav = WavSamples()

    def feed(self, data: bytes) -> float:
        samples = self._wav.feed(data)
        return len(samples) / (SAMPLE_BYTES * self._wav.sample_rate) if samples else 0.0


class _Pcm:
    def __init__(self, sample_rate: int) -> None:
        self._sample_rate = sample_rate

    def feed(self, data: bytes) -> float:
        return len(data) / (SAMPLE_BYTES * self._sample_rate)


class _Decoded:
    def __init__(self, format: SoundFormat) -> None:
        self._decoder = Decoder(format, sample_rate=_DECODED_HZ)

    def feed(self, data: bytes) -> float:
        return len(self._decoder.feed(data)) / (SAMPLE_BYTES * _DECODED_HZ)

    def finish(self) -> float:
        try:
            return len(self._decoder.finish()) / (SAMPLE_BYTES * _DECODED_HZ)
        except BrokenSound:
            return 0.0

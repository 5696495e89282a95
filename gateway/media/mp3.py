"""Frames of MP3: is it one, how long is it, and where may it be cut. Pure, no decoding.

Source: ISO/IEC 11172-3 (1993) 2.4.1.3 and 2.4.2.3, ISO/IEC 13818-3 (1998) 2.4.2.3 for layer III's
header, rates and frame lengths; the "Xing" frame: Xing's VBR header SDK (1998), which LAME and
FFmpeg write as "Xing" (variable rate) or "Info" (constant); Fraunhofer's encoders write "VBRI".
"""

from collections.abc import Iterator

from msgspec import Struct

from gateway.media.errors import UnusableFile

_HEADER_BYTES = 4
_LEAST_FRAMES = 3
_MPEG_1, _MPEG_2, _MPEG_2_5 = 3, 2, 0
_LAYER_III = 1
_RATES_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_RATES_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_SAMPLING_HZ = {
    _MPEG_1: (44_100, 48_000, 32_000),
    _MPEG_2: (22_050, 24_000, 16_000),
    _MPEG_2_5: (11_025, 12_000, 8_000),
}
_MONO = 3
_MARKS_OF_TAGS = (b"TAG", b"APETAGEX", b"LYRICSBEGIN", b"ID3")
_XING = (b"Xing", b"Info")
_VBRI_AT = 36
_HAS_FRAMES_AND_BYTES = 3
_LONGEST_FRAME_BYTES = 1441
"""Of MPEG-1 at 320 kbit/s and 32 kHz, padded."""


class Frame(Struct, frozen=True):
    """One frame's header, as far as its length and ours are concerned."""

    size_bytes: int
    sampling_hz: int
    samples: int
    side_bytes: int
    """Of the side information behind the header, after which a Xing frame has its mark."""
    rate_kbit: int


class Mp3(Struct, frozen=True, kw_only=True):
    """The frames of a file: where each begins, and where the last one ends.

    `xing` is the frame before the first one of sound that says how much there is, if any.
    """

    xing: bytes
    starts: tuple[int, ...]
    end: int
    first: Frame
    variable: bool

    @property
    def length_ms(self) -> int:
        """How long it plays, to the nearest millisecond."""
        return _ms(len(self.starts), self.first)


def read_mp3(data: bytes) -> Mp3:
    """Find the frames. Raises: UnusableFile if the bytes are no whole MP3."""
    end = _after_id3(data)
    starts: list[int] = []
    rates: list[int] = []
    first: Frame | None = None
    for start, frame in _walk(data, end):
        first = first or frame
        if (frame.sampling_hz, frame.samples) != (first.sampling_hz, first.samples):
            break
        starts.append(start)
        rates.append(frame.rate_kbit)
        end = start + frame.size_bytes
    if first is None or len(starts) < _LEAST_FRAMES or not _may_end(data, end):
        raise UnusableFile("The file is no MP3, or a broken one.")
    xing = b""
    if _tells_of_others(data, starts[0], first):
        xing = data[starts[0] : starts[1]]
        del starts[0], rates[0]
    variable = min(rates) != max(rates)
    return Mp3(xing=xing, starts=tuple(starts), end=end, first=first, variable=variable)


def without_tags(data: bytes, found: Mp3) -> bytes:
    """Give the frames alone, with the Xing frame if there is one."""
    return found.xing + data[found.starts[0] : found.end]


def cut(data: bytes, found: Mp3, length_ms: int) -> tuple[bytes, int]:
    """Keep as many frames from the start as `length_ms` takes, and no tags.

    A Xing frame is written anew where the rate varies, else dropped: players need it only there,
    and what it said is not true any more. Returns: the bytes, and how long they play in ms.
    """
    samples = -(-length_ms * found.first.sampling_hz // 1000)
    count = max(1, -(-samples // found.first.samples))
    if count >= len(found.starts):
        return without_tags(data, found), found.length_ms
    sound = data[found.starts[0] : found.starts[count]]
    if found.variable and found.xing:
        sound = _xing_frame(found, count, len(sound)) + sound
    return sound, _ms(count, found.first)


def read_frame(header: bytes) -> Frame | None:
    """Read a frame's header of 4 bytes; None if it is none of layer III."""
    if len(header) < _HEADER_BYTES or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return None
    version, layer = header[1] >> 3 & 3, header[1] >> 1 & 3
    rate_at, sampling_at, padding = header[2] >> 4, header[2] >> 2 & 3, header[2] >> 1 & 1
    if version == 1 or layer != _LAYER_III or rate_at in (0, 15) or sampling_at == 3:
        return None
    mono = header[3] >> 6 == _MONO
    sampling_hz = _SAMPLING_HZ[version][sampling_at]
    if version == _MPEG_1:
        rate, samples, side = _RATES_1[rate_at], 1152, 17 if mono else 32
    else:
        rate, samples, side = _RATES_2[rate_at], 576, 9 if mono else 17
    size = samples // 8 * rate * 1000 // sampling_hz + padding
    return Frame(size, sampling_hz, samples, side, rate)


def _walk(data: bytes, at: int) -> Iterator[tuple[int, Frame]]:
    """Go from frame to frame as long as each is whole."""
    while (frame := read_frame(data[at : at + _HEADER_BYTES])) is not None:
        if at + frame.size_bytes > len(data):
            return
        yield at, frame
        at += frame.size_bytes


def _after_id3(data: bytes) -> int:
    """Skip the tags at the start, whose sizes have 7 bits a byte.

    Source: ID3 tag version 2.4.0, main structure (2000), 3.1.
    """
    at = 0
    while data[at : at + 3] == b"ID3" and len(data) >= at + 10:
        flags, size = data[at + 5], data[at + 6 : at + 10]
        if any(part & 0x80 for part in size):
            return at
        footer_bytes = 10 if flags & 0x10 else 0
        at += 10 + (size[0] << 21 | size[1] << 14 | size[2] << 7 | size[3]) + footer_bytes
    return at


def _tells_of_others(data: bytes, start: int, frame: Frame) -> bool:
    """Say whether a frame holds no sound but how much of it follows."""
    xing, vbri = start + _HEADER_BYTES + frame.side_bytes, start + _VBRI_AT
    return data[xing : xing + 4] in _XING or data[vbri : vbri + 4] == b"VBRI"


def _may_end(data: bytes, at: int) -> bool:
    """Say whether the frames may end here: at the end, at a tag, or within a last broken frame."""
    rest = data[at : at + 16]
    return len(data) - at <= _LONGEST_FRAME_BYTES or rest.startswith(_MARKS_OF_TAGS)


def _ms(frames: int, frame: Frame) -> int:
    return round(frames * frame.samples * 1000 / frame.sampling_hz)


def _xing_frame(found: Mp3, frames: int, sound_bytes: int) -> bytes:
    """Write the frame that says how many frames and bytes there are; itself counts as bytes."""
    size = len(found.xing)
    head = found.xing[:_HEADER_BYTES]
    counts = frames.to_bytes(4, "big") + (sound_bytes + size).to_bytes(4, "big")
    told = _XING[0] + _HAS_FRAMES_AND_BYTES.to_bytes(4, "big") + counts
    return (head + bytes(found.first.side_bytes) + told).ljust(size, b"\0")[:size]

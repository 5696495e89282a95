"""What stands around the frames of sound: Ogg's pages, WAV's and FLAC's heads, ID3. Pure."""

from typing import Final

from gateway.sound.formats import SAMPLE_BYTES

_ID3_BYTES: Final = 10
_PAGE_BYTES: Final = 27
_FLAC_INFO_BYTES: Final = 34
_RIFF_BYTES: Final = 12
_CHUNK_BYTES: Final = 8
_PCM: Final = 1
OPUS_HZ: Final = 48_000


class BrokenSound(ValueError):
    """The bytes are not what their format asks for."""


class Id3Skipped:
    """Leave the tag before an MP3 out. Source: ID3 tag version 2.4.0, structure (2000), 3.1."""

    def __init__(self) -> None:
        self._waiting = bytearray()
        self._left: int | None = None

    def feed(self, data: bytes) -> bytes:
        """Take bytes, cut anywhere; give those behind the tag."""
        if self._left is None:
            self._waiting += data
            if self._waiting[:3] != b"ID3"[: len(self._waiting)]:
                self._left = 0
            elif len(self._waiting) >= _ID3_BYTES:
                size = self._waiting[6:10]
                self._left = _ID3_BYTES + (size[0] << 21 | size[1] << 14 | size[2] << 7 | size[3])
            else:
                return b""
            data = bytes(self._waiting)
        skipped = min(self._left, len(data))
        self._left -= skipped
        return data[skipped:]


class WavSamples:
    """Give the samples of a WAV of 16 bits and one channel. `sample_rate` is 0 until it is read."""

    def __init__(self) -> None:
        self._waiting = bytearray()
        self._in_data = False
        self._data_left = 0
        self.sample_rate = 0

    def feed(self, data: bytes) -> bytes:
        """Take bytes, cut anywhere. Raises: BrokenSound if it is another file."""
        if self._in_data:
            return self._samples(data)
        self._waiting += data
        if len(self._waiting) < _RIFF_BYTES:
            return b""
        if self._waiting[:4] != b"RIFF" or self._waiting[8:12] != b"WAVE":
            raise BrokenSound("No WAV.")
        at = _RIFF_BYTES
        while len(self._waiting) >= at + _CHUNK_BYTES:
            name = bytes(self._waiting[at : at + 4])
            size = int.from_bytes(self._waiting[at + 4 : at + 8], "little")
            if name == b"data":
                self._in_data, self._data_left = True, size
                return self._samples(bytes(self._waiting[at + _CHUNK_BYTES :]))
            if len(self._waiting) < at + _CHUNK_BYTES + size:
                break
            if name == b"fmt ":
                self._read_format(bytes(self._waiting[at + _CHUNK_BYTES :][:size]))
            at += _CHUNK_BYTES + size + size % 2
        return b""

    def _read_format(self, chunk: bytes) -> None:
        kind, channels = chunk[0] | chunk[1] << 8, chunk[2] | chunk[3] << 8
        if (kind, channels, chunk[14]) != (_PCM, 1, SAMPLE_BYTES * 8):
            raise BrokenSound("The WAV has no samples of 16 bits in one channel.")
        self.sample_rate = int.from_bytes(chunk[4:8], "little")

    def _samples(self, data: bytes) -> bytes:
        if not self.sample_rate:
            raise BrokenSound("The WAV does not say what its samples are.")
        given = data[: self._data_left]
        self._data_left -= len(given)
        return given


class OggPackets:
    """Give the packets of an Ogg stream. Source: RFC 3533 (2003) 6.

    `position` is the last page's, for Opus in samples at 48 kHz with the ones to skip at the start.
    """

    def __init__(self) -> None:
        self._waiting = bytearray()
        self._begun = bytearray()
        self.position = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes, cut anywhere. Raises: BrokenSound if no page follows a page."""
        self._waiting += data
        packets: list[bytes] = []
        while len(self._waiting) >= _PAGE_BYTES:
            if self._waiting[:4] != b"OggS":
                raise BrokenSound("No page of Ogg.")
            head = _PAGE_BYTES + self._waiting[26]
            sizes = self._waiting[_PAGE_BYTES:head]
            end = head + sum(sizes)
            if len(self._waiting) < head or len(self._waiting) < end:
                break
            position = int.from_bytes(self._waiting[6:14], "little", signed=True)
            self.position = max(self.position, position)
            packets += self._split(bytes(sizes), bytes(self._waiting[head:end]))
            del self._waiting[:end]
        return packets

    def _split(self, sizes: bytes, body: bytes) -> list[bytes]:
        packets: list[bytes] = []
        at = 0
        for size in sizes:
            self._begun += body[at : at + size]
            at += size
            if size < 255:
                packets.append(bytes(self._begun))
                self._begun.clear()
        return packets


class FlacHead:
    """Find what a FLAC says of itself before its frames. Source: RFC 9639 (2024) 8.

    `info` is STREAMINFO's 34 bytes, empty until they are there.
    """

    def __init__(self) -> None:
        self._waiting = bytearray()
        self._past = False
        self.info = b""

    def feed(self, data: bytes) -> bytes:
        """Take bytes, cut anywhere; give those of the frames. Raises: BrokenSound."""
        if self._past:
            return data
        self._waiting += data
        at = 4
        if self._waiting[:4] != b"fLaC"[: len(self._waiting)]:
            raise BrokenSound("No FLAC.")
        while len(self._waiting) >= at + 4:
            kind = self._waiting[at]
            end = at + 4 + int.from_bytes(self._waiting[at + 1 : at + 4], "big")
            if len(self._waiting) < end:
                break
            if not kind & 0x7F:
                self.info = bytes(self._waiting[at + 4 : end])[:_FLAC_INFO_BYTES]
            at = end
            if kind & 0x80:
                self._past = True
                return bytes(self._waiting[at:])
        return b""

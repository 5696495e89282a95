"""Sounds of any length that follow from a seed alone: MP3 frames that decode to silence, and PCM.

Source: ISO/IEC 11172-3 and 13818-3: frame headers; side information of zeros takes nothing from the
frame, so what follows it is ancillary data, which decoders skip. The seed is written there.
"""

import hashlib
import math
import struct

_BITRATES_KBPS = {
    1: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES_HZ = {
    44100: (1, 0),
    48000: (1, 1),
    32000: (1, 2),
    22050: (2, 0),
    24000: (2, 1),
    16000: (2, 2),
}
_MONO_SIDE_BYTES = {1: 17, 2: 9}
_SAMPLES = {1: 1152, 2: 576}
_ENCODER = b"Lavf60.16.100"
_TONE_HZ = 220


def mp3(seed: str, length_ms: int, *, rate_hz: int = 44100, kbps: int = 128) -> bytes:
    """Make a mono MP3 of a constant bit rate; it is at most one frame longer than asked."""
    version, rate_index = _RATES_HZ[rate_hz]
    samples = _SAMPLES[version]
    bitrate_index = _BITRATES_KBPS[version].index(kbps) + 1
    second = 0xFB if version == 1 else 0xF3
    frames = max(math.ceil(length_ms * rate_hz / 1000 / samples), 1)
    # 16 hexadecimal digits cannot be mistaken for the beginning of a frame.
    word = hashlib.sha256(seed.encode()).hexdigest()[:16].encode()
    body = bytearray(_tag())
    sent = 0
    for number in range(1, frames + 1):
        until = number * samples * kbps * 125 // rate_hz
        size = until - sent
        padded = size > samples * kbps * 125 // rate_hz
        third = bitrate_index << 4 | rate_index << 2 | padded << 1
        frame = bytes((0xFF, second, third, 0xC0)) + bytes(_MONO_SIDE_BYTES[version]) + word
        body += frame[:size].ljust(size, b"\0")
        sent = until
    return bytes(body)


def pcm(length_ms: int, *, rate_hz: int) -> bytes:
    """Make a tone of 16-bit little-endian mono samples."""
    count = length_ms * rate_hz // 1000
    period = [
        round(8000 * math.sin(2 * math.pi * _TONE_HZ * at / rate_hz))
        for at in range(max(rate_hz // _TONE_HZ, 1))
    ]
    whole = struct.pack(f"<{len(period)}h", *period)
    return (whole * (count // len(period) + 1))[: 2 * count]


def _tag() -> bytes:
    """Give the tag that encoders leave at the beginning: which encoder it was."""
    text = b"\x03" + _ENCODER
    frame = b"TSSE" + len(text).to_bytes(4) + b"\0\0" + text
    return b"ID3\x04\0\0" + len(frame).to_bytes(4) + frame

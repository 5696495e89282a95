"""The formats of sound that callers may ask for."""

from typing import Final, Literal, get_args

SoundFormat = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]
FORMATS: Final[tuple[SoundFormat, ...]] = get_args(SoundFormat)
RATES_HZ: Final = (8_000, 16_000, 22_050, 24_000, 44_100, 48_000)
SAMPLE_BYTES: Final = 2

_MEDIA_TYPES: Final[dict[SoundFormat, str]] = {
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}


def media_type_of(format: SoundFormat) -> str:
    """Give the media type. Opus comes in Ogg. Source: RFC 7845 (2016) 9, RFC 3003, RFC 9639."""
    return _MEDIA_TYPES[format]


def duration_ms(pcm_bytes: int, sample_rate: int) -> int:
    """Say how long so many bytes of samples play, to the nearest millisecond."""
    return round(pcm_bytes * 1000 / (SAMPLE_BYTES * sample_rate))


def bytes_of(duration_ms: float, sample_rate: int) -> int:
    """Say how many bytes of whole samples play so long."""
    return round(duration_ms * sample_rate / 1000) * SAMPLE_BYTES

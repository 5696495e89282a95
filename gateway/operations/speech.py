"""Speech from text: what is asked, whoever speaks, and what it used."""

from typing import Literal

from msgspec import Struct

SpeechFormat = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]
TextNormalization = Literal["auto", "on", "off"]

MOST_CHARACTERS = 5_000
"""Of one request's text; a text longer than its model takes at once is cut at sentence ends."""
MOST_INSTRUCTIONS_CHARACTERS = 4_096
LEAST_SPEED, MOST_SPEED = 0.25, 4.0
PCM_RATE_HZ = 24_000
"""Of `pcm` everywhere here: 16-bit little-endian, one channel, no header."""
PCM_BYTES_PER_MS = PCM_RATE_HZ * 2 // 1000


class SpeechRequest(
    Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """One text to be spoken, the same for every provider. Surfaces write it, providers read it.

    `voice` is a name or an id of the provider's, empty for its default. `language` is ISO 639-1.
    The last settings are the model's own scales from 0 to 1. Fields that are None or empty were not
    asked for. `text_before` and `text_after` are what a cut text's neighbours say; they are not
    spoken.
    """

    text: str
    voice: str = ""
    format: SpeechFormat = "mp3"
    speed: float = 1.0
    instructions: str = ""
    language: str = ""
    text_normalization: TextNormalization | None = None
    seed: int | None = None
    stability: float | None = None
    similarity: float | None = None
    style: float | None = None
    speaker_boost: bool | None = None
    text_before: str = ""
    text_after: str = ""

    operation = "speech"


class SpeechUse(Struct, frozen=True, kw_only=True):
    """What speech used, as it is paid for: characters, or tokens where a model bills tokens.

    `character_count` are the text's characters (code points). `input_tokens` are the text's,
    `output_tokens` the sound's; 0 where the model bills characters. `media_ms` is the length of the
    sound. `source` is `provider` where the provider told it, else `counted`.
    """

    character_count: int = 0
    media_ms: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    source: Literal["provider", "counted", "none"] = "counted"

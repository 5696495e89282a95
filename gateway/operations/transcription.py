"""Text from speech: what is asked, whoever hears it; what was heard; and the forms it is given in.

Source: github openai/openai-openapi v2.3.0 (2026-08-21), CreateTranscriptionRequest and its
answers; SubRip (.srt) as players read it; W3C, WebVTT: The Web Video Text Tracks Format (2019).
"""

import math
from collections.abc import Iterable
from types import MappingProxyType
from typing import Any, Literal

import msgspec
from msgspec import Struct

from studio.core.errors import InvalidRequest

TranscriptFormat = Literal["json", "text", "srt", "verbose_json", "vtt"]
Granularity = Literal["word", "segment"]
SoundKind = Literal["flac", "mp3", "mp4", "ogg", "wav", "webm"]

MOST_SOUND_BYTES = 25 * 1024 * 1024
MOST_SOUND_MS = 4 * 60 * 60 * 1000
MOST_PROMPT_CHARACTERS = 4_096
TIMED_FORMATS = ("srt", "verbose_json", "vtt")
"""Formats that say when something was said."""
MEDIA_TYPES = MappingProxyType(
    {
        "flac": "audio/flac",
        "mp3": "audio/mpeg",
        "mp4": "audio/mp4",
        "ogg": "audio/ogg",
        "wav": "audio/wav",
        "webm": "audio/webm",
    }
)
_SEGMENT_S, _SEGMENT_CHARACTERS = 10.0, 84
"""Where words alone are known, what is shown at once: two lines, as long as they take to read."""
_SENTENCE_ENDS = (".", "!", "?", "。", "！", "？")
_encode = msgspec.json.Encoder().encode


class TranscriptionRequest(Struct, frozen=True, kw_only=True):
    """One sound to be written down, the same for every provider.

    `sound` is the file, `kind` what its content is, `media_ms` how long it is by our own measure.
    `boundary` is a word that is not in the sound. `language` is ISO 639-1, empty to have it heard.
    """

    sound: bytes | bytearray
    kind: SoundKind
    media_ms: int
    boundary: str
    model: str | None = None
    asked_kind: str | None = None
    response_format: TranscriptFormat = "json"
    language: str = ""
    prompt: str = ""
    temperature: float | None = None
    granularities: tuple[Granularity, ...] = ()

    @property
    def needs_times(self) -> bool:
        """Whether the answer says when something was said."""
        return self.response_format in TIMED_FORMATS


class Word(Struct, frozen=True, kw_only=True):
    """One word; times in seconds from the beginning."""

    word: str
    start: float
    end: float


class Segment(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Some words that belong together; what no provider told is left out."""

    id: int
    start: float
    end: float
    text: str
    seek: int | None = None
    tokens: list[int] | None = None
    temperature: float | None = None
    avg_logprob: float | None = None
    compression_ratio: float | None = None
    no_speech_prob: float | None = None


class Transcript(Struct, frozen=True, kw_only=True):
    """What was heard. Words and segments are empty where no times are known."""

    text: str
    language: str = ""
    words: tuple[Word, ...] = ()
    segments: tuple[Segment, ...] = ()


class HeardTokens(Struct, frozen=True, kw_only=True):
    """Tokens, as a provider told them that bills those; counts ≥ 0."""

    input_tokens: int
    output_tokens: int
    text_tokens: int | None = None
    audio_tokens: int | None = None


def sound_kind(data: bytes | bytearray) -> SoundKind:
    """Tell what a file is by how it begins; its name and its type are not asked.

    Raises: InvalidRequest for what is none of them.
    """
    if data[4:8] == b"ftyp":
        return "mp4"
    if data.startswith(b"RIFF") and data[8:12] == b"WAVE":
        return "wav"
    for mark, kind in _MARKS.items():
        if data.startswith(mark):
            return kind
    # An MPEG frame of layer III; layer 0 is ADTS, which few take.
    if len(data) > 1 and data[0] == 0xFF and data[1] & 0xE6 == 0xE2:
        return "mp3"
    raise InvalidRequest(
        "file: this is no sound in a known format. Send flac, mp3, mp4, m4a, ogg, wav or webm.",
        details={"param": "file"},
    )


_MARKS: MappingProxyType[bytes, SoundKind] = MappingProxyType(
    {b"fLaC": "flac", b"OggS": "ogg", b"\x1aE\xdf\xa3": "webm", b"ID3": "mp3"}
)


def segments_of(words: Iterable[Word]) -> tuple[Segment, ...]:
    """Gather words to segments: up to the end of a sentence, or as much as is read at once."""
    segments: list[Segment] = []
    held: list[Word] = []
    for word in words:
        if held and _is_full(held, word):
            segments.append(_segment(len(segments), held))
            held = []
        held.append(word)
        if word.word.endswith(_SENTENCE_ENDS):
            segments.append(_segment(len(segments), held))
            held = []
    if held:
        segments.append(_segment(len(segments), held))
    return tuple(segments)


def written_transcript(
    heard: Transcript, request: TranscriptionRequest, tokens: HeardTokens | None
) -> tuple[bytes, str]:
    """Write a transcript as it was asked for. Returns: the body and its media type."""
    form = request.response_format
    if form == "text":
        return heard.text.encode() + b"\n", "text/plain; charset=utf-8"
    if form == "srt":
        return _subtitles(heard.segments, numbered=True).encode(), "text/plain; charset=utf-8"
    if form == "vtt":
        body = f"WEBVTT\n\n{_subtitles(heard.segments, numbered=False)}"
        return body.encode(), "text/vtt; charset=utf-8"
    body_json: dict[str, Any] = {"text": heard.text}
    if form == "verbose_json":
        body_json = _verbose(heard, request)
    body_json["usage"] = _usage(request, tokens)
    return _encode(body_json), "application/json"


def _verbose(heard: Transcript, request: TranscriptionRequest) -> dict[str, Any]:
    body: dict[str, Any] = {
        "task": "transcribe",
        "language": heard.language,
        "duration": request.media_ms / 1000,
        "text": heard.text,
    }
    if "segment" in request.granularities or not request.granularities:
        body["segments"] = heard.segments
    if "word" in request.granularities:
        body["words"] = heard.words
    return body


def _usage(request: TranscriptionRequest, tokens: HeardTokens | None) -> dict[str, Any]:
    if tokens is None:
        return {"type": "duration", "seconds": math.ceil(request.media_ms / 1000)}
    usage: dict[str, Any] = {
        "type": "tokens",
        "input_tokens": tokens.input_tokens,
        "output_tokens": tokens.output_tokens,
        "total_tokens": tokens.input_tokens + tokens.output_tokens,
    }
    details = {"text_tokens": tokens.text_tokens, "audio_tokens": tokens.audio_tokens}
    told = {name: count for name, count in details.items() if count is not None}
    if told:
        usage["input_token_details"] = told
    return usage


def _is_full(held: list[Word], word: Word) -> bool:
    characters = sum(len(one.word) + 1 for one in held) + len(word.word)
    return characters > _SEGMENT_CHARACTERS or word.end - held[0].start > _SEGMENT_S


def _segment(number: int, words: list[Word]) -> Segment:
    text = " ".join(one.word for one in words)
    return Segment(id=number, start=words[0].start, end=words[-1].end, text=text)


def _subtitles(segments: Iterable[Segment], *, numbered: bool) -> str:
    """Write the blocks that SubRip and WebVTT share; a blank line within one would end it."""
    mark = "," if numbered else "."
    blocks = []
    for number, segment in enumerate(segments, 1):
        span = f"{_clock(segment.start, mark)} --> {_clock(segment.end, mark)}"
        lines = " ".join(segment.text.split()).replace("-->", "->")
        blocks.append(f"{number}\n{span}\n{lines}\n" if numbered else f"{span}\n{lines}\n")
    return "\n".join(blocks)


def _clock(seconds: float, mark: str) -> str:
    whole, rest_ms = divmod(round(max(seconds, 0.0) * 1000), 1000)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours:02}:{minutes:02}:{whole % 60:02}{mark}{rest_ms:03}"

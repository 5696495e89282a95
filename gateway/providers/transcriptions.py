"""What a provider that writes speech down defines, the form that all of them take, and OpenAI's.

Whatever a provider answers is read into a `Transcript` and written anew in the form that was asked
for: a model without subtitles of its own has ours, as long as it tells when words were said.
Source: `openai` Python SDK 3.52.0, `types/audio/transcription_create_params.py` (formats and fields
of each model); github openai/openai-openapi v2.3.0 (2026-08-21), CreateTranscriptionResponseJson
and …VerboseJson; RFC 7578.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Protocol, TypeGuard

import msgspec
from msgspec import Meta, Raw, Struct

from gateway.operations.transcription import (
    MEDIA_TYPES,
    HeardTokens,
    Segment,
    Transcript,
    TranscriptionRequest,
    Word,
)
from gateway.providers.base import (
    Provider,
    Target,
    UpstreamAnswer,
    UpstreamInvalid,
    UpstreamRequest,
)

MOST_SEGMENTS = 100_000
_WHISPER = "whisper-1"
_OPTIONAL = ("language", "prompt", "temperature", "timestamp_granularities[]")
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_NO_RAW = Raw(b"null")
_Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]


class Hearing(Struct, frozen=True, kw_only=True):
    """What a provider heard, and the tokens it bills where it bills those."""

    transcript: Transcript
    tokens: HeardTokens | None = None


class TranscriptionProvider(Provider, Protocol):
    """An upstream that writes speech down (`transcription` is among its operations)."""

    def unsupported_transcription(
        self, request: TranscriptionRequest, target: Target
    ) -> str | None:
        """Name the field of the request that this model cannot serve at all; None if it can.

        What it can leave out without changing the text's meaning, it leaves out.
        """

    def build_transcription(self, request: TranscriptionRequest, target: Target) -> UpstreamRequest:
        """Write the provider's request; `request` is left as it is."""

    def parse_transcription(
        self, request: TranscriptionRequest, target: Target, answer: UpstreamAnswer
    ) -> Hearing:
        """Read the answer. Raises: UpstreamFailure."""


def hears(provider: Provider) -> TypeGuard[TranscriptionProvider]:
    """Tell whether a provider writes speech down."""
    return "transcription" in provider.operations


def write_sound_form(
    path: str, fields: Sequence[tuple[str, str]], request: TranscriptionRequest
) -> UpstreamRequest:
    """Write a form of texts, and the sound under a name that says what it is."""
    line = f"--{request.boundary}\r\n"
    head = "".join(
        f'{line}Content-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'
        for name, text in fields
    )
    head += (
        f'{line}Content-Disposition: form-data; name="file"; filename="sound.{request.kind}"\r\n'
        f"Content-Type: {MEDIA_TYPES[request.kind]}\r\n\r\n"
    )
    tail = f"\r\n--{request.boundary}--\r\n"
    headers = {
        "content-type": f"multipart/form-data; boundary={request.boundary}",
        "accept": "application/json",
    }
    body = b"".join((head.encode(), request.sound, tail.encode()))
    return UpstreamRequest(path=path, body=body, headers=headers)


class _Tokens(Struct):
    input_tokens: _Count
    output_tokens: _Count
    type: str = ""
    input_token_details: Any = None


class _Answer(Struct):
    text: str
    language: Any = ""
    words: Annotated[list[Word], Meta(max_length=MOST_SEGMENTS)] = []
    segments: Annotated[list[Segment], Meta(max_length=MOST_SEGMENTS)] = []
    usage: Raw = _NO_RAW


_ANSWER = msgspec.json.Decoder(_Answer)
_TOKENS = msgspec.json.Decoder(_Tokens)


class OpenAITranscriptions:
    """Mix-in of OpenAI's provider."""

    def unsupported_transcription(
        self, request: TranscriptionRequest, target: Target
    ) -> str | None:
        """Name what only Whisper has: times, and so subtitles."""
        has_times = target.model == _WHISPER
        return "response_format" if request.needs_times and not has_times else None

    def build_transcription(self, request: TranscriptionRequest, target: Target) -> UpstreamRequest:
        """Write the request: JSON, with times where they are needed."""
        timed = request.needs_times
        fields = [
            ("model", target.model),
            ("response_format", "verbose_json" if timed else "json"),
        ]
        optional = {
            "language": request.language,
            "prompt": request.prompt,
            "temperature": "" if request.temperature is None else f"{request.temperature:g}",
        }
        fields += [(name, text) for name, text in optional.items() if text]
        if timed:
            granularities = dict.fromkeys(("segment", *request.granularities))
            fields += [("timestamp_granularities[]", word) for word in granularities]
        dropped = [name for name in target.drop_parameters if name in _OPTIONAL]
        kept = [field for field in fields if field[0] not in dropped]
        return write_sound_form("/audio/transcriptions", kept, request)

    def parse_transcription(
        self: Provider, request: TranscriptionRequest, target: Target, answer: UpstreamAnswer
    ) -> Hearing:
        """Read the text, its times, and its tokens. Raises: UpstreamFailure."""
        if answer.status != 200:
            raise self.parse_error(answer.status, answer.headers, answer.body)
        try:
            given = _ANSWER.decode(answer.body)
        except UNREADABLE as error:
            raise UpstreamInvalid("The provider's answer is not a transcript.") from error
        transcript = Transcript(
            text=given.text.strip(),
            language=given.language if isinstance(given.language, str) else "",
            words=tuple(given.words),
            segments=tuple(given.segments),
        )
        return Hearing(transcript=transcript, tokens=_read_tokens(given.usage))


def _read_tokens(raw: Raw) -> HeardTokens | None:
    """Read tokens; None where none are told that can be believed."""
    try:
        given = _TOKENS.decode(raw)
    except UNREADABLE:
        return None
    details = given.input_token_details if isinstance(given.input_token_details, dict) else {}
    if given.type != "tokens" or not given.input_tokens:
        return None
    return HeardTokens(
        input_tokens=given.input_tokens,
        output_tokens=given.output_tokens,
        text_tokens=_count(details.get("text_tokens")),
        audio_tokens=_count(details.get("audio_tokens")),
    )


def _count(value: object) -> int | None:
    return value if type(value) is int and 0 <= value < 2**31 else None

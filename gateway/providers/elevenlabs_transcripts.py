"""ElevenLabs' Scribe: words with their times, out of which every form is made.

Source: `elevenlabs` Python SDK 2.78.0, `speech_to_text/raw_client.py` and
SpeechToTextChunkResponseModel (2026-11). What costs extra there (key terms, edits, roles) is never
asked for.
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from gateway.operations.transcription import Transcript, TranscriptionRequest, Word, segments_of
from gateway.providers.base import (
    Provider,
    Target,
    UpstreamAnswer,
    UpstreamInvalid,
    UpstreamRequest,
)
from gateway.providers.transcriptions import MOST_SEGMENTS, UNREADABLE, Hearing, write_sound_form


class _Part(Struct):
    text: str
    start: float | None = None
    end: float | None = None
    type: str = "word"


class _Answer(Struct):
    text: str
    language_code: Any = ""
    words: Annotated[list[_Part], Meta(max_length=2 * MOST_SEGMENTS)] = []


_ANSWER = msgspec.json.Decoder(_Answer)


class ElevenLabsTranscripts:
    """Mix-in of ElevenLabs' provider."""

    def unsupported_transcription(
        self, request: TranscriptionRequest, target: Target
    ) -> str | None:
        """Name nothing: a prompt, which it has not, is a hint and is left out."""
        return None

    def build_transcription(self, request: TranscriptionRequest, target: Target) -> UpstreamRequest:
        """Write the request; what was heard beside words is not written down."""
        granularity = "word" if request.needs_times else "none"
        fields = [
            ("model_id", target.model),
            ("timestamps_granularity", granularity),
            ("tag_audio_events", "false"),
        ]
        if request.language and "language" not in target.drop_parameters:
            fields.append(("language_code", request.language))
        if request.temperature is not None and "temperature" not in target.drop_parameters:
            fields.append(("temperature", f"{request.temperature:g}"))
        return write_sound_form("/speech-to-text", fields, request)

    def parse_transcription(
        self: Provider, request: TranscriptionRequest, target: Target, answer: UpstreamAnswer
    ) -> Hearing:
        """Read text and words. Raises: UpstreamFailure, also where times are missing."""
        if answer.status != 200:
            raise self.parse_error(answer.status, answer.headers, answer.body)
        try:
            given = _ANSWER.decode(answer.body)
        except UNREADABLE as error:
            raise UpstreamInvalid("The provider's answer is not a transcript.") from error
        words = _words(given.words) if request.needs_times else ()
        transcript = Transcript(
            text=given.text.strip(),
            language=given.language_code if isinstance(given.language_code, str) else "",
            words=words,
            segments=segments_of(words),
        )
        return Hearing(transcript=transcript)


def _words(parts: list[_Part]) -> tuple[Word, ...]:
    """Give the words with their times; what stands between them is left out."""
    words = []
    for part in parts:
        if part.type != "word":
            continue
        if part.start is None or part.end is None:
            raise UpstreamInvalid("The provider's answer does not say when words were said.")
        words.append(Word(word=part.text, start=part.start, end=part.end))
    return tuple(words)

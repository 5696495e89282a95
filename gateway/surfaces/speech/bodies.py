"""What the speech API takes, and the request for speech that it comes to."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gateway.operations.chat_messages import SystemMessage, UserMessage
from gateway.operations.chat_request import ChatRequest
from gateway.operations.speech import LEAST_SPEED, MOST_CHARACTERS, MOST_SPEED, SpeechRequest
from gateway.runtime import Runtime
from gateway.surfaces.speech.entry import SPEAKER
from gateway.voices.queries import VoiceFacts, known_voices
from studio.core.errors import InvalidRequest

BODY_LIMIT_BYTES = 256 * 1024
KINDS = {"FP8": "speech.orpheus-fp8", "FP16": "speech.orpheus-fp16"}
_CHAT_KIND = "chat.default"
_ANSWERED_TOKENS = 800
"""Of an answer that is read aloud: some three minutes."""
_MOST_CONTEXT = 20_000
_MANNER = (
    "Your answer is read aloud. Use short, plain sentences, without lists, headings, markup, links "
    "or emoji."
)

_Text = Annotated[str, Meta(min_length=1, max_length=MOST_CHARACTERS)]
_Word = Annotated[str, Meta(min_length=1, max_length=64)]


class GenerateBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What POST /speech/generate takes."""

    text: _Text
    voice: _Word | None = None
    precision: Literal["FP8", "FP16"] = "FP8"
    emotion: _Word | None = None
    speed: Annotated[float, Meta(ge=LEAST_SPEED, le=MOST_SPEED)] = 1.0


class ChatBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What POST /speech/chat takes."""

    message: Annotated[str, Meta(min_length=1, max_length=_MOST_CONTEXT)]
    voice: _Word | None = None
    context: Annotated[str, Meta(max_length=_MOST_CONTEXT)] | None = None
    emotion: _Word | None = None

    def chat(self) -> ChatRequest:
        """Give the chat that answers it. Raises: InvalidRequest for a message of blanks."""
        if not self.message.strip():
            raise InvalidRequest("message: nothing to answer.", details={"param": "message"})
        manner = [_MANNER]
        if self.emotion:
            manner.append(f"Answer in a mood that is {self.emotion}.")
        if self.context and self.context.strip():
            manner.append(f"Context:\n{self.context.strip()}")
        return ChatRequest(
            messages=[
                SystemMessage(content="\n\n".join(manner)),
                UserMessage(content=self.message),
            ],
            kind=_CHAT_KIND,
            max_completion_tokens=_ANSWERED_TOKENS,
        )


GENERATE = msgspec.json.Decoder(GenerateBody)
CHAT = msgspec.json.Decoder(ChatBody)


async def speaker(runtime: Runtime, name: str | None) -> VoiceFacts:
    """Find the voice that was asked for; the first one if none was. Raises: InvalidRequest."""
    voices = await voices_here(runtime)
    for voice in voices:
        if name is None or voice.slug == name.lower():
            return voice
    known = ", ".join(voice.slug for voice in voices)
    raise InvalidRequest(
        f'voice: there is no voice "{name}"; there are {known}.', details={"param": "voice"}
    )


async def voices_here(runtime: Runtime) -> list[VoiceFacts]:
    """Give the voices of this API, in their order."""
    return [voice for voice in await known_voices.at(runtime) if voice.provider == SPEAKER]


def spoken(
    text: str, voice: VoiceFacts, *, emotion: str | None = None, speed: float = 1.0
) -> SpeechRequest:
    """Ask for a text in a voice; an emotion becomes what the voice has for it, maybe nothing.

    Raises: InvalidRequest for an emotion that the voice does not know, or a text of blanks.
    """
    words = text.strip()
    if not words:
        raise InvalidRequest("text: nothing to say.", details={"param": "text"})
    tag = voice.emotions.get(emotion.lower()) if emotion else ""
    if tag is None:
        known = ", ".join(sorted(voice.emotions))
        raise InvalidRequest(
            f'emotion: {voice.slug} does not know "{emotion}"; it knows {known}.',
            details={"param": "emotion"},
        )
    return SpeechRequest(
        text=f"{tag} {words}" if tag else words,
        voice=voice.provider_voice,
        format="mp3",
        speed=speed,
    )

"""Providers' answers becoming sound: bytes as they are, samples with or without a header, events.

No host, no prices. Memory is bounded: nothing is kept but half a sample, a header, half an event.
Source: Microsoft & IBM, Multimedia Programming Interface 1.0 (1991): RIFF and its chunks; github
openai/openai-openapi v2.3.0 (2026-08-21): SpeechAudioDeltaEvent, SpeechAudioDoneEvent.
"""

import struct
from binascii import Error as NotBase64
from binascii import a2b_base64
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from gateway.operations.speech import PCM_RATE_HZ, SpeechUse
from gateway.providers.base import UpstreamFailure, UpstreamInvalid
from gateway.providers.event_stream import Event, EventReader

_NOT_SOUND = "The provider's answer is not a sound."
_TOO_SHORT = "The provider's answer ends too early."
_WORDY = ("text/html", "text/plain", "application/json", "application/problem+json")
_MOST_HEADER_BYTES = 4096
_CHUNK = struct.Struct("<4sI")
_FORMAT = struct.Struct("<HHIIHH")
_PLAIN_SAMPLES = (1, 0xFFFE)
_SAMPLE_BYTES = 2
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]


def is_wordy(headers: Mapping[str, str]) -> bool:
    """Tell whether an answer says of itself that it is text: an error, or somebody's page."""
    return headers.get("content-type", "").partition(";")[0].strip().lower() in _WORDY


class SoundStream:
    """Bytes that are the sound already. Answers in words, and empty ones, are failures."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self.finished = False
        self.use: SpeechUse | None = None
        self.failure: UpstreamFailure | None = None
        self._given = False
        if is_wordy(headers):
            self.failure = UpstreamInvalid(_NOT_SOUND)

    def feed(self, data: bytes) -> bytes:
        """Give the bytes as they are."""
        if self.failure is not None:
            return b""
        self._given = self._given or bool(data)
        return data

    def end(self) -> None:
        """Note that the body ended."""
        if self.failure is None and not self._given:
            self.failure = UpstreamInvalid("The provider's answer is empty.")


class Mp3Stream(SoundStream):
    """Bytes of an MP3: they begin with a tag or a frame."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__(headers)
        self._head = b""

    def feed(self, data: bytes) -> bytes:
        """Give the bytes as they are, once the first ones were looked at."""
        if self._given:
            return super().feed(data)
        self._head += data
        if len(self._head) < len(b"ID3"):
            return b""
        if not _begins_mp3(self._head):
            self.failure = self.failure or UpstreamInvalid(_NOT_SOUND)
        head, self._head = self._head, b""
        return super().feed(head)


class PcmStream(SoundStream):
    """Samples: 16-bit, little-endian, one channel, 24 000 a second; a WAV header is taken off.

    What is given out are whole samples.
    """

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__(headers)
        self._held = b""
        self._is_begun = False

    def feed(self, data: bytes) -> bytes:
        """Give the whole samples so far."""
        held = self._held + data
        if not self._is_begun:
            begin = self._first_sample(held)
            if begin is None:
                self._held = held
                return b""
            self._is_begun = True
            held = held[begin:]
        whole = len(held) - len(held) % _SAMPLE_BYTES
        self._held = held[whole:]
        return super().feed(held[:whole])

    def end(self) -> None:
        """Note that the body ended; half a sample, or half a header, is an end too early."""
        if self.failure is None and self._held:
            self.failure = UpstreamInvalid(_TOO_SHORT)
        super().end()

    def _first_sample(self, held: bytes) -> int | None:
        """Tell where the samples begin; None while that cannot be told."""
        if len(held) < len(b"RIFF") and b"RIFF".startswith(held):
            return None
        if not held.startswith(b"RIFF"):
            return 0
        found = _samples_in_wav(held)
        if found is None and len(held) <= _MOST_HEADER_BYTES:
            return None
        if not found:
            self.failure = self.failure or UpstreamInvalid(
                "The provider's samples are of another kind than was asked for."
            )
            return len(held)
        return found


class _Usage(Struct):
    input_tokens: _Count
    output_tokens: _Count


class _Event(Struct):
    type: str = ""
    audio: Any = None
    usage: Raw = Raw(b"null")
    error: Raw = Raw(b"null")


_EVENT = msgspec.json.Decoder(_Event)
_USAGE = msgspec.json.Decoder(_Usage)


class EventSoundStream:
    """Sound in base64 in OpenAI's events, and at the end the tokens it cost.

    `failure_of` reads an error that comes as an event; `sound` looks at the bytes in them.
    """

    def __init__(
        self, sound: SoundStream, *, failure_of: Callable[[bytes], UpstreamFailure]
    ) -> None:
        self.finished = False
        self.use: SpeechUse | None = None
        self._sound = sound
        self._failure_of = failure_of
        self._reader = EventReader()
        self._failed: UpstreamFailure | None = None

    @property
    def failure(self) -> UpstreamFailure | None:
        """What went wrong after the answer had begun."""
        return self._failed or self._sound.failure

    def feed(self, data: bytes) -> bytes:
        """Give the sound of the events that are complete."""
        parts = []
        for event in self._reader.feed(data):
            if self.finished or self.failure is not None:
                break
            parts.append(self._read(event))
        if self._reader.overflow and self._failed is None:
            self._failed = UpstreamInvalid("The provider sent an endless event.")
        return b"".join(parts) if self.failure is None else b""

    def end(self) -> None:
        """Note that the body ended: without the last event it is not whole."""
        if self.failure is not None:
            return
        if not self.finished:
            self._failed = UpstreamInvalid(_TOO_SHORT)
        self._sound.end()

    def _read(self, event: Event) -> bytes:
        if event.data == b"[DONE]":
            self.finished = True
            return b""
        try:
            read = _EVENT.decode(event.data)
        except _UNREADABLE:
            return self._fail(UpstreamInvalid("The provider sent an event that cannot be read."))
        if event.name == b"error" or read.type == "error" or bytes(read.error) != b"null":
            return self._fail(self._failure_of(event.data))
        if read.type == "speech.audio.done":
            self.finished = True
            self.use = _read_use(read.usage)
        if read.type != "speech.audio.delta":
            return b""
        try:
            return self._sound.feed(a2b_base64(read.audio, strict_mode=True))
        except (NotBase64, TypeError, ValueError):
            return self._fail(UpstreamInvalid(_NOT_SOUND))

    def _fail(self, failure: UpstreamFailure) -> bytes:
        self._failed = failure
        return b""


def _read_use(raw: Raw) -> SpeechUse | None:
    """Read the tokens; None if there are none to be believed: sound costs tokens."""
    try:
        usage = _USAGE.decode(raw)
    except _UNREADABLE:
        return None
    if not usage.output_tokens:
        return None
    return SpeechUse(
        input_tokens=usage.input_tokens, output_tokens=usage.output_tokens, source="provider"
    )


def _begins_mp3(head: bytes) -> bool:
    return head.startswith(b"ID3") or (head[0] == 0xFF and head[1] & 0xE0 == 0xE0)


def _samples_in_wav(held: bytes) -> int | None:
    """Tell where a WAV's samples begin; None while its header is not whole, 0 if they are of
    another kind.
    """
    at, known = 12, False
    while at + _CHUNK.size <= len(held):
        name, size = _CHUNK.unpack_from(held, at)
        at += _CHUNK.size
        if name == b"data":
            return at if known else 0
        if name == b"fmt " and at + _FORMAT.size <= len(held):
            tag, channels, rate_hz, _, _, bits = _FORMAT.unpack_from(held, at)
            known = tag in _PLAIN_SAMPLES and (channels, rate_hz, bits) == (1, PCM_RATE_HZ, 16)
        at += size + size % 2
    return None

"""Relaying a sound over HTTP, as bytes or as events; a sound that breaks off breaks the connection.

Bytes have no way to say that they are not all there but to end without their end.
"""

import asyncio
from base64 import b64encode
from typing import Protocol

import msgspec

from gateway.runtime import Runtime
from gateway.speech.answers import SpeechEnd
from gateway.speech.quotes import SpeechTask
from gateway.speech.walk import SpeechRelay, open_speech_stream
from gateway.surfaces.door import Request
from gateway.surfaces.envelopes import render
from gateway.surfaces.voice.asking import relay_headers
from studio.core.money import credits_text


class SoundWriter(Protocol):
    """Writes a sound in a client's form."""

    @property
    def media_type(self) -> bytes | None:
        """The media type of all of it; None for the sound's own."""

    def feed(self, sound: bytes) -> bytes:
        """Take a part of the sound; give what it becomes."""

    def close(self, end: SpeechEnd) -> bytes | None:
        """Take the settled end; give the last bytes, None where the connection is to break."""


class PlainSound:
    """The bytes as they are."""

    media_type: bytes | None = None

    def feed(self, sound: bytes) -> bytes:
        """Give the bytes."""
        return sound

    def close(self, end: SpeechEnd) -> bytes | None:
        """Give nothing more."""
        return None if end.failure is not None else b""


class SoundEvents:
    """OpenAI's events: the sound in base64, and what it used.

    Source: github openai/openai-openapi v2.3.0 (2026-08-21), SpeechAudioDeltaEvent and
    SpeechAudioDoneEvent; `credits_charged` is ours, an error event is as in its streams of chats.
    """

    media_type: bytes | None = b"text/event-stream"

    def __init__(self, request_id: str) -> None:
        self._request_id = request_id

    def feed(self, sound: bytes) -> bytes:
        """Write one event."""
        return b'data: {"type":"speech.audio.delta","audio":"%b"}\n\n' % b64encode(sound)

    def close(self, end: SpeechEnd) -> bytes | None:
        """Write the last event: what was used, or what went wrong."""
        if end.failure is not None:
            return b"event: error\ndata: %b\n\n" % render(end.failure, "core", self._request_id)
        use = end.use
        done = {
            "type": "speech.audio.done",
            "usage": {
                "input_tokens": use.input_tokens,
                "output_tokens": use.output_tokens,
                "total_tokens": use.input_tokens + use.output_tokens,
                "characters": use.character_count,
                "credits_charged": msgspec.Raw(credits_text(end.charged_ucr).encode()),
            },
        }
        return b"data: %b\n\n" % msgspec.json.encode(done)


async def relay_speech(
    request: Request, runtime: Runtime, task: SpeechTask, writer: SoundWriter
) -> None:
    """Relay one text's sound; what the client does meanwhile is watched by one task.

    Raises: what `open_speech_stream` raises, before anything was sent; what broke the sound off.
    """
    relay = await open_speech_stream(runtime, task)
    watcher = asyncio.create_task(_watch(request, relay))
    media_type = writer.media_type or relay.head.media_type.encode()
    try:
        await asyncio.sleep(0)  # who left before the first byte is noticed before it is relayed
        await request.start(200, relay_headers(request, relay.head, media_type))
        async for sound in relay.chunks():
            await request.send(writer.feed(sound))
    finally:
        try:
            end = await relay.finish()
        finally:
            watcher.cancel()
    closing = writer.close(end)
    if closing is None:
        assert end.failure is not None, "only what broke off has no end"
        raise end.failure
    await request.send(closing, more=False)


async def _watch(request: Request, relay: SpeechRelay) -> None:
    await request.wait_for_disconnect()
    relay.client_left()

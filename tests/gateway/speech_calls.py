"""Texts to speak over HTTP, and what their sound is."""

import uuid
from io import BytesIO
from typing import Any

import av
import requests

from tests.databases import rows
from tests.gateway.conftest import Payer

TURBO_UCR = 40
"""What a character of ElevenLabs' turbo and flash costs in credits times a million, before the
markup.
"""
MARKUP = 1.2
"""Of the tier managed."""
GRANTED_UCR = 1_000_000_000


def new_text(words: str = "The harbour was quiet.") -> str:
    """Give a text that nobody had spoken before."""
    return f"{words} {uuid.uuid4()}."


def voice(payer: Payer, text: str, query: str = "", **options: Any) -> requests.Response:
    """Have a text spoken by /v1/voice; `body` has other fields."""
    body = {"text": text, **options.pop("body", {})}
    return payer.post(f"/v1/voice{query}", json=body, **options)


def audio(payer: Payer, text: str, **options: Any) -> requests.Response:
    """Have a text spoken by /v1/audio/speech; `body` has other fields."""
    body = {"model": "tts-1", "voice": "alloy", "input": text, **options.pop("body", {})}
    return payer.post("/v1/audio/speech", json=body, **options)


def charge_of(characters: int, usd_per_million: int) -> int:
    """Give what so many characters cost on the tier managed, in µcr: exact, rounded up once."""
    numerator = characters * usd_per_million * 1000 * 12
    return -(-numerator // 10)


def seconds_of(sound: bytes, container: str | None = None) -> float:
    """Decode a sound and give its length in seconds."""
    with av.open(BytesIO(sound), "r", format=container) as opened:
        [stream] = opened.streams.audio
        return sum(frame.samples for frame in opened.decode(stream)) / stream.rate


def nothing_moved(payer: Payer) -> bool:
    """Tell whether a workspace has neither paid, nor anything held, nor a usage row."""
    return (payer.balance(), payer.usage()) == ((GRANTED_UCR, 0), [])


def settled(payer: Payer, count: int = 1) -> list[dict[str, Any]]:
    """Wait for so many calls to be settled and give their usage rows."""
    for _ in range(100):
        if len(usage := payer.usage()) >= count:
            return usage
        rows("SELECT pg_sleep(0.1)::text")
    raise AssertionError("the call was not settled within 10 s")

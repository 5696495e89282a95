"""What the tests of speech providers share."""

import struct
from typing import Any

from gateway.operations.speech import SpeechRequest
from gateway.providers import find_provider
from gateway.providers.base import Target
from gateway.providers.speech import SpeechProvider, speaks

REQUEST = SpeechRequest(text="Hello.")
MP3 = b"ID3\x04\x00\x00" + bytes(100)
PCM = struct.pack("<50h", *range(50))
TTS = Target(model="tts-1")
MINI = Target(model="gpt-4o-mini-tts")
FLASH = Target(model="eleven_flash_v2_5")
ORPHEUS = Target(model="orpheus-fp8")
TARGETS = {"openai": TTS, "elevenlabs": FLASH, "baseten": ORPHEUS}


def provider(slug: str) -> SpeechProvider:
    """Give a provider that speaks."""
    found = find_provider(slug)
    assert found is not None
    assert speaks(found)
    return found


def asked(**fields: Any) -> SpeechRequest:
    """Make a request."""
    return SpeechRequest(**{"text": "Hello.", **fields})

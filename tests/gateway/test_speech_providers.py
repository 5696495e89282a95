"""Speech as we ask OpenAI, ElevenLabs and Baseten for it."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.operations.speech import SpeechRequest
from gateway.providers.base import Target
from studio.core.errors import InvalidRequest
from tests.gateway.speech_bodies import FLASH, MINI, ORPHEUS, REQUEST, TARGETS, TTS, asked, provider
from tests.sandbox.openapi import violations
from tests.sandbox.test_openrouter_spec import with_nullable

SPECS = Path(__file__).resolve().parents[3] / "shared/wire/specs"
KEY = "sk_canary5f0c2d"
RACHEL = "21m00Tcm4TlvDq8ikWAM"


def sent(slug: str, request: SpeechRequest, target: Target) -> dict[str, Any]:
    """Give the body that goes to a provider."""
    body: dict[str, Any] = json.loads(provider(slug).build_speech(request, target).body)
    return body


def test_an_older_model_is_asked_for_bytes() -> None:
    built = provider("openai").build_speech(REQUEST, TTS)
    assert (built.method, built.path) == ("POST", "/audio/speech")
    assert json.loads(built.body) == {
        "model": "tts-1",
        "input": "Hello.",
        "voice": "alloy",
        "response_format": "mp3",
    }


def test_a_model_that_bills_tokens_is_asked_for_events() -> None:
    request = asked(voice="Marin", format="opus", speed=1.5, instructions="Whisper.")
    assert sent("openai", request, MINI) == {
        "model": "gpt-4o-mini-tts",
        "input": "Hello.",
        "voice": "marin",
        "response_format": "opus",
        "speed": 1.5,
        "instructions": "Whisper.",
        "stream_format": "sse",
    }


def test_a_voice_of_the_account_s_own_is_an_object() -> None:
    assert sent("openai", asked(voice="voice_12ab"), MINI)["voice"] == {"id": "voice_12ab"}


def test_elevenlabs_is_asked_with_voice_model_and_format() -> None:
    built = provider("elevenlabs").build_speech(REQUEST, FLASH)
    path = f"/text-to-speech/{RACHEL}/stream?output_format=mp3_44100_128"
    assert (built.method, built.path) == ("POST", path)
    assert json.loads(built.body) == {"text": "Hello.", "model_id": "eleven_flash_v2_5"}


def test_elevenlabs_gets_all_that_it_knows() -> None:
    request = asked(
        voice="Josh",
        format="pcm",
        speed=1.1,
        language="de",
        text_normalization="on",
        seed=7,
        stability=0.4,
        similarity=0.8,
        style=0.1,
        speaker_boost=False,
        text_before="Before.",
        text_after="After.",
    )
    built = provider("elevenlabs").build_speech(request, FLASH)
    assert built.path == "/text-to-speech/TxGEqnHWrfWFTfGW9XjX/stream?output_format=pcm_24000"
    assert json.loads(built.body) == {
        "text": "Hello.",
        "model_id": "eleven_flash_v2_5",
        "voice_settings": {
            "stability": 0.4,
            "similarity_boost": 0.8,
            "style": 0.1,
            "use_speaker_boost": False,
            "speed": 1.1,
        },
        "language_code": "de",
        "apply_text_normalization": "on",
        "seed": 7,
        "previous_text": "Before.",
        "next_text": "After.",
    }


@pytest.mark.parametrize("model", ["eleven_v3", "eleven_v4"])
def test_what_stands_around_a_text_is_not_for_later_generations(model: str) -> None:
    request = asked(text_before="Before.", text_after="After.")
    assert sent("elevenlabs", request, Target(model=model)) == {
        "text": "Hello.",
        "model_id": model,
    }


def test_a_language_is_not_for_a_model_that_hears_it() -> None:
    request = asked(language="de")
    body = sent("elevenlabs", request, Target(model="eleven_multilingual_v2"))
    assert "language_code" not in body


def test_a_dropped_parameter_is_left_out() -> None:
    target = Target(model="eleven_flash_v2_5", drop_parameters=("apply_text_normalization", "text"))
    body = sent("elevenlabs", asked(text_normalization="on"), target)
    assert body == {"text": "Hello.", "model_id": "eleven_flash_v2_5"}


def test_baseten_is_asked_for_a_prediction() -> None:
    built = provider("baseten").build_speech(asked(voice="Leo", format="pcm"), ORPHEUS)
    assert (built.method, built.path) == ("POST", "/predict")
    assert json.loads(built.body) == {"prompt": "Hello.", "voice": "leo", "max_tokens": 6144}
    assert provider("baseten").auth(KEY) == {"authorization": f"Api-Key {KEY}"}


@pytest.mark.parametrize("slug", sorted(TARGETS))
def test_the_key_travels_only_in_its_header(slug: str) -> None:
    built = provider(slug).build_speech(asked(format="pcm"), TARGETS[slug])
    assert set(built.headers).isdisjoint(provider(slug).auth(KEY))
    assert KEY in next(iter(provider(slug).auth(KEY).values()))


@pytest.mark.parametrize(
    ("slug", "voice", "named"),
    [
        ("openai", "", "alloy"),
        ("openai", "NOVA", "nova"),
        ("elevenlabs", "", RACHEL),
        ("elevenlabs", "rachel", RACHEL),
        ("elevenlabs", "alloy", RACHEL),
        ("elevenlabs", "onyx", "pNInz6obpgDQGcFmaJgB"),
        ("elevenlabs", "abcdefghij0123456789", "abcdefghij0123456789"),
        ("baseten", "", "tara"),
        ("baseten", "Zoe", "zoe"),
    ],
)
def test_a_voice_has_the_provider_s_own_name(slug: str, voice: str, named: str) -> None:
    assert provider(slug).voice_of(asked(voice=voice), TARGETS[slug]) == named


@pytest.mark.parametrize(
    ("slug", "target", "fields", "lacking"),
    [
        ("openai", TTS, {}, None),
        ("openai", TTS, {"voice": "marin"}, "voice"),
        ("openai", MINI, {"voice": "marin"}, None),
        ("openai", TTS, {"voice": "voice_12ab"}, "voice"),
        ("openai", MINI, {"voice": "Rachel"}, "voice"),
        ("openai", TTS, {"instructions": "Whisper."}, "instructions"),
        ("openai", TTS, {"seed": 1}, "seed"),
        ("openai", TTS, {"stability": 0.5}, "stability"),
        ("openai", TTS, {"text_normalization": "off"}, "text_normalization"),
        ("openai", TTS, {"text_normalization": "on", "language": "de"}, None),
        ("elevenlabs", FLASH, {"instructions": "Whisper."}, "instructions"),
        ("elevenlabs", FLASH, {"voice": "../v1/user"}, "voice"),
        ("elevenlabs", FLASH, {"voice": "tara"}, "voice"),
        ("baseten", ORPHEUS, {"voice": "alloy"}, "voice"),
        ("baseten", ORPHEUS, {"language": "de"}, "language"),
        ("baseten", ORPHEUS, {"language": "en"}, None),
        ("baseten", ORPHEUS, {"seed": 1}, "seed"),
        ("baseten", ORPHEUS, {"text_normalization": "auto"}, None),
    ],
)
def test_what_a_model_lacks_is_named_and_never_sent(
    slug: str, target: Target, fields: dict[str, Any], lacking: str | None
) -> None:
    request = asked(format="pcm", **fields)
    assert provider(slug).unsupported_speech(request, target) == lacking
    if lacking is not None:
        with pytest.raises(InvalidRequest) as refused:
            provider(slug).build_speech(request, target)
        assert refused.value.details == {"param": lacking}


@pytest.mark.parametrize(
    ("slug", "model", "most"),
    [
        ("openai", "tts-1", 4_096),
        ("elevenlabs", "eleven_v3", 3_000),
        ("elevenlabs", "eleven_multilingual_v2", 10_000),
        ("elevenlabs", "eleven_flash_v2_5", 40_000),
        ("elevenlabs", "eleven_of_tomorrow", 3_000),
        ("baseten", "orpheus-fp16", 2_000),
    ],
)
def test_how_long_a_text_may_be_depends_on_the_model(slug: str, model: str, most: int) -> None:
    assert provider(slug).most_characters(Target(model=model)) == most


@pytest.mark.parametrize(
    ("slug", "model", "speed", "keeps"),
    [
        ("openai", "tts-1", 4.0, True),
        ("elevenlabs", "eleven_flash_v2_5", 0.7, True),
        ("elevenlabs", "eleven_flash_v2_5", 0.69, False),
        ("elevenlabs", "eleven_flash_v2_5", 1.3, False),
        ("elevenlabs", "eleven_v3", 1.1, False),
        ("elevenlabs", "eleven_v3", 1.0, True),
        ("baseten", "orpheus-fp8", 1.0, True),
        ("baseten", "orpheus-fp8", 1.1, False),
    ],
)
def test_a_speed_is_spoken_or_left_to_us(slug: str, model: str, speed: float, keeps: bool) -> None:
    assert provider(slug).keeps_speed(asked(speed=speed), Target(model=model)) is keeps


def test_samples_are_native_everywhere() -> None:
    formats = {slug: provider(slug).native_formats(target) for slug, target in TARGETS.items()}
    assert formats == {
        "openai": {"mp3", "opus", "aac", "flac", "wav", "pcm"},
        "elevenlabs": {"mp3", "pcm"},
        "baseten": {"pcm"},
    }


def document(name: str) -> dict[str, Any]:
    """Load a provider's document, or say plainly that these claims go unchecked."""
    path = SPECS / name
    if not path.exists():
        pytest.skip(f"NOT CHECKED AGAINST A PROVIDER'S SPEC: there is no {path}")
    found: dict[str, Any] = with_nullable(json.loads(path.read_bytes()))
    return found


def test_what_openai_is_sent_is_documented() -> None:
    request = asked(voice="marin", speed=2.0, instructions="Whisper.", format="flac")
    spec = document("openai.openapi.json")
    assert violations(spec, "CreateSpeechRequest", sent("openai", request, MINI)) == []


def test_what_elevenlabs_is_sent_is_documented() -> None:
    request = asked(
        speed=1.1, language="de", text_normalization="on", seed=7, stability=0.5, text_before="B."
    )
    spec = document("elevenlabs.openapi.trim.json")
    body = sent("elevenlabs", request, FLASH)
    assert violations(spec, "Body_text_to_speech_stream", body) == []
    path = spec["paths"]["/v1/text-to-speech/{voice_id}/stream"]["post"]
    formats = next(
        row["schema"]["enum"] for row in path["parameters"] if row["name"] == "output_format"
    )
    for form in ("mp3", "pcm"):
        built = provider("elevenlabs").build_speech(asked(format=form), FLASH)
        assert built.path.rpartition("=")[2] in formats


def test_every_voice_of_openai_s_document_is_known() -> None:
    names = document("openai.openapi.json")["components"]["schemas"]["VoiceIdsShared"]["anyOf"][1]
    for voice in names["enum"]:
        assert provider("openai").unsupported_speech(asked(voice=voice), MINI) is None

"""OpenAI's speech: a text read aloud while it is sent, as bytes or as events.

Source: github openai/openai-openapi v2.3.0 (2026-08-21), CreateSpeechRequest, SpeechAudioDoneEvent;
`openai` Python SDK 3.52.0. How many tokens a second of sound is follows from LiteLLM's two prices
of gpt-4o-mini-tts (1.109.1): 21; here it is 20.
Left out: voices of an account's own, beyond the form of their ids.
"""

import re
from base64 import b64encode
from collections.abc import Iterator

import msgspec

from sandbox.chat_form import event
from sandbox.faults import Faults
from sandbox.messages import Json, Reply
from sandbox.openai_checks import WireError
from sandbox.openai_usage import wrong_count
from sandbox.text import count_tokens
from sandbox.voices_files import Form, length_ms_of, speech

FIRST_BYTE_MS, PACE_MS = 80, 4
_FIELDS = ("model", "input", "voice", "instructions", "response_format", "speed", "stream_format")
_FORMS = {
    "mp3": Form("mp3", "libmp3lame", 24000, 128_000),
    "opus": Form("ogg", "libopus", 48000, 64_000, "audio/opus"),
    "aac": Form("adts", "aac", 24000, 64_000, "audio/aac"),
    "flac": Form("flac", "flac", 24000, media_type="audio/flac"),
    "wav": Form("wav", "pcm_s16le", 24000, media_type="audio/wav"),
    "pcm": Form("", "pcm_s16le", 24000, media_type="audio/pcm"),
}
_OLDER = ("tts-1", "tts-1-hd", "tts-1-1106", "tts-1-hd-1106")
_NEWER = ("gpt-4o-mini-tts", "gpt-4o-mini-tts-2025-12-15", "gpt-4o-mini-tts-2025-03-20")
_OLDER_VOICES = ("alloy", "ash", "coral", "echo", "fable", "onyx", "nova", "sage", "shimmer")
_VOICES = (*_OLDER_VOICES, "ballad", "verse", "marin", "cedar")
_CUSTOM_VOICE = re.compile(r"voice_\w+")
_MOST_CHARACTERS = 4096
_SPEEDS = (0.25, 4.0)
_MS_PER_TOKEN = 50


def directive_text(wanted: Json) -> str:
    """Give the text that may ask for faults."""
    text = wanted.get("input")
    return text if isinstance(text, str) else ""


def speak(wanted: Json, faults: Faults) -> Reply:
    """Answer one request. Raises: WireError for what the live API refuses."""
    given = {name: value for name, value in wanted.items() if value is not None}
    _check(given, faults)
    voice = given["voice"]
    form = _FORMS[given.get("response_format", "mp3")]
    speed = given.get("speed", 1.0)
    text: str = given["input"]
    sound = speech(text, voice if isinstance(voice, str) else voice["id"], form, speed=speed)
    delayed = msgspec.structs.replace(faults, latency_ms=faults.latency_ms or FIRST_BYTE_MS)
    if given.get("stream_format") == "sse":
        delayed = msgspec.structs.replace(delayed, chunk_delay_ms=faults.chunk_delay_ms or PACE_MS)
        tokens = length_ms_of(text, speed=speed) // _MS_PER_TOKEN
        heard = count_tokens(text) + count_tokens(given.get("instructions", ""))
        return Reply(
            events=_events(sound, faults, heard=heard, said=max(tokens, 1)),
            error_event=event(WireError("The server had an error.", kind="server_error").body),
            faults=delayed,
        )
    return Reply(
        headers=[(b"content-type", form.media_type.encode())],
        pieces=sound,
        pace_ms=PACE_MS,
        faults=delayed,
    )


def _events(sound: Iterator[bytes], faults: Faults, *, heard: int, said: int) -> Iterator[bytes]:
    for piece in sound:
        yield event({"type": "speech.audio.delta", "audio": b64encode(piece).decode()})
    done: Json = {"type": "speech.audio.done"}
    if faults.usage:
        wrong = wrong_count(faults.usage)
        done["usage"] = {"input_tokens": wrong, "output_tokens": wrong, "total_tokens": wrong}
    elif not faults.missing_usage:
        done["usage"] = {
            "input_tokens": heard,
            "output_tokens": said,
            "total_tokens": heard + said,
        }
    if not faults.no_done:
        yield event(done)


def _check(given: Json, faults: Faults) -> None:
    for name in given:
        if name not in _FIELDS:
            raise WireError(f"Unrecognized request argument supplied: {name}", param=name)
    if faults.reject in given:
        raise WireError("Unsupported value.", param=faults.reject, code="unsupported_value")
    if faults.refusal or faults.content_filter:
        raise WireError("The text violates our usage policies.", code="content_policy_violation")
    for name in ("model", "input", "voice"):
        if name not in given:
            raise WireError(f"Missing required parameter: '{name}'.", param=name)
    if given["model"] not in (*_OLDER, *_NEWER):
        text = f"The model `{given['model']}` does not exist or you do not have access to it."
        raise WireError(text, param="model", code="model_not_found", status=404)
    _check_texts(given)
    _check_voice(given)
    _check_manner(given)


def _check_texts(given: Json) -> None:
    for name in ("input", "instructions"):
        text = given.get(name, "")
        if not isinstance(text, str) or len(text) > _MOST_CHARACTERS:
            words = f"Invalid '{name}': string too long. Expected at most {_MOST_CHARACTERS}."
            raise WireError(words, param=name, code="string_above_max_length")
    if not given["input"].strip():
        raise WireError("Invalid 'input': string too short.", param="input")


def _check_voice(given: Json) -> None:
    voice = given["voice"]
    older = given["model"] in _OLDER
    if isinstance(voice, dict) and voice.keys() == {"id"} and not older:
        if _CUSTOM_VOICE.fullmatch(str(voice["id"])):
            return
        raise WireError("Voice not found.", param="voice", status=404)
    known = _OLDER_VOICES if older else _VOICES
    if voice not in known:
        words = f"Input should be {', '.join(map(repr, known))}"
        raise WireError(words, param="voice", code="invalid_value")


def _check_manner(given: Json) -> None:
    if given.get("response_format", "mp3") not in _FORMS:
        words = f"Input should be {', '.join(map(repr, _FORMS))}"
        raise WireError(words, param="response_format", code="invalid_value")
    speed = given.get("speed", 1.0)
    low, high = _SPEEDS
    if isinstance(speed, bool) or not isinstance(speed, int | float) or not low <= speed <= high:
        raise WireError(f"Invalid 'speed': between {low} and {high}.", param="speed")
    streamed = given.get("stream_format", "audio")
    if streamed not in ("audio", "sse"):
        raise WireError("Input should be 'audio' or 'sse'", param="stream_format")
    if given["model"] in _OLDER:
        for name in ("instructions", *(["stream_format"] if streamed == "sse" else [])):
            if given.get(name):
                words = f"{given['model']} does not support '{name}'."
                raise WireError(words, param=name, code="unsupported_parameter")

"""ElevenLabs' speech: a text read aloud while it is sent, in the formats of both routes.

Source: ElevenLabs' OpenAPI (stored copy of 2026-08), Body_text_to_speech_stream; `elevenlabs` SDK
2.78.0, `text_to_speech`; headers: elevenlabs.io docs, Generation metadata. What stands around a
text is refused by models of the third generation: github home-assistant/core #182944.
Left out: timestamps, pronunciation dictionaries, effects, plans.
"""

import hashlib
import os

import msgspec

from sandbox.elevenlabs_checks import ElevenLabsError, invalid_field
from sandbox.elevenlabs_errors import asked_for, error_reply, query_of, read_body, read_faults, told
from sandbox.elevenlabs_voices import MOST_CHARACTERS, VOICE_IDS, cost_factor
from sandbox.faults import Faults
from sandbox.messages import Headers, Json, Reply, Request
from sandbox.voices_files import Form, speech

FIRST_BYTE_MS, PACE_MS = 80, 4
"""How long the first piece takes, and each after it: some fifty times faster than it sounds."""
_RUN = os.urandom(8)
_FIELDS = frozenset(
    (
        *("text", "model_id", "language_code", "voice_settings", "seed", "audio_effects"),
        *("previous_text", "next_text", "previous_request_ids", "next_request_ids"),
        *("pronunciation_dictionary_locators", "use_pvc_as_ivc"),
        *("apply_text_normalization", "apply_language_text_normalization"),
    )
)
_AROUND = ("previous_text", "next_text", "previous_request_ids", "next_request_ids")
_SETTINGS = ("stability", "similarity_boost", "style", "use_speaker_boost", "speed")
_SPEEDS = (0.7, 1.2)
_OWN_MODEL = "eleven_multilingual_v2"
_PCM_HZ = (8000, 16000, 22050, 24000, 32000, 44100, 48000)
_FORMS = {
    **{
        f"mp3_{hz}_{kbps}": Form("mp3", "libmp3lame", hz, kbps * 1000)
        for hz, kbps in ((22050, 32), (24000, 48), *((44100, k) for k in (32, 64, 96, 128, 192)))
    },
    **{f"pcm_{hz}": Form("", "pcm_s16le", hz, media_type="audio/pcm") for hz in _PCM_HZ},
    **{
        f"opus_48000_{kbps}": Form("ogg", "libopus", 48000, kbps * 1000, "audio/ogg")
        for kbps in (32, 64, 96, 128, 192)
    },
    "ulaw_8000": Form("mulaw", "pcm_mulaw", 8000, media_type="audio/basic"),
    "alaw_8000": Form("alaw", "pcm_alaw", 8000, media_type="audio/basic"),
}
_WHOLE_FORMS = {f"wav_{hz}": Form("wav", "pcm_s16le", hz, media_type="audio/wav") for hz in _PCM_HZ}
"""Only of the route that answers whole."""


def speak(request: Request) -> Reply:
    """Read a text aloud. Raises: ElevenLabsError."""
    voice_id, streams = _place(request.path)
    wanted = read_body(request)
    faults, text = read_faults(request, wanted.get("text"))
    try:
        if faults.status:
            raise asked_for(request, faults)
        form = _form(query_of(request).get("output_format", "mp3_44100_128"), streams=streams)
        model = _check(request, wanted, faults)
        if voice_id not in VOICE_IDS:
            words = f"A voice with the voice_id {voice_id} was not found."
            raise told(request, 404, "voice_not_found", words, param="voice_id")
    except ElevenLabsError as error:
        return error_reply(request, error, faults)
    settings = wanted.get("voice_settings") or {}
    delayed = msgspec.structs.replace(faults, latency_ms=faults.latency_ms or FIRST_BYTE_MS)
    # Models of the third and fourth generation speak at one speed.
    speed = 1.0 if model.startswith(("eleven_v3", "eleven_v4")) else settings.get("speed") or 1.0
    return Reply(
        headers=_headers(request, form, cost=len(text) * cost_factor(model)),
        pieces=speech(text, voice_id, form, speed=speed),
        pace_ms=PACE_MS,
        faults=delayed,
    )


def _place(path: str) -> tuple[str, bool]:
    """Read voice and route. Raises: ElevenLabsError."""
    voice_id, _, rest = path.removeprefix("/v1/text-to-speech/").partition("/")
    if not voice_id or rest not in ("", "stream"):
        raise ElevenLabsError({"detail": "Not Found"}, status=404)
    return voice_id, rest == "stream"


def _form(name: str, *, streams: bool) -> Form:
    known = _FORMS if streams else {**_FORMS, **_WHOLE_FORMS}
    if name not in known:
        allowed = ", ".join(f"'{one}'" for one in known)
        raise invalid_field(["query", "output_format"], f"Input should be {allowed}", "enum")
    return known[name]


def _check(request: Request, wanted: Json, faults: Faults) -> str:
    """Refuse what the live API refuses. Returns: the model. Raises: ElevenLabsError."""
    for name in wanted:
        if name not in _FIELDS:
            raise invalid_field(["body", name], "Extra inputs are not permitted", "extra_forbidden")
    if faults.reject and faults.reject in wanted:
        words = f"The '{faults.reject}' parameter is not supported."
        raise told(request, 400, "invalid_parameters", words, param=faults.reject)
    if faults.refusal or faults.content_filter:
        raise told(request, 400, "content_policy_violation", "The text violates our terms.")
    _check_types(wanted)
    model: str = wanted.get("model_id") or _OWN_MODEL
    if model not in MOST_CHARACTERS:
        words = f"A model with model_id {model} does not exist."
        raise told(request, 400, "model_not_found", words, param="model_id")
    if len(wanted["text"]) > MOST_CHARACTERS[model]:
        words = f"Request may have at most {MOST_CHARACTERS[model]} characters."
        error = told(request, 400, "max_character_limit_exceeded", words)
        error.body = {"detail": {"status": "max_character_limit_exceeded", "message": words}}
        raise error
    _check_model(request, wanted, model)
    return model


def _check_types(wanted: Json) -> None:
    text = wanted.get("text")
    if not isinstance(text, str):
        raise invalid_field(["body", "text"], "Field required", "missing")
    normalization = wanted.get("apply_text_normalization")
    if normalization not in (None, "auto", "on", "off"):
        words = "Input should be 'auto', 'on' or 'off'"
        raise invalid_field(["body", "apply_text_normalization"], words, "enum")
    seed = wanted.get("seed")
    if seed is not None and (type(seed) is not int or not 0 <= seed <= 2**32 - 1):
        raise invalid_field(["body", "seed"], "Input should be a valid integer", "int_type")
    settings = wanted.get("voice_settings")
    if settings is not None and not isinstance(settings, dict):
        raise invalid_field(["body", "voice_settings"], "Input should be an object", "dict_type")
    for name, value in (settings or {}).items():
        if name not in _SETTINGS:
            place = ["body", "voice_settings", name]
            raise invalid_field(place, "Extra inputs are not permitted", "extra_forbidden")
        low, high = _SPEEDS if name == "speed" else (0, 1)
        if value is not None and not low <= value <= high:
            words = f"Input should be between {low} and {high}"
            raise invalid_field(["body", "voice_settings", name], words, "less_than_equal")


def _check_model(request: Request, wanted: Json, model: str) -> None:
    """Refuse what only other models take. Raises: ElevenLabsError."""
    around = [name for name in _AROUND if wanted.get(name)]
    if around and model.startswith("eleven_v3"):
        words = f"Providing {around[0]} is not yet supported with the '{model}' model."
        raise told(request, 400, "unsupported_model", words, param="model_id")
    if wanted.get("language_code") and model == "eleven_multilingual_v2":
        words = f"Model '{model}' does not support the language_code parameter."
        raise told(request, 400, "unsupported_language", words, param="language_code")
    if not wanted["text"].strip():
        raise told(request, 400, "invalid_parameters", "Text cannot be empty.", param="text")


def _headers(request: Request, form: Form, *, cost: float) -> Headers:
    unique = hashlib.sha256(request.digest + request.number.to_bytes(8) + _RUN).hexdigest()
    return [
        (b"content-type", form.media_type.encode()),
        (b"request-id", unique[:20].encode()),
        (b"character-cost", b"%d" % -(-cost // 1)),
        (b"current-concurrent-requests", b"1"),
        (b"maximum-concurrent-requests", b"10"),
    ]

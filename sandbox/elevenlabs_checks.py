"""Which requests for music ElevenLabs refuses, in the words of its validation.

Source: ElevenLabs' OpenAPI (stored copy of 2026-08), Body_Compose_music_v1_music_post and
HTTPValidationError. Stricter than it: an unknown field is refused, to show what a client must leave
out.
"""

from collections.abc import Callable
from types import MappingProxyType

from sandbox.messages import Headers, Json

LEAST_MS, MOST_MS = 3_000, 600_000
_MODELS = ("music_v1", "music_v2", "music_v2_5")
_MP3 = {
    "mp3_22050_32": (22050, 32),
    "mp3_24000_48": (24000, 48),
    "mp3_44100_32": (44100, 32),
    "mp3_44100_64": (44100, 64),
    "mp3_44100_96": (44100, 96),
    "mp3_44100_128": (44100, 128),
    "mp3_44100_192": (44100, 192),
    "mp3_48000_128": (48000, 128),
    "mp3_48000_192": (48000, 192),
    "mp3_48000_320": (48000, 320),
}
_PCM_HZ = (8000, 16000, 22050, 24000, 32000, 44100, 48000)


class ElevenLabsError(Exception):
    """An answer other than 200."""

    def __init__(self, body: Json, *, status: int) -> None:
        super().__init__(str(body))
        self.body = body
        self.status = status
        self.headers: Headers = []


def invalid_field(place: list[str], message: str, kind: str) -> ElevenLabsError:
    """Refuse one field; `place` says where it is, outermost first."""
    return ElevenLabsError(
        {"detail": [{"loc": place, "msg": message, "type": kind}]},
        status=422,
    )


def check_format(query: dict[str, str], wanted: object) -> tuple[str, int, int]:
    """Read which sound is wanted. Returns: codec, samples a second, kilobits a second (0 for PCM).

    Raises: ElevenLabsError.
    """
    name = query.get("output_format", "auto")
    if name == "auto":
        model = wanted.get("model_id") if isinstance(wanted, dict) else None
        name = "mp3_44100_128" if model in (None, "music_v1") else "mp3_48000_192"
    if name in _MP3:
        return ("mp3", *_MP3[name])
    codec, _, rate = name.partition("_")
    if codec == "pcm" and rate.isdigit() and int(rate) in _PCM_HZ:
        return "pcm", int(rate), 0
    allowed = ", ".join(f"'{one}'" for one in ("auto", *_MP3))
    raise invalid_field(["query", "output_format"], f"Input should be {allowed}", "enum")


def check_music(wanted: object) -> None:
    """Refuse a body with fields that are unknown or of another type. Raises: ElevenLabsError."""
    if not isinstance(wanted, dict):
        text = "Input should be a valid dictionary or object to extract fields from"
        raise invalid_field(["body"], text, "model_attributes_type")
    for name, value in wanted.items():
        check = _FIELDS.get(name)
        if check is None:
            text = "Extra inputs are not permitted"
            raise invalid_field(["body", name], text, "extra_forbidden")
        if value is not None:
            check(name, value)


def _text(most: int) -> Callable[[str, object], None]:
    def check(name: str, value: object) -> None:
        if not isinstance(value, str):
            raise invalid_field(["body", name], "Input should be a valid string", "string_type")
        if len(value) > most:
            text = f"String should have at most {most} characters"
            raise invalid_field(["body", name], text, "string_too_long")

    return check


def _whole(least: int, most: int) -> Callable[[str, object], None]:
    def check(name: str, value: object) -> None:
        if type(value) is not int:
            raise invalid_field(["body", name], "Input should be a valid integer", "int_type")
        if value < least:
            text = f"Input should be greater than or equal to {least}"
            raise invalid_field(["body", name], text, "greater_than_equal")
        if value > most:
            text = f"Input should be less than or equal to {most}"
            raise invalid_field(["body", name], text, "less_than_equal")

    return check


def _flag(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise invalid_field(["body", name], "Input should be a valid boolean", "bool_type")


def _number(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise invalid_field(["body", name], "Input should be a valid number", "float_type")


def _model(name: str, value: object) -> None:
    if value not in _MODELS:
        allowed = " or ".join(f"'{model}'" for model in _MODELS)
        raise invalid_field(["body", name], f"Input should be {allowed}", "enum")


def _plan(name: str, value: object) -> None:
    """Refuse a plan that is not one of timed parts."""
    parts = (value.get("sections") or value.get("chunks")) if isinstance(value, dict) else None
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        raise invalid_field(["body", name], "Field required", "missing")
    for part in parts:
        _whole(3_000, 120_000)(f"{name}.duration_ms", part.get("duration_ms"))


_FIELDS: MappingProxyType[str, Callable[[str, object], None]] = MappingProxyType(
    {
        "prompt": _text(4_100),
        "lyrics_text": _text(4_000),
        "composition_plan": _plan,
        "music_length_ms": _whole(LEAST_MS, MOST_MS),
        "model_id": _model,
        "seed": _whole(0, 2**31 - 1),
        "force_instrumental": _flag,
        "finetune_id": _text(100),
        "finetune_strength": _number,
        "use_phonetic_names": _flag,
        "respect_sections_durations": _flag,
        "store_for_inpainting": _flag,
        "sign_with_c2pa": _flag,
    }
)

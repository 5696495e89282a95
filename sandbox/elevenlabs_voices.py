"""ElevenLabs' lists: voices, whole or in pages, and models with their limits.

Source: ElevenLabs' OpenAPI (stored copy of 2026-08), VoiceResponseModel, GetVoicesV2ResponseModel,
ModelResponseModel; the older voices: elevenlabs.io docs, Voices, premade ones at second hand.
"""

import msgspec

from sandbox.elevenlabs_checks import invalid_field
from sandbox.elevenlabs_errors import query_of, told
from sandbox.messages import Json, Reply, Request

_JSON = (b"content-type", b"application/json")
_MOST_PAGE = 100
_NEWER = (
    ("9BWtsMINqrJLrRacOk9x", "Aria", "female"),
    ("CwhRBWXzGAHq8TQ4Fs17", "Roger", "male"),
    ("EXAVITQu4vr4xnSDxMaL", "Sarah", "female"),
    ("JBFqnCBsd6RMkjVDRZzb", "George", "male"),
)
_OLDER = (
    ("21m00Tcm4TlvDq8ikWAM", "Rachel", "female"),
    ("AZnzlk1XvdvUeBnXmlld", "Domi", "female"),
    ("ErXwobaYiN019PkySvjV", "Antoni", "male"),
    ("MF3mGyEYCl7XYWbV9V6O", "Elli", "female"),
    ("TxGEqnHWrfWFTfGW9XjX", "Josh", "male"),
    ("VR6AewLTigWG4xSOukaG", "Arnold", "male"),
    ("pNInz6obpgDQGcFmaJgB", "Adam", "male"),
    ("yoZ06aMxZJJ28mfd3POQ", "Sam", "male"),
)
"""Spoken by whoever knows their ids, and left out of lists unless they are asked for."""
VOICE_IDS = frozenset(row[0] for row in (*_NEWER, *_OLDER))
MOST_CHARACTERS = {
    "eleven_v4": 3_000,
    "eleven_v4_turbo": 3_000,
    "eleven_v3": 3_000,
    "eleven_multilingual_v2": 10_000,
    "eleven_turbo_v2": 30_000,
    "eleven_flash_v2": 30_000,
    "eleven_turbo_v2_5": 40_000,
    "eleven_flash_v2_5": 40_000,
}


def cost_factor(model: str) -> float:
    """Give how many credits a character costs."""
    return 0.5 if "turbo" in model or "flash" in model else 1.0


def show(request: Request) -> Reply:
    """Answer a question for a list, or for one voice. Raises: ElevenLabsError."""
    query = query_of(request)
    if request.path == "/v1/models":
        found: object = [_model(name) for name in MOST_CHARACTERS]
    elif request.path == "/v2/voices":
        found = _page(query)
    elif request.path == "/v1/voices":
        rows = (*_NEWER, *_OLDER) if query.get("show_legacy") == "true" else _NEWER
        found = {"voices": [_voice(*row) for row in rows]}
    else:
        found = _one(request, request.path.removeprefix("/v1/voices/"))
    return Reply(headers=[_JSON], body=msgspec.json.encode(found))


def _one(request: Request, voice_id: str) -> Json:
    for row in (*_NEWER, *_OLDER):
        if row[0] == voice_id:
            return _voice(*row)
    text = f"A voice with the voice_id {voice_id} was not found."
    raise told(request, 404, "voice_not_found", text, param="voice_id")


def _page(query: dict[str, str]) -> Json:
    """Give one page of the voices whose names have what is searched for."""
    size, token = query.get("page_size", "10"), query.get("next_page_token", "0")
    for name, value in (("page_size", size), ("next_page_token", token)):
        if not value.isdigit():
            raise invalid_field(["query", name], "Input should be a valid integer", "int_parsing")
    wanted = query.get("search", "").lower()
    rows = [row for row in (*_NEWER, *_OLDER) if wanted in row[1].lower()]
    first, count = int(token), min(int(size), _MOST_PAGE)
    more = first + count < len(rows)
    return {
        "voices": [_voice(*row) for row in rows[first : first + count]],
        "has_more": more,
        "total_count": len(rows),
        "next_page_token": str(first + count) if more else None,
    }


def _voice(voice_id: str, name: str, gender: str) -> Json:
    return {
        "voice_id": voice_id,
        "name": name,
        "samples": None,
        "category": "premade",
        "fine_tuning": None,
        "labels": {"gender": gender, "accent": "american", "use_case": "narration"},
        "description": None,
        "preview_url": None,
        "available_for_tiers": [],
        "settings": None,
        "sharing": None,
        "high_quality_base_model_ids": [],
        "verified_languages": None,
        "safety_control": None,
        "voice_verification": None,
        "permission_on_resource": None,
        "is_owner": False,
        "is_legacy": any(row[0] == voice_id for row in _OLDER),
        "is_mixed": False,
        "created_at_unix": None,
    }


def _model(name: str) -> Json:
    return {
        "model_id": name,
        "name": name.replace("_", " ").title(),
        "can_be_finetuned": False,
        "can_do_text_to_speech": True,
        "can_do_voice_conversion": False,
        "can_use_style": True,
        "can_use_speaker_boost": True,
        "serves_pro_voices": False,
        "token_cost_factor": cost_factor(name),
        "description": "A model of the sandbox.",
        "requires_alpha_access": False,
        "max_characters_request_free_user": MOST_CHARACTERS[name],
        "max_characters_request_subscribed_user": MOST_CHARACTERS[name],
        "maximum_text_length_per_request": MOST_CHARACTERS[name],
        "languages": [{"language_id": "en", "name": "English"}],
        "model_rates": {"character_cost_multiplier": cost_factor(name)},
        "concurrency_group": "turbo" if cost_factor(name) < 1 else "standard",
    }

"""OpenAI's secrets for realtime sessions; nothing opens a session with them here.

Source: github openai/openai-openapi v2.3.0 (2026-08-21), RealtimeCreateClientSecretRequest and
-Response.
"""

import time
from hashlib import sha256

from sandbox.messages import Json, Request
from sandbox.openai_checks import WireError

MODEL_PREFIX = "gpt-realtime"
_SHORTEST_S = 10
_LONGEST_S = 7200
_DEFAULT_S = 600


def directive_text(wanted: Json) -> str:
    """Give the text that may ask for faults: the voice, the only text that callers choose."""
    try:
        voice = wanted["session"]["audio"]["output"]["voice"]
    except (KeyError, TypeError):
        return ""
    return voice if isinstance(voice, str) else ""


def give_secret(wanted: Json, request: Request) -> Json:
    """Answer one request: unlike all else here, each answer is another secret, with its own end.

    Raises: WireError for what the live API refuses.
    """
    life_s = _life_s(wanted.get("expires_after"))
    session = wanted.get("session")
    if not isinstance(session, dict) or session.get("type") != "realtime":
        raise WireError("Missing required parameter: 'session.type'.", param="session.type")
    model = session.get("model")
    if not isinstance(model, str) or not model.startswith(MODEL_PREFIX):
        text = f"Model '{model}' is not supported in realtime mode."
        raise WireError(text, param="session.model", code="invalid_model")
    unique = sha256(request.digest + request.number.to_bytes(8)).hexdigest()
    voice = ((session.get("audio") or {}).get("output") or {}).get("voice") or "alloy"
    return {
        "value": f"ek_{unique[:32]}",
        "expires_at": int(time.time()) + life_s,
        "session": {
            "type": "realtime",
            "object": "realtime.session",
            "id": f"sess_{unique[32:53]}",
            "model": model,
            "output_modalities": ["audio"],
            "instructions": "You are a double.",
            "tools": [],
            "tool_choice": "auto",
            "max_output_tokens": "inf",
            "tracing": None,
            "truncation": "auto",
            "expires_at": 0,
            "audio": {
                "input": {"format": {"type": "audio/pcm", "rate": 24000}},
                "output": {
                    "format": {"type": "audio/pcm", "rate": 24000},
                    "voice": voice,
                    "speed": 1.0,
                },
            },
        },
    }


def _life_s(wanted: object) -> int:
    if wanted is None:
        return _DEFAULT_S
    seconds = wanted.get("seconds", _DEFAULT_S) if isinstance(wanted, dict) else None
    if type(seconds) is not int or not _SHORTEST_S <= seconds <= _LONGEST_S:
        text = f"Invalid 'expires_after.seconds': {seconds!r} is not {_SHORTEST_S} to {_LONGEST_S}."
        raise WireError(text, param="expires_after.seconds")
    return seconds

"""What a message costs in Anthropic's tokens, by rules a test can compute (README.md)."""

import msgspec

from sandbox.anthropic_blocks import Said
from sandbox.anthropic_messages import cache_marks
from sandbox.faults import Faults
from sandbox.messages import Json
from sandbox.text import count_tokens

TOKENS_PER_MESSAGE = 4
TOKENS_PER_REPLY = 3
IMAGE_TOKENS = 1568
"""An image of 1092 x 1092 pixels, by Anthropic's rule of a token per 750 pixels and its limit."""
PDF_TOKENS = 2000
CACHE_FROM_TOKENS = 1024
CACHE_STEP_TOKENS = 128


def prompt_tokens(wanted: Json) -> int:
    """Count the tokens of a checked request."""
    total = TOKENS_PER_REPLY + _content_tokens(wanted.get("system") or "")
    if wanted.get("tools"):
        total += _json_tokens(wanted["tools"])
    for message in wanted["messages"]:
        total += TOKENS_PER_MESSAGE + _content_tokens(message["content"])
    return total


def usage_of(wanted: Json, faults: Faults, said: Said) -> Json:
    """Make the usage object of a finished answer, or a wrong one by fault."""
    total = prompt_tokens(wanted)
    marks = cache_marks(wanted)
    read = _cache_read(total, marks, faults)
    written = faults.cache_write
    hour = written if any(mark.get("ttl") == "1h" for mark in marks) else 0
    usage: Json = {
        "input_tokens": max(0, total - read - written),
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": written - hour,
            "ephemeral_1h_input_tokens": hour,
        },
        "output_tokens": said.output_tokens,
        "output_tokens_details": {"thinking_tokens": said.thinking_tokens},
        "server_tool_use": None,
        "service_tier": "standard",
        "inference_geo": "global",
    }
    if faults.usage:
        wrong = msgspec.Raw(_as_json(faults.usage))
        usage["input_tokens"] = usage["output_tokens"] = wrong
    return usage


def _cache_read(total: int, marks: list[Json], faults: Faults) -> int:
    if faults.cached is not None:
        return faults.cached
    if not marks or total < CACHE_FROM_TOKENS:
        return 0
    return (total - 1) // CACHE_STEP_TOKENS * CACHE_STEP_TOKENS


def _content_tokens(content: str | list[Json]) -> int:
    if isinstance(content, str):
        return count_tokens(content)
    return sum(_block_tokens(block) for block in content)


def _block_tokens(block: Json) -> int:
    kind = block["type"]
    if kind == "text":
        return count_tokens(block["text"])
    if kind == "image":
        return IMAGE_TOKENS
    if kind == "document":
        text = block["source"].get("data") if block["source"]["type"] == "text" else None
        return PDF_TOKENS if text is None else count_tokens(text)
    if kind == "tool_result":
        return _content_tokens(block.get("content") or "")
    if kind == "tool_use":
        return _json_tokens({"name": block["name"], "input": block["input"]})
    return count_tokens(block.get("thinking", ""))


def _json_tokens(value: object) -> int:
    return count_tokens(msgspec.json.encode(value).decode())


def _as_json(value: str) -> bytes:
    """Take a number, NaN or null as it stands and anything else as a string."""
    number = value.lstrip("-").replace(".", "", 1).isdigit()
    if number or value in ("NaN", "Infinity", "-Infinity", "null"):
        return value.encode()
    return msgspec.json.encode(value)

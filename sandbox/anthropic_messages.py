"""Which turns and blocks Anthropic refuses.

Source: Anthropic's OpenAPI document of August 2026, InputContentBlock; platform.claude.com/docs,
Versions (2026-10-21), Handle tool calls, Extended thinking; wording after replies of the live API.
Left out: `role: system`, search results, citations, files by id, server tools.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sandbox.anthropic_errors import WireError
from sandbox.messages import Json

IMAGE_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp")
NEWEST_VERSION = "2026-10-21"
MAX_CACHE_MARKS = 4
REDACTED = "redacted"
"""What a thought is signed as that was encrypted whole."""
_ID = re.compile(r"[a-zA-Z0-9_-]+")
_USER_BLOCKS = ("text", "image", "document", "tool_result")
_ASSISTANT_BLOCKS = ("text", "tool_use", "thinking", "redacted_thinking")
_FIELDS = {
    "text": {"text", "citations"},
    "image": {"source", "transformations"},
    "document": {"source", "title", "context", "citations"},
    "tool_result": {"tool_use_id", "content", "is_error"},
    "tool_use": {"id", "name", "input", "caller"},
    "thinking": {"thinking", "signature"},
    "redacted_thinking": {"data"},
}


@dataclass(slots=True)
class Turn:
    """Consecutive messages of one role, which the API joins; blocks with the place of each."""

    role: str
    blocks: list[tuple[str, Json]] = field(default_factory=list)

    def of_type(self, kind: str) -> Iterator[tuple[str, Json]]:
        """Give the blocks of one type."""
        return ((where, block) for where, block in self.blocks if block["type"] == kind)


def sign(thinking: str) -> str:
    """Sign a thought, so that it is known when it comes back."""
    digest = hashlib.sha512(b"anthropic sandbox: " + thinking.encode()).digest()
    return base64.b64encode(digest).decode()


def refuse(where: str, text: str) -> WireError:
    """Make the refusal of one place in the request."""
    return WireError(f"{where}: {text}")


def check_messages(messages: object, *, version: str) -> list[Turn]:
    """Refuse what the API refuses of `messages`.

    Returns: the turns. Raises: WireError.
    """
    if not isinstance(messages, list):
        raise refuse("messages", "Input should be a valid list")
    if not messages:
        raise refuse("messages", "at least one message is required")
    turns: list[Turn] = []
    for index, message in enumerate(messages):
        where = f"messages.{index}"
        role = _role(message, where)
        if not turns or turns[-1].role != role:
            turns.append(Turn(role))
        last = index == len(messages) - 1
        turns[-1].blocks += _blocks(message, where, version, may_be_empty=last)
    _check_tool_pairs(turns)
    return turns


def check_text_blocks(where: str, blocks: list[Any]) -> None:
    """Refuse a list that holds anything but texts. Raises: WireError."""
    for index, block in enumerate(blocks):
        _check_block(block, f"{where}.{index}", ("text",), NEWEST_VERSION)


def cache_marks(wanted: Json) -> list[Json]:
    """Find every `cache_control` of a request that was checked."""
    holders: list[Any] = [wanted, *(wanted.get("tools") or ())]
    system = wanted.get("system")
    holders += system if isinstance(system, list) else []
    for message in wanted["messages"]:
        if isinstance(message["content"], list):
            holders += message["content"]
            for block in message["content"]:
                inner = block.get("content") if block["type"] == "tool_result" else None
                holders += inner if isinstance(inner, list) else []
    return [holder["cache_control"] for holder in holders if holder.get("cache_control")]


def check_cache_mark(where: str, mark: object) -> None:
    """Refuse a cache mark that is none. Raises: WireError."""
    if mark is None:
        return
    if not isinstance(mark, dict) or mark.get("type") != "ephemeral":
        raise refuse(f"{where}.cache_control", "Input tag does not match 'ephemeral'")
    if mark.get("ttl", "5m") not in ("5m", "1h"):
        raise refuse(f"{where}.cache_control.ttl", "Input should be '5m' or '1h'")
    if unknown := set(mark) - {"type", "ttl"}:
        raise refuse(f"{where}.cache_control.{min(unknown)}", "Extra inputs are not permitted")


def _role(message: object, where: str) -> str:
    if not isinstance(message, dict):
        raise refuse(where, "Input should be a valid dictionary")
    if unknown := set(message) - {"role", "content"}:
        raise refuse(f"{where}.{min(unknown)}", "Extra inputs are not permitted")
    if "role" not in message:
        raise refuse(f"{where}.role", "Field required")
    role = message["role"]
    if role not in ("user", "assistant"):
        raise refuse(f"{where}.role", "Input should be 'user' or 'assistant'")
    return str(role)


def _blocks(
    message: Json, where: str, version: str, *, may_be_empty: bool
) -> list[tuple[str, Json]]:
    if "content" not in message:
        raise refuse(f"{where}.content", "Field required")
    content = message["content"]
    if not content and isinstance(content, str | list):
        if message["role"] == "assistant" and may_be_empty:
            return []
        raise WireError(
            f"{where}: all messages must have non-empty content except for the optional final "
            "assistant message"
        )
    if isinstance(content, str):
        _check_text(content)
        return [(where, {"type": "text", "text": content})]
    if not isinstance(content, list):
        raise refuse(f"{where}.content", "Input should be a valid string")
    allowed = _USER_BLOCKS if message["role"] == "user" else _ASSISTANT_BLOCKS
    found = []
    for index, block in enumerate(content):
        place = f"{where}.content.{index}"
        _check_block(block, place, allowed, version)
        found.append((place, block))
    return found


def _check_block(block: object, where: str, allowed: tuple[str, ...], version: str) -> None:
    if not isinstance(block, dict):
        raise refuse(where, "Input should be a valid dictionary")
    kind = block.get("type")
    if kind not in allowed:
        expected = ", ".join(f"'{name}'" for name in allowed)
        raise refuse(where, f"Input tag '{kind}' found using 'type' does not match {expected}")
    marked = set() if kind in ("thinking", "redacted_thinking") else {"cache_control"}
    if unknown := set(block) - _FIELDS[kind] - {"type"} - marked:
        raise refuse(f"{where}.{kind}.{min(unknown)}", "Extra inputs are not permitted")
    check_cache_mark(f"{where}.{kind}", block.get("cache_control"))
    newest = version == NEWEST_VERSION and allowed is _USER_BLOCKS
    if newest and kind == "text" and block.get("citations"):
        raise refuse(f"{where}.text.citations", "not allowed in a user message")
    _CHECKS[kind](block, where)


def _check_text_block(block: Json, where: str) -> None:
    _check_text(_string(block, "text", where))


def _check_text(text: str) -> None:
    if not text:
        raise WireError("messages: text content blocks must be non-empty")
    if not text.strip():
        raise WireError("messages: text content blocks must contain non-whitespace text")


def _string(holder: Json, name: str, where: str) -> str:
    if name not in holder:
        raise refuse(f"{where}.{name}", "Field required")
    if not isinstance(holder[name], str):
        raise refuse(f"{where}.{name}", "Input should be a valid string")
    return str(holder[name])


def _check_source(block: Json, where: str) -> None:
    kind, source = block["type"], block.get("source")
    where = f"{where}.{kind}.source"
    if not isinstance(source, dict):
        raise refuse(where, "Field required")
    form = source.get("type")
    if form == "url":
        if not _string(source, "url", where).startswith("https://"):
            raise refuse(f"{where}.url", "Only HTTPS URLs are supported.")
    elif form == "base64":
        allowed = IMAGE_TYPES if kind == "image" else ("application/pdf",)
        if _string(source, "media_type", where) not in allowed:
            raise refuse(f"{where}.media_type", f"Input should be {' or '.join(allowed)}")
        _check_base64(_string(source, "data", where), where)
    elif form == "text" and kind == "document":
        if _string(source, "media_type", where) != "text/plain":
            raise refuse(f"{where}.media_type", "Input should be 'text/plain'")
        _check_text(_string(source, "data", where))
    else:
        raise refuse(where, f"Input tag '{form}' found using 'type' is not expected")


def _check_base64(data: str, where: str) -> None:
    try:
        valid = bool(base64.b64decode(data, validate=True))
    except binascii.Error:
        valid = False
    if not valid:
        raise refuse(f"{where}.data", "invalid base64 data")


def _check_tool_result(block: Json, where: str) -> None:
    if not _ID.fullmatch(_string(block, "tool_use_id", where)):
        raise refuse(f"{where}.tool_result.tool_use_id", "String should match pattern")
    content = block.get("content", "")
    if isinstance(content, list):
        for index, inner in enumerate(content):
            place = f"{where}.tool_result.content.{index}"
            _check_block(inner, place, ("text", "image", "document"), NEWEST_VERSION)
    elif not isinstance(content, str):
        raise refuse(f"{where}.tool_result.content", "Input should be a valid list")


def _check_tool_use(block: Json, where: str) -> None:
    if not _ID.fullmatch(_string(block, "id", where)):
        raise refuse(f"{where}.tool_use.id", "String should match pattern '^[a-zA-Z0-9_-]+$'")
    if not 1 <= len(_string(block, "name", where)) <= 200:
        raise refuse(f"{where}.tool_use.name", "String should have at least 1 character")
    if not isinstance(block.get("input"), dict):
        raise refuse(f"{where}.tool_use.input", "Input should be a valid dictionary")


def _check_thinking(block: Json, where: str) -> None:
    signed = sign(_string(block, "thinking", where))
    if _string(block, "signature", where) != signed:
        raise refuse(where, "Invalid `signature` in `thinking` block")


def _check_redacted(block: Json, where: str) -> None:
    if _string(block, "data", where) != sign(REDACTED):
        raise refuse(where, "Invalid `data` in `redacted_thinking` block")


_CHECKS: dict[str, Callable[[Json, str], None]] = {
    "text": _check_text_block,
    "image": _check_source,
    "document": _check_source,
    "tool_result": _check_tool_result,
    "tool_use": _check_tool_use,
    "thinking": _check_thinking,
    "redacted_thinking": _check_redacted,
}


def _check_tool_pairs(turns: list[Turn]) -> None:
    """Refuse results without their calls, calls without their results, and results behind text."""
    seen: set[str] = set()
    open_ids: list[str] = []
    for turn in turns:
        if turn.role == "user":
            _check_results(turn, open_ids)
            open_ids = []
            continue
        open_ids = [block["id"] for _, block in turn.of_type("tool_use")]
        if len(open_ids) != len(set(open_ids)) or not seen.isdisjoint(open_ids):
            raise refuse(turn.blocks[0][0], "`tool_use` ids must be unique")
        seen.update(open_ids)
    if open_ids:
        raise _unanswered(turns[-1].blocks[-1][0], open_ids)


def _check_results(turn: Turn, called: list[str]) -> None:
    answered = []
    for where, block in turn.of_type("tool_result"):
        call_id = block["tool_use_id"]
        if call_id not in called:
            text = (
                f"unexpected `tool_use_id` found in `tool_result` blocks: {call_id}. Each "
                "`tool_result` block must have a corresponding `tool_use` block in the previous "
                "message."
            )
            raise refuse(where, text)
        answered.append(call_id)
    if len(answered) != len(set(answered)):
        raise refuse(turn.blocks[0][0], "each tool_use must have a single result")
    if missing := [call_id for call_id in called if call_id not in answered]:
        raise _unanswered(turn.blocks[0][0], missing)
    kinds = [block["type"] for _, block in turn.blocks]
    if "tool_result" in kinds[len(answered) :]:
        raise refuse(turn.blocks[0][0], "`tool_result` blocks must come first")


def _unanswered(where: str, ids: list[str]) -> WireError:
    text = (
        f"`tool_use` ids were found without `tool_result` blocks immediately after: "
        f"{', '.join(ids)}. Each `tool_use` block must have a corresponding `tool_result` block in "
        "the next message."
    )
    return refuse(where, text)

"""A finished answer as a response. The chat completion it is made from comes from strangers.

What is not understood is left out; nothing that was paid for is refused.
Source: `openai` Python SDK 3.52.0 (`types/responses/response.py`, `response_usage.py`,
`response_output_*.py`); github openai/openai-openapi v2.3.0 (2026-08-21), Response.
"""

import hashlib
import re
from collections.abc import Iterable
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct

from gateway.errors import UpstreamFailure
from gateway.surfaces.responses.reasoning import Block, pack_blocks, said_in, signed_block
from gateway.surfaces.responses.request import Asked

_OUR_ID = re.compile(
    r"chatcmpl-([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})"
)
_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}
_TIERS = frozenset({"auto", "default", "flex", "scale", "priority", "fast", "ultrafast"})
_LONE_SURROGATE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
"""Escapes, one after the other; the group is half of a character without its other half."""
NO_RAW = Raw(b"null")
_Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]
_Decoded = TypeVar("_Decoded")


class Head(Struct, frozen=True, kw_only=True):
    """What names a response: 32 hexadecimal digits that are in all its ids, its date, its model."""

    digits: str
    created_s: int
    model: str

    @property
    def response_id(self) -> str:
        """The id of the response."""
        return f"resp_{self.digits}"

    def item_id(self, prefix: str, index: int) -> str:
        """Give the id of the `index`-th output item."""
        return f"{prefix}_{self.digits}{index:04x}"


class _Message(Struct):
    content: Any = None
    refusal: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    thinking_blocks: Any = None
    tool_calls: Any = None


class _Choice(Struct):
    message: _Message
    logprobs: Any = None
    finish_reason: Any = None


class _Completion(Struct):
    choices: list[_Choice]
    id: Any = ""
    created: Any = 0
    model: Any = ""
    service_tier: Any = None
    usage: Raw = NO_RAW


class _InputDetails(Struct):
    cached_tokens: _Count | None = None
    cache_write_tokens: _Count | None = None


class _OutputDetails(Struct):
    reasoning_tokens: _Count | None = None


class _Usage(Struct):
    prompt_tokens: _Count
    completion_tokens: _Count
    prompt_tokens_details: _InputDetails | None = None
    completion_tokens_details: _OutputDetails | None = None
    credits_charged: Any = None


_COMPLETION = msgspec.json.Decoder(_Completion)
_USAGE = msgspec.json.Decoder(_Usage)


def write_response(completion: bytes, asked: Asked, own: Head) -> bytes:
    """Write the answer to a request as a response.

    `completion` is a chat completion with a choice. `own` names the answer if it does not itself.
    Raises: UpstreamFailure if it cannot be read at all.
    """
    try:
        answer = decode_lenient(_COMPLETION, completion)
    except msgspec.DecodeError as error:
        raise UpstreamFailure("The provider's answer cannot be read.") from error
    choice = answer.choices[0]
    head = head_of(answer.id, answer.created, answer.model, own)
    status, details = status_of(choice.finish_reason)
    return msgspec.json.encode(
        response_form(
            head,
            asked,
            status=status,
            incomplete_details=details,
            output=_output_of(choice, asked, head, status),
            usage=usage_form(answer.usage),
            service_tier=tier_of(answer.service_tier),
        )
    )


def response_form(
    head: Head,
    asked: Asked,
    *,
    status: str,
    output: list[dict[str, Any]],
    usage: dict[str, Any] | None,
    incomplete_details: dict[str, Any] | None = None,
    error: dict[str, Any] | None = None,
    service_tier: str | None = None,
) -> dict[str, Any]:
    """Put a response together. Nobody says when an answer was complete."""
    return {
        "id": head.response_id,
        "object": "response",
        "created_at": head.created_s,
        "status": status,
        "completed_at": None,
        "error": error,
        "incomplete_details": incomplete_details,
        "model": head.model,
        "output": output,
        "usage": usage,
        "service_tier": service_tier,
        **asked.shown,
    }


def head_of(answer_id: object, created: object, model: object, own: Head) -> Head:
    """Name an answer: the same whenever that answer is written, so a stored one reads as it did.

    An id of ours is kept; of another's only a digest is shown.
    """
    digits = own.digits
    if isinstance(answer_id, str) and answer_id:
        ours = _OUR_ID.fullmatch(answer_id)
        digest = hashlib.sha256(f"{answer_id}\0{created}".encode()).hexdigest()[:32]
        digits = digest if ours is None else "".join(ours.groups())
    return Head(
        digits=digits,
        created_s=created if type(created) is int and created > 0 else own.created_s,
        model=model if isinstance(model, str) and model else own.model,
    )


def status_of(finish_reason: object) -> tuple[str, dict[str, Any] | None]:
    """Say how an answer ended. Returns: the status, and the details if it is incomplete."""
    reason = _INCOMPLETE.get(finish_reason) if isinstance(finish_reason, str) else None
    return ("completed", None) if reason is None else ("incomplete", {"reason": reason})


def tier_of(service_tier: object) -> str | None:
    """Give the tier that served an answer, if it has a word that clients know."""
    return service_tier if isinstance(service_tier, str) and service_tier in _TIERS else None


def usage_form(usage: Raw, *, charged: bool = False) -> dict[str, Any] | None:
    """Read usage as a chat has it; give it as a response has it, `charged` with what it cost.

    Returns: None if it is missing or not to be believed.
    """
    try:
        read = _USAGE.decode(usage)
    except (msgspec.DecodeError, RecursionError):
        return None
    inputs = read.prompt_tokens_details or _InputDetails()
    outputs = read.completion_tokens_details or _OutputDetails()
    cached, cache_write = inputs.cached_tokens or 0, inputs.cache_write_tokens or 0
    if cached + cache_write > read.prompt_tokens:
        return None
    form: dict[str, Any] = {
        "input_tokens": read.prompt_tokens,
        "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": cache_write},
        "output_tokens": read.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": outputs.reasoning_tokens or 0},
        "total_tokens": read.prompt_tokens + read.completion_tokens,
    }
    if charged and read.credits_charged is not None:
        form["credits_charged"] = read.credits_charged
    return form


def text_part(text: str, logprobs: list[dict[str, Any]]) -> dict[str, Any]:
    """Give a piece of what was said."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": logprobs}


def refusal_part(text: str) -> dict[str, Any]:
    """Give a refusal."""
    return {"type": "refusal", "refusal": text}


def message_form(item_id: str, content: list[dict[str, Any]], status: str) -> dict[str, Any]:
    """Give what was said as an item."""
    return {
        "id": item_id,
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": content,
    }


def reasoning_form(
    item_id: str, texts: list[str], status: str, *, blocks: list[Block], as_summary: bool
) -> dict[str, Any]:
    """Give visible reasoning as an item; what was signed travels as `encrypted_content`."""
    kind = "summary_text" if as_summary else "reasoning_text"
    parts = [{"type": kind, "text": text} for text in texts]
    return {
        "id": item_id,
        "type": "reasoning",
        "status": status,
        "summary": parts if as_summary else [],
        "content": [] if as_summary else parts,
        "encrypted_content": pack_blocks(blocks),
    }


class Call(Struct, kw_only=True):
    """A call of a tool: a function's arguments are JSON as text, a custom tool's are free text."""

    is_custom: bool
    call_id: str = ""
    name: str = ""
    extra_content: dict[str, Any] | None = None

    @property
    def prefix(self) -> str:
        """What the ids of such items begin with."""
        return "ctc" if self.is_custom else "fc"

    def form(self, item_id: str, text: str, status: str) -> dict[str, Any]:
        """Give the call as an item."""
        if self.is_custom:
            shown = {"type": "custom_tool_call", "input": text}
        else:
            shown = {"type": "function_call", "arguments": text, "status": status}
        form: dict[str, Any] = {"id": item_id, **shown, "call_id": self.call_id, "name": self.name}
        if self.extra_content is not None:
            form["extra_content"] = self.extra_content
        return form


def calls_in(tool_calls: object) -> Iterable[tuple[Call, str, dict[str, Any]]]:
    """Read the calls of a message, or the pieces of calls in a delta.

    Yields: the call, its text or the piece of it, and the whole as it came.
    """
    for given in tool_calls if isinstance(tool_calls, list) else ():
        if not isinstance(given, dict):
            continue
        is_custom = isinstance(given.get("custom"), dict)
        said = given["custom"] if is_custom else given.get("function")
        if not isinstance(said, dict):
            continue
        extra = given.get("extra_content")
        call = Call(
            is_custom=is_custom,
            call_id=text_of(given.get("id")),
            name=text_of(said.get("name")),
            extra_content=extra if isinstance(extra, dict) else None,
        )
        yield call, text_of(said.get("input" if is_custom else "arguments")), given


def logprobs_of(logprobs: object) -> list[dict[str, Any]]:
    """Give the log probabilities of a text as a response has them; what is none is left out."""
    rows = logprobs.get("content") if isinstance(logprobs, dict) else None
    return [
        {**form, "top_logprobs": [form for form, _ in _logprobs(row.get("top_logprobs"))]}
        for form, row in _logprobs(rows)
    ]


def text_of(value: object) -> str:
    """Give a stranger's text; none if it is something else."""
    return value if isinstance(value, str) else ""


def decode_lenient(decoder: msgspec.json.Decoder[_Decoded], data: bytes) -> _Decoded:
    """Decode what strangers wrote; half characters in it are replaced.

    Raises: msgspec.DecodeError.
    """
    try:
        return decoder.decode(data)
    except msgspec.DecodeError:
        return decoder.decode(_LONE_SURROGATE.sub(_mended, data))


def _mended(escape: re.Match[bytes]) -> bytes:
    return escape[0] if escape[1] is None else b"\\ufffd"


def _output_of(choice: _Choice, asked: Asked, head: Head, status: str) -> list[dict[str, Any]]:
    """Give the items of an answer in their order; the last one is as complete as the whole."""
    said, found = choice.message, []
    text = text_of(said.reasoning_content) or text_of(said.reasoning)
    blocks = [
        signed
        for block in _rows(said.thinking_blocks)
        if (signed := signed_block(block, text)) is not None
    ]
    text = text or said_in(blocks)
    if text or blocks:
        form = reasoning_form(
            head.item_id("rs", 0),
            [text] if text else [],
            "completed",
            blocks=blocks,
            as_summary=asked.summarizes,
        )
        found.append(form)
    content = _content_of(choice)
    if content:
        found.append(message_form(head.item_id("msg", len(found)), content, "completed"))
    for call, arguments, _ in calls_in(said.tool_calls):
        item_id = head.item_id(call.prefix, len(found))
        call.call_id = call.call_id or head.item_id("call", len(found))
        found.append(call.form(item_id, arguments, "completed"))
    if status == "incomplete" and found and "status" in found[-1]:
        found[-1]["status"] = status
    return found


def _content_of(choice: _Choice) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = []
    if text := text_of(choice.message.content):
        content.append(text_part(text, logprobs_of(choice.logprobs)))
    if refusal := text_of(choice.message.refusal):
        content.append(refusal_part(refusal))
    return content


def _logprobs(rows: object) -> Iterable[tuple[dict[str, Any], dict[str, Any]]]:
    """Read rows of log probabilities. Yields: each row's token, and the row itself."""
    for row in _rows(rows):
        logprob, spelled = row.get("logprob"), row.get("bytes")
        if isinstance(logprob, int | float):
            form = {
                "token": text_of(row.get("token")),
                "bytes": [byte for byte in spelled if isinstance(byte, int)]
                if isinstance(spelled, list)
                else [],
                "logprob": logprob,
            }
            yield form, row


def _rows(value: object) -> list[dict[str, Any]]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []

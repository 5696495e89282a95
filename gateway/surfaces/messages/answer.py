"""A finished answer, in Anthropic's form. The chat completion it is made from comes from strangers.

What is not understood is left out; nothing that was paid for is refused.
Source: `anthropic` Python SDK 2.12.0 (`types/message.py`, `usage.py`); Anthropic's OpenAPI document
of August 2026 for the fields that are always there.
"""

import hashlib
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from gateway.operations.chat import ChatRequest, input_token_estimate
from gateway.operations.chat_tokens import counted_tokens, utf8_bytes

_STOP_REASONS = {
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}
_UNREADABLE_INPUT = "INVALID_JSON"
"""Where the arguments of a call are no JSON object, their text stands in one under this name.

Source: Anthropic, Fine-grained tool streaming, "Handling invalid JSON in tool responses".
"""
_Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]
_ENCODE = msgspec.json.Encoder().encode


class _Message(Struct):
    content: Any = None
    refusal: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    thinking_blocks: Any = None
    tool_calls: Any = None


class _Choice(Struct):
    message: _Message
    finish_reason: Any = None


class _Completion(Struct):
    choices: list[_Choice]
    id: Any = ""
    created: Any = 0
    model: Any = ""
    usage: Any = None


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


_COMPLETION = msgspec.json.Decoder(_Completion)


def write_message(completion: bytes, chat: ChatRequest) -> bytes:
    """Write the answer to `chat` as a message. `completion` is a chat completion with a choice."""
    answer = _COMPLETION.decode(completion)
    choice = answer.choices[0]
    said = choice.message
    message_id = message_id_of(answer.id, answer.created)
    calls = _calls(said.tool_calls, message_id)
    content = [*_thoughts(said), *_texts(said), *calls]
    usage = usage_of(answer.usage)
    if usage is None:
        usage = counted_usage(input_token_estimate(chat), _said_bytes(content))
    refused = isinstance(said.refusal, str) and said.refusal != ""
    return _ENCODE(
        message_form(
            message_id,
            model=answer.model,
            content=content,
            stop_reason=stop_reason_of(choice.finish_reason, refused=refused, called=bool(calls)),
            usage=usage,
        )
    )


def message_form(
    message_id: str,
    *,
    model: object,
    content: list[dict[str, Any]],
    stop_reason: str | None,
    usage: dict[str, Any],
) -> dict[str, Any]:
    """Put a message together. `stop_reason` is None while it is not over."""
    return {
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "model": model if isinstance(model, str) else "",
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "stop_details": None,
        "container": None,
        "usage": {
            **usage,
            "cache_creation": None,
            "inference_geo": None,
            "server_tool_use": None,
            "service_tier": None,
        },
    }


def message_id_of(answer_id: object, created: object) -> str:
    """Give an id of ours for an answer: the same whenever that answer is written.

    A stored answer reads as it did, and no id of a provider's is shown.
    """
    digest = hashlib.sha256(f"{answer_id}\0{created}".encode()).hexdigest()
    return f"msg_{digest[:32]}"


def stop_reason_of(finish_reason: object, *, refused: bool, called: bool) -> str:
    """Say why an answer ended. A stop sequence that was met cannot be told from the end.

    A call counts even where the provider says `stop`, as OpenAI does of a call it was told to make.
    """
    if refused:
        return "refusal"
    known = _STOP_REASONS.get(finish_reason) if isinstance(finish_reason, str) else None
    return known or ("tool_use" if called else "end_turn")


def usage_of(usage: object) -> dict[str, Any] | None:
    """Read usage as OpenAI writes it; give it as Anthropic counts: what a cache gave or took is no
    part of `input_tokens`.

    Returns: None if it is missing or not to be believed.
    """
    try:
        read = msgspec.convert(usage, _Usage)
    except msgspec.ValidationError:
        return None
    cached = written = 0
    if read.prompt_tokens_details is not None:
        cached = read.prompt_tokens_details.cached_tokens or 0
        written = read.prompt_tokens_details.cache_write_tokens or 0
    if cached + written > read.prompt_tokens:
        return None
    found: dict[str, Any] = {
        "input_tokens": read.prompt_tokens - cached - written,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": cached,
        "output_tokens": read.completion_tokens,
    }
    details = read.completion_tokens_details
    if details is not None and details.reasoning_tokens:
        thinking = min(details.reasoning_tokens, read.completion_tokens)
        found["output_tokens_details"] = {"thinking_tokens": thinking}
    return found


def counted_usage(input_tokens: int, output_bytes: int | None) -> dict[str, Any]:
    """Give our own count where the provider told none; None bytes are an answer not yet begun."""
    return {
        "input_tokens": input_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": 0 if output_bytes is None else counted_tokens(output_bytes),
    }


def thinking_form(block: object) -> dict[str, Any] | None:
    """Give a block of thinking as Anthropic writes it; None if it is none."""
    if not isinstance(block, dict):
        return None
    data = block.get("data")
    if block.get("type") == "redacted_thinking" and isinstance(data, str):
        return {"type": "redacted_thinking", "data": data}
    if block.get("type") != "thinking":
        return None
    return {
        "type": "thinking",
        "thinking": _text(block.get("thinking")),
        "signature": _text(block.get("signature")),
    }


def tool_use_form(call: dict[str, Any], call_id: str) -> dict[str, Any]:
    """Give a call as a block with no input yet. `call_id` is used where the call has no id."""
    function = call.get("function")
    name = function.get("name") if isinstance(function, dict) else ""
    form: dict[str, Any] = {
        "type": "tool_use",
        "id": _text(call.get("id")) or call_id,
        "name": _text(name),
        "input": {},
        "caller": {"type": "direct"},
    }
    if isinstance(call.get("extra_content"), dict):
        form["extra_content"] = call["extra_content"]
    return form


def is_object(text: str) -> bool:
    """Tell whether a text is one JSON object, and whole."""
    try:
        return isinstance(msgspec.json.decode(text), dict)
    except (msgspec.DecodeError, RecursionError):
        return False


def call_id_of(message_id: str, index: int) -> str:
    """Give an id to a call whose provider gave it none."""
    return f"toolu_{message_id.removeprefix('msg_')}_{index}"


def _thoughts(said: _Message) -> list[dict[str, Any]]:
    blocks = said.thinking_blocks if isinstance(said.thinking_blocks, list) else []
    found = [form for form in map(thinking_form, blocks) if form is not None]
    text = _text(said.reasoning_content) or _text(said.reasoning)
    if not found and text:
        found = [{"type": "thinking", "thinking": text, "signature": ""}]
    return found


def _texts(said: _Message) -> list[dict[str, Any]]:
    texts = [text for text in (_text(said.content), _text(said.refusal)) if text]
    return [{"type": "text", "text": text, "citations": None} for text in texts]


def _calls(calls: object, message_id: str) -> list[dict[str, Any]]:
    found = []
    for index, call in enumerate(calls if isinstance(calls, list) else ()):
        if isinstance(call, dict) and isinstance(call.get("function"), dict):
            form = tool_use_form(call, call_id_of(message_id, index))
            form["input"] = _input_of(_text(call["function"].get("arguments")))
            found.append(form)
    return found


def _input_of(arguments: str) -> dict[str, Any] | Raw:
    """Give the arguments of a call as its input; a model may write no JSON, or be cut off."""
    if not arguments.strip():
        return {}
    return Raw(arguments.encode()) if is_object(arguments) else {_UNREADABLE_INPUT: arguments}


def _said_bytes(content: list[dict[str, Any]]) -> int:
    """Count the UTF-8 bytes of what was said."""
    total = 0
    for block in content:
        total += utf8_bytes(block.get("text")) + utf8_bytes(block.get("thinking"))
        if block["type"] == "tool_use":
            total += utf8_bytes(block["name"]) + len(_ENCODE(block["input"]))
    return total


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""

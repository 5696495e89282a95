"""Writing OpenAI's form: whole answers of providers that have another, and the ends of streams.

Source: github openai/openai-openapi v2.3.0 (2026-08-21), CreateChatCompletionResponse and
CreateChatCompletionStreamResponse. `reasoning_content`, `thinking_blocks` and `extra_content` are
not OpenAI's: reasoning that other providers show, under the names that other gateways give it.
"""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from gateway.operations.chat import ChatUsage
from gateway.providers.base import Target, UpstreamFailure
from studio.core.money import ucr_to_credits

DONE = b"data: [DONE]\n\n"


class WrittenFunction(Struct, frozen=True, kw_only=True):
    """A function the model calls; `arguments` is JSON as text."""

    name: str
    arguments: str


class WrittenCall(Struct, frozen=True, kw_only=True):
    """One tool call of an answer."""

    id: str
    function: WrittenFunction
    extra_content: dict[str, Any] | None = None


class WrittenMessage(Struct, kw_only=True):
    """What one choice says. Optional parts that are None are left out of the answer."""

    content: str | None = None
    refusal: str | None = None
    tool_calls: tuple[WrittenCall, ...] = ()
    function_call: WrittenFunction | None = None
    reasoning_content: str | None = None
    thinking_blocks: tuple[dict[str, Any], ...] = ()


class WrittenChoice(Struct, frozen=True, kw_only=True):
    """One choice. `finish_reason` is a word of OpenAI's, or `other`: callers see `stop`."""

    message: WrittenMessage
    finish_reason: str


def write_completion(
    target: Target, choices: tuple[WrittenChoice, ...], usage: ChatUsage | None
) -> bytes:
    """Write a whole answer. Returns: the JSON of a chat completion."""
    return msgspec.json.encode(
        {
            "id": target.answer_id,
            "object": "chat.completion",
            "created": target.created_s,
            "model": target.model,
            "choices": [
                {
                    "index": index,
                    "message": _message(choice.message),
                    "logprobs": None,
                    "finish_reason": shown_reason(choice.finish_reason),
                }
                for index, choice in enumerate(choices)
            ],
            "usage": None if usage is None else usage_form(usage),
        }
    )


def shown_reason(reason: str) -> str:
    """Give the finish reason that callers see: typed clients know no word beyond OpenAI's."""
    return "stop" if reason == "other" else reason


def usage_form(usage: ChatUsage) -> dict[str, Any]:
    """Write usage as OpenAI does; what was written to a cache stands beside what was read."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached_input_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def usage_event(chunk: dict[str, Any], charge_ucr: int) -> bytes:
    """Write the usage chunk of a stream, the charge (µcr) in it as `credits_charged`."""
    chunk["usage"]["credits_charged"] = Raw(f"{ucr_to_credits(charge_ucr):f}".encode())
    return b"data: " + msgspec.json.encode(chunk) + b"\n\n"


def error_event(failure: UpstreamFailure) -> bytes:
    """Write the terminal event of a stream that broke."""
    error = {
        "type": failure.code,
        "message": failure.message,
        "code": failure.status,
        "param": failure.details.get("param"),
    }
    return b"data: " + msgspec.json.encode({"error": error}) + b"\n\n"


def _message(message: WrittenMessage) -> dict[str, Any]:
    written: dict[str, Any] = {
        "role": "assistant",
        "content": message.content,
        "refusal": message.refusal,
    }
    if message.reasoning_content is not None:
        written["reasoning_content"] = message.reasoning_content
    if message.thinking_blocks:
        written["thinking_blocks"] = message.thinking_blocks
    if message.tool_calls:
        written["tool_calls"] = [_call(call) for call in message.tool_calls]
    if message.function_call is not None:
        written["function_call"] = message.function_call
    return written


def _call(call: WrittenCall) -> dict[str, Any]:
    written: dict[str, Any] = {"id": call.id, "type": "function", "function": call.function}
    if call.extra_content is not None:
        written["extra_content"] = call.extra_content
    return written

"""Requests for Anthropic, and what becomes of them."""

import json
from typing import Any

from gateway.operations.chat import ChatRequest, decode_chat
from gateway.providers.anthropic import PROVIDER
from gateway.providers.base import Target

TARGET = Target(model="claude-sonnet-5-5", max_output_tokens=4000)
USER = {"role": "user", "content": "Hello"}
WEATHER: dict[str, Any] = {
    "name": "weather",
    "description": "Tells it.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
TOOL: dict[str, Any] = {"type": "function", "function": WEATHER}


def request_of(**fields: Any) -> ChatRequest:
    """Read a request for Hello with these fields."""
    return decode_chat(json.dumps({"messages": [USER], "model": "asked", **fields}).encode())


def built(target: Target = TARGET, **fields: Any) -> dict[str, Any]:
    """Give the JSON that goes to Anthropic for these fields."""
    body: dict[str, Any] = json.loads(PROVIDER.build_chat(request_of(**fields), target).body)
    return body


def extra(target: Target = TARGET, **fields: Any) -> dict[str, Any]:
    """Give what stands beside model, limit and messages."""
    body = built(target, **fields)
    del body["model"], body["max_tokens"], body["messages"]
    return body


def called(call_id: str, arguments: str = "{}", **fields: Any) -> dict[str, Any]:
    """Make an earlier answer that called the weather."""
    function = {"name": "weather", "arguments": arguments}
    call = {"type": "function", "id": call_id, "function": function}
    return {"role": "assistant", "tool_calls": [call], **fields}

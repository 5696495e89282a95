"""Requests of Anthropic's Messages API: the smallest, everything there is, and what is refused."""

import json
from typing import Any

HELLO = {"role": "user", "content": "Hello"}
PIXEL = "iVBORw0KGgo="
CACHED = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
DOCUMENT = {"type": "text", "media_type": "text/plain", "data": "x"}
TOOL = {"name": "time", "input_schema": {"type": "object"}}


def body_of(**fields: Any) -> bytes:
    """Write a request for Hello with these fields."""
    return json.dumps(
        {"model": "chat.default", "max_tokens": 64, "messages": [HELLO], **fields}
    ).encode()


def said(*blocks: dict[str, Any], role: str = "user") -> bytes:
    """Write a request whose only turn has these blocks."""
    return body_of(messages=[{"role": role, "content": list(blocks)}])


EVERYTHING: dict[str, Any] = {
    "model": "claude-sonnet-5-5",
    "max_tokens": 2048,
    "system": [{"type": "text", "text": "Be brief.", **CACHED, "citations": None}],
    "messages": [
        {"role": "user", "content": "Hello"},
        {"role": "system", "content": "The user is in a hurry."},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm", "signature": "c2ln"},
                {"type": "redacted_thinking", "data": "cmVk"},
                {"type": "text", "text": "Let me look.", "citations": []},
                {
                    "type": "tool_use",
                    "id": "toolu_1",
                    "name": "time",
                    "input": {"zone": "UTC", "days": [1, 2.5]},
                    "caller": {"type": "direct"},
                    "extra_content": {"google": {"thought_signature": "c2ln"}},
                    **CACHED,
                },
                {"type": "tool_use", "id": "toolu_2", "name": "time", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "12:00", **CACHED},
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_2",
                    "is_error": True,
                    "content": [
                        {"type": "text", "text": "No clock"},
                        {
                            "type": "image",
                            "source": {"type": "url", "url": "https://example.com/a.png"},
                        },
                    ],
                },
                {"type": "text", "text": "What is this?", **CACHED},
                {
                    "type": "image",
                    "source": {"type": "base64", "media_type": "image/png", "data": PIXEL},
                    "transformations": {"oversized_image": "downsize"},
                    **CACHED,
                },
                {
                    "type": "document",
                    "source": {
                        "type": "base64",
                        "media_type": "application/pdf",
                        "data": "JVBERi0=",
                    },
                    "title": "Report",
                    "context": "From last year",
                    "citations": {"enabled": False},
                    **CACHED,
                },
                {"type": "document", "source": DOCUMENT, "title": "Notes"},
            ],
        },
    ],
    "tools": [
        {
            **TOOL,
            "type": "custom",
            "description": "Tells the time",
            "strict": True,
            "eager_input_streaming": True,
            "allowed_callers": ["direct"],
            "defer_loading": False,
            "input_examples": [],
            **CACHED,
        }
    ],
    "tool_choice": {"type": "tool", "name": "time", "disable_parallel_tool_use": True},
    "thinking": {"type": "enabled", "budget_tokens": 1024, "display": "summarized"},
    "output_config": {
        "effort": "xhigh",
        "format": {"type": "json_schema", "schema": {"type": "object", "maximum": 2**53 - 1}},
    },
    "stop_sequences": ["\n", "END"],
    "stream": True,
    "temperature": 1,
    "top_p": 0.5,
    "top_k": 40,
    "metadata": {"user_id": "13803d75"},
    "service_tier": "standard_only",
    "speed": "standard",
    "container": None,
    "inference_geo": None,
    "diagnostics": None,
}

EVERYTHING_ASKED: dict[str, Any] = {
    "model": "claude-sonnet-5-5",
    "max_completion_tokens": 2048,
    "stream": True,
    "stream_options": {"include_usage": True},
    "temperature": 1,
    "top_p": 0.5,
    "top_k": 40,
    "stop": ["\n", "END"],
    "tools": [
        {
            "type": "function",
            "function": {
                "name": "time",
                "description": "Tells the time",
                "parameters": {"type": "object"},
                "strict": True,
            },
            **CACHED,
        }
    ],
    "tool_choice": {"type": "function", "function": {"name": "time"}},
    "parallel_tool_calls": False,
    "thinking": {"type": "enabled", "budget_tokens": 1024},
    "reasoning_effort": "xhigh",
    "response_format": {
        "type": "json_schema",
        "json_schema": {
            "name": "answer",
            "schema": {"type": "object", "maximum": 2**53 - 1},
            "strict": True,
        },
    },
    "user": "13803d75",
    "service_tier": "default",
}
"""What becomes of all of it but the messages."""

EVERYTHING_SAID: list[dict[str, Any]] = [
    {"role": "system", "content": [{"type": "text", "text": "Be brief.", **CACHED}]},
    {"role": "user", "content": "Hello"},
    {"role": "system", "content": "The user is in a hurry."},
    {
        "role": "assistant",
        "content": [{"type": "text", "text": "Let me look."}],
        "tool_calls": [
            {
                "type": "function",
                "id": "toolu_1",
                "function": {"name": "time", "arguments": '{"zone":"UTC","days":[1,2.5]}'},
                "extra_content": {"google": {"thought_signature": "c2ln"}},
            },
            {
                "type": "function",
                "id": "toolu_2",
                "function": {"name": "time", "arguments": "{}"},
            },
        ],
        "thinking_blocks": [
            {"type": "thinking", "thinking": "Hm", "signature": "c2ln"},
            {"type": "redacted_thinking", "data": "cmVk"},
        ],
    },
    {
        "role": "tool",
        "tool_call_id": "toolu_1",
        "content": [{"type": "text", "text": "12:00", **CACHED}],
    },
    {
        "role": "tool",
        "tool_call_id": "toolu_2",
        "content": [
            {"type": "text", "text": "Error: No clock"},
            {"type": "text", "text": "(shown in the next message)"},
        ],
    },
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "Shown by the tool call toolu_2:"},
            {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
            {"type": "text", "text": "What is this?", **CACHED},
            {
                "type": "image_url",
                "image_url": {"url": f"data:image/png;base64,{PIXEL}"},
                **CACHED,
            },
            {"type": "text", "text": "From last year"},
            {
                "type": "file",
                "file": {
                    "filename": "Report.pdf",
                    "file_data": "data:application/pdf;base64,JVBERi0=",
                },
                **CACHED,
            },
            {"type": "text", "text": "Notes\n\nx"},
        ],
    },
]
"""What becomes of its system, messages and all."""

REFUSED: dict[str, tuple[bytes, str]] = {
    "no max_tokens": (b'{"model":"m","messages":[{"role":"user","content":"x"}]}', "max_tokens"),
    "no model": (b'{"max_tokens":1,"messages":[{"role":"user","content":"x"}]}', "model"),
    "warming the cache only": (body_of(max_tokens=0), "max_tokens"),
    "tokens beyond 2^53": (body_of(max_tokens=2**53), "max_tokens"),
    "no messages": (body_of(messages=[]), "messages"),
    "empty content": (said(), "messages[0].content"),
    "empty text": (said({"type": "text", "text": ""}), "messages[0].content[0].text"),
    "unknown field": (body_of(mcp_servers=[]), "mcp_servers"),
    "unknown field in a block": (
        said({"type": "text", "text": "x", "weight": 1}),
        "messages[0].content[0].weight",
    ),
    "a kind": (body_of(kind="chat.default"), "kind"),
    "container": (body_of(container="c_1"), "container"),
    "region": (body_of(inference_geo="eu"), "inference_geo"),
    "diagnostics": (body_of(diagnostics={"previous_message_id": None}), "diagnostics"),
    "conversation kept elsewhere": (body_of(thread={"type": "create"}), "thread"),
    "fast": (body_of(speed="fast"), "speed"),
    "priority": (body_of(service_tier="priority"), "service_tier"),
    "five stops": (body_of(stop_sequences=list("abcde")), "stop_sequences"),
    "temperature above": (body_of(temperature=1.5), "temperature"),
    "top_k of 0": (body_of(top_k=0), "top_k"),
    "user too long": (body_of(metadata={"user_id": "u" * 513}), "metadata.user_id"),
    "small budget": (
        body_of(thinking={"type": "enabled", "budget_tokens": 1023}),
        "thinking.budget_tokens",
    ),
    "thinking between tools": (body_of(thinking={"type": "between_tools"}), "thinking.type"),
    "no effort": (body_of(output_config={"effort": "none"}), "output_config.effort"),
    "web search": (
        body_of(tools=[TOOL, {"max_uses": 3, "name": "web_search", "type": "web_search_20260318"}]),
        "tools[1].type",
    ),
    "bash": (body_of(tools=[{"type": "bash_20250124", "name": "bash"}]), "tools[0].type"),
    "tool name": (body_of(tools=[{**TOOL, "name": "a b"}]), "tools[0].name"),
    "tool without schema": (body_of(tools=[{"name": "time"}]), "tools[0].input_schema"),
    "tool loaded later": (
        body_of(tools=[{**TOOL, "defer_loading": True}]),
        "tools[0].defer_loading",
    ),
    "tool for code": (
        body_of(tools=[{**TOOL, "allowed_callers": ["code_execution_20260120"]}]),
        "tools[0].allowed_callers[0]",
    ),
    "tool with examples": (
        body_of(tools=[{**TOOL, "input_examples": [{}]}]),
        "tools[0].input_examples",
    ),
    "search result": (said({"type": "search_result"}), "messages[0].content[0].type"),
    "upload": (said({"type": "container_upload", "file_id": "f"}), "messages[0].content[0].type"),
    "image by file": (
        said({"type": "image", "source": {"type": "file", "file_id": "f"}}),
        "messages[0].content[0].source.type",
    ),
    "svg": (
        said(
            {
                "type": "image",
                "source": {"type": "base64", "media_type": "image/svg+xml", "data": "PA=="},
            }
        ),
        "messages[0].content[0].source.media_type",
    ),
    "oversized image": (
        said(
            {
                "type": "image",
                "source": {"type": "url", "url": "https://example.com/a.png"},
                "transformations": {"oversized_image": "error"},
            }
        ),
        "messages[0].content[0].transformations.oversized_image",
    ),
    "document by url": (
        said({"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}}),
        "messages[0].content[0].source.type",
    ),
    "citations wanted": (
        said({"type": "document", "source": DOCUMENT, "citations": {"enabled": True}}),
        "messages[0].content[0].citations.enabled",
    ),
    "citations wanted of a result": (
        said(
            {
                "type": "tool_result",
                "tool_use_id": "t",
                "content": [
                    {"type": "document", "source": DOCUMENT, "citations": {"enabled": True}}
                ],
            }
        ),
        "messages[0].content[0].content[0].citations.enabled",
    ),
    "citations given": (
        said({"type": "text", "text": "x", "citations": [{}]}),
        "messages[0].content[0].citations",
    ),
    "document of the assistant's": (
        said({"type": "document", "source": DOCUMENT}, role="assistant"),
        "messages[0].content[0].type",
    ),
    "call of the user's": (
        said({"type": "tool_use", "id": "t", "name": "time", "input": {}}),
        "messages[0].content[0].type",
    ),
    "call by code": (
        said(
            {
                "type": "tool_use",
                "id": "t",
                "name": "time",
                "input": {},
                "caller": {"type": "code_execution_20260120", "tool_id": "s"},
            },
            role="assistant",
        ),
        "messages[0].content[0].caller.type",
    ),
    "input that is no object": (
        said({"type": "tool_use", "id": "t", "name": "time", "input": []}, role="assistant"),
        "messages[0].content[0].input",
    ),
    "tool's role": (body_of(messages=[{"role": "tool", "content": "x"}]), "messages[0].role"),
    "cache for a day": (
        body_of(cache_control={"type": "ephemeral", "ttl": "24h"}),
        "cache_control.ttl",
    ),
}
"""Why, the body, and the field that the refusal names."""

WITHOUT_A_PLACE: dict[str, bytes] = {
    "integer beyond 2^53 in a schema": body_of(tools=[{**TOOL, "input_schema": {"m": [2**53]}}]),
    "integer beyond 2^53 in a format": body_of(
        output_config={"format": {"type": "json_schema", "schema": {"m": -(2**60)}}}
    ),
    "integer beyond 2^53 in an input": said(
        {"type": "tool_use", "id": "t", "name": "time", "input": {"n": 2**53}}, role="assistant"
    ),
    "100001 values in an input": said(
        {"type": "tool_use", "id": "t", "name": "time", "input": {"n": [1] * 100_001}},
        role="assistant",
    ),
}
"""Bodies that are refused as a whole."""

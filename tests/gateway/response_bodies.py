"""Bodies for `/v1/responses`: one with everything in it, and others and why they are refused."""

import json
from typing import Any

PICTURE = "data:image/png;base64,iVBORw0KGgo="
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {"type": "function", "name": "weather", "parameters": SCHEMA}


def body_of(**fields: Any) -> bytes:
    """Write a request for Hello with these fields."""
    return json.dumps({"model": "gpt-5.6-sol", "input": "Hello", **fields}).encode()


def with_item(**item: Any) -> bytes:
    """Write a request with a word of the user's and this item."""
    return body_of(input=[{"role": "user", "content": "Hello"}, item])


def with_part(**part: Any) -> bytes:
    """Write a request whose user shows this part."""
    return body_of(input=[{"role": "user", "content": [part]}])


EVERYTHING: dict[str, Any] = {
    "model": "chat.default",
    "input": "Hello",
    "instructions": "Be brief.",
    "stream": True,
    "stream_options": {"include_obfuscation": False},
    "max_output_tokens": 200,
    "max_tool_calls": 3,
    "temperature": 0.5,
    "top_p": 0.9,
    "top_logprobs": 2,
    "tools": [
        {**WEATHER, "description": "Tell the weather", "strict": True, "defer_loading": False},
        {
            "type": "custom",
            "name": "shell",
            "description": "Run",
            "format": {"type": "grammar", "definition": "start: /a/", "syntax": "lark"},
        },
        {"type": "custom", "name": "note", "format": {"type": "text"}},
    ],
    "tool_choice": {
        "type": "allowed_tools",
        "mode": "required",
        "tools": [{"type": "function", "name": "weather"}, {"type": "custom", "name": "shell"}],
    },
    "parallel_tool_calls": False,
    "text": {
        "format": {"type": "json_schema", "name": "place", "schema": SCHEMA, "strict": True},
        "verbosity": "low",
    },
    "reasoning": {"effort": "high", "summary": "auto", "context": "auto", "mode": "standard"},
    "include": ["reasoning.encrypted_content", "message.output_text.logprobs"],
    "metadata": {"order": "7"},
    "user": "u1",
    "safety_identifier": "s1",
    "prompt_cache_key": "k1",
    "prompt_cache_options": {"mode": "explicit"},
    "prompt_cache_retention": "24h",
    "service_tier": "flex",
    "store": True,
    "truncation": "disabled",
    "background": False,
    "previous_response_id": None,
    "conversation": None,
}

REFUSED: dict[str, tuple[bytes, str]] = {
    "an unknown field": (body_of(temprature=1), "temprature"),
    "no input": (b'{"model":"m"}', "input"),
    "empty input": (body_of(input=[]), "input"),
    "input that is a number": (body_of(input=7), "input"),
    "nothing but reasoning": (body_of(input=[{"type": "reasoning", "summary": []}]), "input"),
    "previous_response_id": (body_of(previous_response_id="resp_1"), "previous_response_id"),
    "conversation": (body_of(conversation="conv_1"), "conversation"),
    "conversation as an object": (body_of(conversation={"id": "conv_1"}), "conversation"),
    "prompt": (body_of(prompt={"id": "pmpt_1"}), "prompt"),
    "background": (body_of(background=True), "background"),
    "truncation": (body_of(truncation="auto"), "truncation"),
    "context_management": (
        body_of(context_management=[{"type": "compaction"}]),
        "context_management",
    ),
    "moderation": (body_of(moderation={"model": "omni-moderation-latest"}), "moderation"),
    "image": (body_of(image={"context_compression": "enabled"}), "image"),
    "access_programs": (body_of(access_programs={"cyber": "standard"}), "access_programs"),
    "include": (
        body_of(include=["message.output_text.logprobs", "file_search_call.results"]),
        "include[1]",
    ),
    "stream_options": (body_of(stream_options={}), "stream_options"),
    "web_search": (body_of(tools=[WEATHER, {"type": "web_search"}]), "tools[1].type"),
    "file_search": (
        body_of(tools=[{"type": "file_search", "vector_store_ids": ["vs_1"]}]),
        "tools[0].type",
    ),
    "code_interpreter": (
        body_of(tools=[{"type": "code_interpreter", "container": {"type": "auto"}}]),
        "tools[0].type",
    ),
    "computer_use": (body_of(tools=[{"type": "computer_use_preview"}]), "tools[0].type"),
    "mcp": (body_of(tools=[{"type": "mcp", "server_label": "x"}]), "tools[0].type"),
    "image_generation": (body_of(tools=[{"type": "image_generation"}]), "tools[0].type"),
    "a tool of a chat": (
        body_of(tools=[{"type": "function", "function": {"name": "f"}}]),
        "tools[0].function",
    ),
    "a tool without a type": (body_of(tools=[{"name": "f"}]), "tools[0].type"),
    "a tool that is text": (body_of(tools=["web_search"]), "tools[0]"),
    "a tool with a bad name": (body_of(tools=[{**WEATHER, "name": "a b"}]), "tools[0].name"),
    "a tool loaded later": (
        body_of(tools=[{**WEATHER, "defer_loading": True}]),
        "tools[0].defer_loading",
    ),
    "a tool that goes on": (body_of(tools=[{**WEATHER, "async": True}]), "tools[0].async"),
    "tool_choice of a hosted tool": (
        body_of(tool_choice={"type": "web_search_preview"}),
        "tool_choice.type",
    ),
    "tool_choice of mcp": (
        body_of(tool_choice={"type": "mcp", "server_label": "x"}),
        "tool_choice.type",
    ),
    "an unknown tool_choice": (body_of(tool_choice="maybe"), "tool_choice"),
    "an unknown allowed tool": (
        body_of(tool_choice={"type": "allowed_tools", "mode": "auto", "tools": [{"type": "mcp"}]}),
        "tool_choice.tools[0].type",
    ),
    "a format of a chat": (
        body_of(text={"format": {"type": "json_schema", "json_schema": {"name": "n"}}}),
        "text.format.json_schema",
    ),
    "reasoning of all turns": (body_of(reasoning={"context": "all_turns"}), "reasoning.context"),
    "reasoning in pro": (body_of(reasoning={"mode": "pro"}), "reasoning.mode"),
    "an unknown effort": (body_of(reasoning={"effort": "heroic"}), "reasoning.effort"),
    "an unknown tier": (body_of(service_tier="ultrafast"), "service_tier"),
    "a longer cache": (body_of(prompt_cache_options={"ttl": "12h"}), "prompt_cache_options.ttl"),
    "diagnostics of the cache": (
        body_of(prompt_cache_options={"comparison_response_id": "resp_1"}),
        "prompt_cache_options.comparison_response_id",
    ),
    "an item by reference": (with_item(type="item_reference", id="msg_1"), "input[1]"),
    "an item by its id alone": (with_item(id="msg_1"), "input[1]"),
    "an item of no kind": (with_item(text="x"), "input[1].type"),
    "an item that is text": (body_of(input=["Hello"]), "input[0]"),
    "a computer's call": (with_item(type="computer_call", call_id="c"), "input[1].type"),
    "a search's call": (with_item(type="web_search_call", id="ws_1"), "input[1].type"),
    "a compaction": (with_item(type="compaction", encrypted_content="x"), "input[1].type"),
    "an item whose type is a number": (with_item(type=7), "input[1].type"),
    "an unknown role": (with_item(role="tool", content="x"), "input[1].role"),
    "no role": (with_item(type="message", content="x"), "input[1].role"),
    "an unknown field of a message": (
        with_item(role="user", content="x", name="Ann"),
        "input[1].name",
    ),
    "an image in instructions": (
        with_item(role="developer", content=[{"type": "input_image", "image_url": PICTURE}]),
        "input[1].content[0].type",
    ),
    "a user's output": (
        with_item(role="user", content=[{"type": "output_text", "text": "x"}]),
        "input[1].content[0].type",
    ),
    "a part of a chat": (with_part(type="text", text="x"), "input[0].content[0].type"),
    "sound": (
        with_part(type="input_audio", input_audio={"data": "", "format": "wav"}),
        "input[0].content[0].type",
    ),
    "no parts": (body_of(input=[{"role": "user", "content": []}]), "input[0].content"),
    "an image by id": (
        with_part(type="input_image", file_id="file-1"),
        "input[0].content[0].file_id",
    ),
    "an image of nothing": (with_part(type="input_image"), "input[0].content[0].image_url"),
    "a file by id": (with_part(type="input_file", file_id="file-1"), "input[0].content[0].file_id"),
    "a file by address": (
        with_part(type="input_file", file_url="https://example.com/a.pdf"),
        "input[0].content[0].file_url",
    ),
    "a file of nothing": (
        with_part(type="input_file", filename="a.pdf"),
        "input[0].content[0].file_data",
    ),
    "a result's image by id": (
        with_item(
            type="function_call_output",
            call_id="c",
            output=[{"type": "input_image", "file_id": "file-1"}],
        ),
        "input[1].output[0].file_id",
    ),
    "a result without its call": (
        with_item(type="function_call_output", output="x"),
        "input[1].call_id",
    ),
    "a call from a program": (
        with_item(
            type="function_call",
            call_id="c",
            name="f",
            arguments="{}",
            caller={"type": "program", "caller_id": "p"},
        ),
        "input[1].caller.type",
    ),
    "a call that goes on": (
        with_item(type="custom_tool_call", call_id="c", name="f", input="", **{"async": True}),
        "input[1].async",
    ),
    "signed reasoning that was changed": (
        with_item(type="reasoning", summary=[], encrypted_content="blocks.1.bm90IGpzb24="),
        "input[1].encrypted_content",
    ),
    "signed reasoning that is no base64": (
        with_item(type="reasoning", summary=[], encrypted_content="blocks.1.?"),
        "input[1].encrypted_content",
    ),
    "too much temperature": (body_of(temperature=2.1), "temperature"),
    "no tokens": (body_of(max_output_tokens=0), "max_output_tokens"),
    "tokens beyond 2^53": (body_of(max_output_tokens=2**53), "max_output_tokens"),
    "too many log probabilities": (body_of(top_logprobs=21), "top_logprobs"),
    "17 metadata": (body_of(metadata={str(n): "" for n in range(17)}), "metadata"),
    "a long safety identifier": (body_of(safety_identifier="s" * 65), "safety_identifier"),
}
NOWHERE: dict[str, bytes] = {
    "an integer beyond 2^53 in a tool": body_of(
        tools=[{**WEATHER, "parameters": {"maximum": 2**53}}]
    ),
    "an integer beyond 2^53 in a schema": body_of(
        text={"format": {"type": "json_schema", "name": "n", "schema": {"maximum": -(2**60)}}}
    ),
    "an integer beyond 2^53 in a call": with_item(
        type="function_call", call_id="c", name="f", arguments="", extra_content={"n": 2**53}
    ),
    "bytes that are no UTF-8": b'{"input":[{"role":"user","content":"\xff\xfe"}]}',
    "half a character": b'{"input":[{"role":"user","content":"\\ud800"}]}',
    "nothing": b"",
    "a list": b"[]",
}
"""Refused without the name of a field."""

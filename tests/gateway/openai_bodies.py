"""Requests for OpenAI, its recorded replies, and usages nobody should believe."""

import json
from pathlib import Path
from typing import Any

from gateway.operations.chat import ChatRequest, decode_chat
from gateway.providers.base import Target, UpstreamAnswer

REPLIES = Path(__file__).parent / "replies/openai"
TARGET = Target(model="gpt-5.6-sol", max_output_tokens=64)
BAD_USAGES = [
    b"null",
    b"{}",
    b"[]",
    b'"many"',
    b'{"prompt_tokens":8}',
    b'{"prompt_tokens":-8,"completion_tokens":2}',
    b'{"prompt_tokens":8,"completion_tokens":-2}',
    b'{"prompt_tokens":"8","completion_tokens":2}',
    b'{"prompt_tokens":8.5,"completion_tokens":2}',
    b'{"prompt_tokens":8,"completion_tokens":1e999}',
    b'{"prompt_tokens":8,"completion_tokens":true}',
    b'{"prompt_tokens":8,"completion_tokens":99999999999999999999}',
    b'{"prompt_tokens":8,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":9}}',
    b'{"prompt_tokens":8,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":-1}}',
    b'{"prompt_tokens":8,"completion_tokens":2,"prompt_tokens_details":"none"}',
]


def request_of(**fields: Any) -> ChatRequest:
    """Read a request for Hello with these fields."""
    messages = [{"role": "user", "content": "Hello"}]
    return decode_chat(json.dumps({"messages": messages, "model": "asked", **fields}).encode())


REQUEST = request_of()


def succeeded(body: bytes) -> UpstreamAnswer:
    """Give a success with this body."""
    return UpstreamAnswer(status=200, headers={}, body=body)


def reply(name: str) -> bytes:
    """Read a recorded reply."""
    return (REPLIES / name).read_bytes()

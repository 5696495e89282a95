"""Anthropic's official SDK as a client of the gateway."""

from typing import Any

import anthropic
from anthropic.types import Message, MessageParam

from tests.gateway.conftest import Payer

OPENAI, CLAUDE = "gpt-5.6-sol", "claude-sonnet-5-5"


def sdk(payer: Payer, **options: Any) -> anthropic.Anthropic:
    """Make a client that differs from one of Anthropic's in its address and its key."""
    return anthropic.Anthropic(
        **{"base_url": payer.url, "api_key": payer.key, "max_retries": 0, **options}
    )


def user(content: Any) -> MessageParam:
    """Say something."""
    return {"role": "user", "content": content}


def ask(client: anthropic.Anthropic, content: Any, **fields: Any) -> Message:
    """Ask without streaming."""
    fields = {"model": OPENAI, "max_tokens": 256, "messages": [user(content)], **fields}
    answer: Message = client.messages.create(**fields)
    return answer


def text_of(message: Message) -> str:
    """Join the text of a message."""
    return "".join(block.text for block in message.content if block.type == "text")

"""Signed reasoning in `encrypted_content`: some providers want theirs back exactly as it came.

Clients hand reasoning items back without looking inside. So the signed blocks of an answer travel
there, in base64 behind a mark of ours; they are hidden from nobody. Other marks are other
providers' and say nothing here.
"""

import base64
import binascii
from typing import Any

import msgspec

from gateway.operations.chat_messages import RedactedThinkingBlock, ThinkingBlock
from gateway.operations.json_body import read_body
from gateway.surfaces.responses.items import refused
from studio.core.errors import InvalidRequest

Block = ThinkingBlock | RedactedThinkingBlock

_MARK = "blocks.1."
_BLOCKS = msgspec.json.Decoder(list[Block])


def pack_blocks(blocks: list[Block]) -> str | None:
    """Give the content that carries these blocks; None if there are none."""
    if not blocks:
        return None
    return _MARK + base64.b64encode(msgspec.json.encode(blocks)).decode()


def unpack_blocks(content: str | None, place: str) -> list[Block]:
    """Give the blocks that `pack_blocks` packed; none where the content is not ours.

    Raises: InvalidRequest if it is ours and was changed.
    """
    if content is None or not content.startswith(_MARK):
        return []
    try:
        return read_body(_BLOCKS, base64.b64decode(content[len(_MARK) :], validate=True))
    except (binascii.Error, ValueError, InvalidRequest) as error:
        raise refused(place, "send it exactly as it came, or leave it out") from error


def signed_block(block: Any, text: str) -> Block | None:  # noqa: ANN401  a JSON border
    """Read a block of an answer; None if nobody signed it.

    `text` is what the signature is for where the block itself says nothing.
    """
    if not isinstance(block, dict):
        return None
    kind, thinking = block.get("type"), block.get("thinking")
    data, signature = block.get("data"), block.get("signature")
    if kind == "redacted_thinking" and isinstance(data, str):
        return RedactedThinkingBlock(data=data)
    if kind == "thinking" and isinstance(signature, str) and signature:
        said = thinking if isinstance(thinking, str) and thinking else text
        return ThinkingBlock(thinking=said, signature=signature)
    return None


def said_in(blocks: list[Block]) -> str:
    """Join what the blocks say in words that can be read."""
    said = [block.thinking for block in blocks if isinstance(block, ThinkingBlock)]
    return "\n\n".join(text for text in said if text)

"""Embeddings: a request read strictly, what it may use, and vectors as numbers or as base64.

Source: github openai/openai-openapi v2.3.0 (2026-08-21), CreateEmbeddingRequest.
"""

import math
import sys
from array import array
from base64 import b64encode
from binascii import Error as NotBase64
from binascii import a2b_base64
from collections.abc import Iterable
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from gateway.operations.chat_tokens import ChatUsage, counted_tokens, utf8_bytes
from gateway.operations.json_body import read_body
from studio.core.errors import InvalidRequest

MOST_INPUTS = 2048
_MARK_TOKENS = 2
"""What a tokenizer may put around a text: an opening and a closing mark."""
_FLOAT_BYTES = 4

_Token = Annotated[int, Meta(ge=0, le=2**31 - 1)]
_Part = str | _Token | Annotated[list[_Token], Meta(min_length=1)]
Inputs = list[str] | list[list[int]]


class EmbeddingRequest(Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """One call for embeddings, as OpenAI documents it, plus our own `kind`.

    `input` is a text, a list of texts, a list of tokens (one input), or a list of those.
    """

    input: str | Annotated[list[_Part], Meta(min_length=1, max_length=MOST_INPUTS)]
    model: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    kind: Annotated[str, Meta(min_length=1, max_length=128)] | None = None
    dimensions: Annotated[int, Meta(ge=1, le=65_536)] | None = None
    encoding_format: Literal["float", "base64"] | None = None
    user: str | None = None

    @property
    def inputs(self) -> Inputs:
        """What is embedded, one entry for each vector of the answer: texts, or lists of tokens."""
        given = self.input
        if isinstance(given, str):
            return [given]
        if isinstance(given[0], int):
            return [[token for token in given if isinstance(token, int)]]
        if isinstance(given[0], str):
            return [text for text in given if isinstance(text, str)]
        return [tokens for tokens in given if isinstance(tokens, list)]

    @property
    def speaks_tokens(self) -> bool:
        """Whether the input is tokens of the model's own rather than text."""
        return isinstance(self.input, list) and not isinstance(self.input[0], str)


_REQUEST = msgspec.json.Decoder(EmbeddingRequest)


def decode_embedding(body: bytes) -> EmbeddingRequest:
    """Read a request for embeddings.

    Raises: InvalidRequest for every body that is not exactly that, whatever its bytes.
    """
    request = read_body(_REQUEST, body)
    if isinstance(request.input, list):
        if len({type(part) for part in request.input}) > 1:
            raise _refused("texts, tokens and lists of tokens cannot be mixed")
        if "" in request.input:
            raise _refused("cannot hold an empty string")
    elif not request.input:
        raise _refused("cannot be an empty string")
    return request


def token_ceiling(request: EmbeddingRequest) -> ChatUsage:
    """Give the most that a request can use: tokens count as they are, bytes bound a text's."""
    return _used(
        len(part) if isinstance(part, list) else utf8_bytes(part) + _MARK_TOKENS
        for part in request.inputs
    )


def token_estimate(request: EmbeddingRequest) -> ChatUsage:
    """Give what a request likely uses: what is charged where the provider told no usage."""
    return _used(
        len(part) if isinstance(part, list) else counted_tokens(utf8_bytes(part))
        for part in request.inputs
    )


def numbers_of_base64(text: str) -> "array[float] | None":
    """Read a vector from base64 of little-endian 32-bit floats; None if it is none."""
    try:
        data = a2b_base64(text, strict_mode=True)
    except (NotBase64, ValueError):
        return None
    if len(data) % _FLOAT_BYTES:
        return None
    vector = array("f", data)
    if sys.byteorder == "big":
        vector.byteswap()
    return vector if is_vector(vector) else None


def base64_of_numbers(numbers: Iterable[float]) -> str | None:
    """Write a vector as base64 of little-endian 32-bit floats; None if they cannot hold it."""
    vector = array("f", numbers)
    if not is_vector(vector):
        return None
    if sys.byteorder == "big":
        vector.byteswap()
    return b64encode(vector.tobytes()).decode()


def is_vector(numbers: "array[float] | list[float]") -> bool:
    """Tell whether these are one finite number or more: a sum keeps what is not finite."""
    return bool(numbers) and math.isfinite(sum(numbers))


def _used(tokens: Iterable[int]) -> ChatUsage:
    return ChatUsage(input_tokens=sum(tokens), output_tokens=0, source="counted")


def _refused(reason: str) -> InvalidRequest:
    return InvalidRequest(f"input: {reason}", details={"param": "input"})

"""Embeddings in OpenAI's form, which several providers speak: requests, answers, and the mix-in of
a provider that needs no more.

Vectors are asked for as base64, which is four times shorter than their digits, and written in the
form the caller wants. Answers are strangers' bytes: number, order and values are checked.
Source: github openai/openai-openapi v2.3.0 (2026-08-21), CreateEmbeddingResponse; base64 holds
little-endian 32-bit floats: `openai` Python SDK 3.52.0, `lib/_parsing/_embeddings.py`.
"""

import copy
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from gateway.operations.chat import ChatUsage
from gateway.operations.embedding import (
    EmbeddingRequest,
    base64_of_numbers,
    is_vector,
    numbers_of_base64,
    token_estimate,
)
from gateway.providers.base import (
    EmbeddingReply,
    Provider,
    Target,
    UpstreamAnswer,
    UpstreamInvalid,
    UpstreamRequest,
)

NO_RAW = Raw(b"null")
_JSON = {"content-type": "application/json", "accept": "application/json"}
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_encode = msgspec.json.Encoder().encode

Vector = str | list[float]
"""A vector as it came: base64, or numbers."""


class _Item(Struct):
    embedding: Vector
    index: int | None = None


class _Answer(Struct):
    data: list[_Item]
    usage: Raw = NO_RAW


class _Usage(Struct):
    prompt_tokens: Annotated[int, Meta(ge=1, le=2**31 - 1)]
    cost: Raw = NO_RAW


_ANSWER = msgspec.json.Decoder(_Answer)
_USAGE = msgspec.json.Decoder(_Usage)


class OpenAIEmbeddings:
    """The embeddings of a provider that speaks OpenAI's form and adds nothing to it."""

    def unsupported_embedding(self, request: EmbeddingRequest) -> str | None:
        """Say that everything a request may ask for is OpenAI's own."""
        return None

    def build_embeddings(self, request: EmbeddingRequest, target: Target) -> UpstreamRequest:
        """Write the request: the route's model, everything else as the caller said it."""
        return build_openai_embeddings(request, target)

    def parse_embeddings(
        self: Provider, request: EmbeddingRequest, target: Target, answer: UpstreamAnswer
    ) -> EmbeddingReply:
        """Read a finished answer. Raises: UpstreamFailure."""
        if answer.status != 200:
            raise self.parse_error(answer.status, answer.headers, answer.body)
        return read_openai_embeddings(answer.body, request, target)


def build_openai_embeddings(request: EmbeddingRequest, target: Target) -> UpstreamRequest:
    """Write a request in OpenAI's form, for vectors in base64 whatever the caller wants."""
    sent = copy.copy(request)
    sent.kind = None
    sent.model = target.model
    sent.encoding_format = "base64"
    return UpstreamRequest(path="/embeddings", body=_encode(sent), headers=_JSON)


def read_openai_embeddings(
    body: bytes,
    request: EmbeddingRequest,
    target: Target,
    *,
    cost_of: Callable[[Raw], int | None] | None = None,
) -> EmbeddingReply:
    """Read an answer in OpenAI's form; `cost_of` reads what the call cost us, in µcr, where usage
    says so.

    Raises: UpstreamInvalid if it is not one vector for each input.
    """
    try:
        answer = _ANSWER.decode(body)
    except _UNREADABLE as error:
        raise UpstreamInvalid("The provider's answer cannot be read.") from error
    vectors = _in_order(answer.data)
    return written(vectors, request, target, usage=_read_usage(answer.usage, cost_of))


def written(
    vectors: Sequence[Vector],
    request: EmbeddingRequest,
    target: Target,
    *,
    usage: ChatUsage | None,
) -> EmbeddingReply:
    """Check the vectors and write them as the caller wants them, with the usage that is charged.

    Raises: UpstreamInvalid if it is not one vector for each input, all of one length, of the
    length that was asked for, of finite numbers.
    """
    if len(vectors) != len(request.inputs):
        raise UpstreamInvalid("The provider answered another number of vectors than was asked for.")
    wants_base64 = request.encoding_format == "base64"
    lengths = set() if request.dimensions is None else {request.dimensions}
    items = []
    for index, vector in enumerate(vectors):
        length, shown = _shown(vector, wants_base64)
        lengths.add(length)
        # One at a time: a single call for all would hold the interpreter for as long as it takes.
        items.append(_encode({"object": "embedding", "index": index, "embedding": shown}))
    if len(lengths) != 1:
        raise UpstreamInvalid("The provider's vectors are not of the length that was asked for.")
    charged = usage or token_estimate(request)
    tokens = charged.input_tokens
    tail = {"model": target.model, "usage": {"prompt_tokens": tokens, "total_tokens": tokens}}
    body = b'{"object":"list","data":[' + b",".join(items) + b"]," + _encode(tail)[1:]
    return EmbeddingReply(body=body, usage=charged)


def _in_order(items: list[_Item]) -> list[Vector]:
    """Give the vectors in the order of their inputs; where no item says its place, as they came.

    Raises: UpstreamInvalid if a place is missing or taken twice.
    """
    places = [item.index for item in items]
    if places == [None] * len(items):
        return [item.embedding for item in items]
    by_place = {item.index: item.embedding for item in items}
    if by_place.keys() != set(range(len(items))):
        raise UpstreamInvalid("The provider's vectors cannot be told apart.")
    return [by_place[place] for place in range(len(items))]


def _shown(vector: Vector, wants_base64: bool) -> tuple[int, Any]:
    """Give a vector's length, and the vector in the form that is wanted.

    Raises: UpstreamInvalid.
    """
    if isinstance(vector, str):
        numbers = numbers_of_base64(vector)
        if numbers is not None:
            return len(numbers), vector if wants_base64 else numbers.tolist()
    elif wants_base64:
        text = base64_of_numbers(vector)
        if text is not None:
            return len(vector), text
    elif is_vector(vector):
        return len(vector), vector
    raise UpstreamInvalid("The provider answered a vector that is none.")


def _read_usage(raw: Raw, cost_of: Callable[[Raw], int | None] | None) -> ChatUsage | None:
    """Read a usage object; None if it is missing or not to be believed: no input is no tokens."""
    try:
        usage = _USAGE.decode(raw)
    except _UNREADABLE:
        return None
    return ChatUsage(
        input_tokens=usage.prompt_tokens,
        output_tokens=0,
        provider_cost_ucr=None if cost_of is None else cost_of(usage.cost),
    )

"""Gemini's embeddings, asked for in one batch and written as OpenAI writes them.

Source: Google's discovery document v1beta (2026-08-23), BatchEmbedContentsRequest and -Response;
`google-genai` Python SDK 3.4.0, which sends `outputDimensionality` beside the content. A batch has
at most 100 inputs: github vercel/ai pull 16575 (2026-07-02), whose words are the API's own.
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from gateway.operations.chat import ChatUsage
from gateway.operations.embedding import EmbeddingRequest
from gateway.providers.base import (
    EmbeddingReply,
    Provider,
    Target,
    UpstreamAnswer,
    UpstreamInvalid,
    UpstreamRequest,
)
from gateway.providers.embeddings_form import written

_MOST_INPUTS = 100
_JSON = {"content-type": "application/json", "accept": "application/json"}
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_encode = msgspec.json.Encoder().encode


class _Embedding(Struct):
    values: list[float]


class _Answer(Struct, rename="camel"):
    embeddings: list[_Embedding]
    usage_metadata: msgspec.Raw = msgspec.Raw(b"null")


class _Usage(Struct, rename="camel"):
    prompt_token_count: Annotated[int, Meta(ge=1, le=2**31 - 1)]


_ANSWER = msgspec.json.Decoder(_Answer)
_USAGE = msgspec.json.Decoder(_Usage)


class GeminiEmbeddings:
    """Mix-in of Gemini's provider."""

    def unsupported_embedding(self, request: EmbeddingRequest) -> str | None:
        """Name what Gemini cannot embed: tokens, and more than 100 inputs at once."""
        too_many = len(request.inputs) > _MOST_INPUTS
        return "input" if request.speaks_tokens or too_many else None

    def build_embeddings(self, request: EmbeddingRequest, target: Target) -> UpstreamRequest:
        """Write one request for all inputs. Users are not named to Google, which has no field."""
        model = f"models/{target.model}"
        asked: list[dict[str, Any]] = [
            {"model": model, "content": {"parts": [{"text": text}]}} for text in request.inputs
        ]
        if request.dimensions is not None:
            for one in asked:
                one["outputDimensionality"] = request.dimensions
        body = _encode({"requests": asked})
        return UpstreamRequest(path=f"/{model}:batchEmbedContents", body=body, headers=_JSON)

    def parse_embeddings(
        self: Provider, request: EmbeddingRequest, target: Target, answer: UpstreamAnswer
    ) -> EmbeddingReply:
        """Read a finished answer; its vectors are in the order of the inputs.

        Raises: UpstreamFailure.
        """
        if answer.status != 200:
            raise self.parse_error(answer.status, answer.headers, answer.body)
        try:
            given = _ANSWER.decode(answer.body)
        except _UNREADABLE as error:
            raise UpstreamInvalid("The provider's answer cannot be read.") from error
        vectors = [embedding.values for embedding in given.embeddings]
        return written(vectors, request, target, usage=_read_usage(given.usage_metadata))


def _read_usage(raw: msgspec.Raw) -> ChatUsage | None:
    """Read the usage; None if it is missing or not to be believed."""
    try:
        tokens = _USAGE.decode(raw).prompt_token_count
    except _UNREADABLE:
        return None
    return ChatUsage(input_tokens=tokens, output_tokens=0)

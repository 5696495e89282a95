"""OpenRouter's embeddings: OpenAI's form, with the cost in the usage and errors inside of 200.

Source: `openrouter` Python SDK 1.3.84, `operations/createembeddings.py` (POST /embeddings; what it
adds to OpenAI's request, routing among it, is never sent).
"""

from typing import Any

import msgspec
from msgspec import Struct

from gateway.operations.embedding import EmbeddingRequest
from gateway.providers.base import (
    EmbeddingReply,
    Provider,
    Target,
    UpstreamAnswer,
    UpstreamRequest,
)
from gateway.providers.embeddings_form import build_openai_embeddings, read_openai_embeddings
from gateway.providers.openai_form import read_usd

_FAILED_STATUS = 502


class _Error(Struct):
    code: Any = None


class _Failed(Struct):
    error: _Error | str


_FAILED = msgspec.json.Decoder(_Failed)


class OpenRouterEmbeddings:
    """Mix-in of OpenRouter's provider."""

    def unsupported_embedding(self, request: EmbeddingRequest) -> str | None:
        """Say that everything a request may ask for is documented there too."""
        return None

    def build_embeddings(self, request: EmbeddingRequest, target: Target) -> UpstreamRequest:
        """Write the request: the route's model, everything else as the caller said it."""
        return build_openai_embeddings(request, target)

    def parse_embeddings(
        self: Provider, request: EmbeddingRequest, target: Target, answer: UpstreamAnswer
    ) -> EmbeddingReply:
        """Read a finished answer and its cost.

        Raises: UpstreamFailure, also for an error that came with 200.
        """
        status = _status_inside(answer.body) if answer.status == 200 else answer.status
        if status != 200:
            raise self.parse_error(status, answer.headers, answer.body)
        return read_openai_embeddings(answer.body, request, target, cost_of=read_usd)


def _status_inside(body: bytes) -> int:
    """Give the status that an error inside a body names; 200 where there is none."""
    try:
        error = _FAILED.decode(body).error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return 200
    code = None if isinstance(error, str) else error.code
    return code if type(code) is int and 400 <= code < 600 else _FAILED_STATUS

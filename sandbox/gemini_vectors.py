"""Embeddings: unit vectors that follow from the text alone.

Source: Google's discovery document v1beta (2026-08-23), EmbedContentRequest and
BatchEmbedContentsRequest; ai.google.dev/gemini-api/docs/embeddings: 3072 numbers unless fewer are
asked for.
"""

import hashlib
import math
import struct

from sandbox.gemini_contents import check_content
from sandbox.gemini_errors import WireError
from sandbox.gemini_fields import read
from sandbox.messages import Json
from sandbox.text import count_tokens

MOST_DIMENSIONS = 3072
MOST_IN_A_BATCH = 100


def embed_one(body: Json) -> Json:
    """Answer `embedContent`. Raises: WireError."""
    request = read("EmbedContentRequest", body)
    return {"embedding": {"values": _vector(request)}, "usageMetadata": _usage([request])}


def embed_batch(body: Json, model_id: str) -> Json:
    """Answer `batchEmbedContents`. Raises: WireError."""
    requests: list[Json] = read("BatchEmbedContentsRequest", body).get("requests") or []
    if not requests:
        raise _refuse("requests", "requests is not specified")
    if len(requests) > MOST_IN_A_BATCH:
        raise _refuse("requests", f"at most {MOST_IN_A_BATCH} requests can be in one batch")
    for index, request in enumerate(requests):
        if request.get("model") != f"models/{model_id}":
            place = f"requests[{index}].model"
            raise _refuse(place, "model must match the model of BatchEmbedContentsRequest")
    vectors = [{"values": _vector(request)} for request in requests]
    return {"embeddings": vectors, "usageMetadata": _usage(requests)}


def _refuse(where: str, text: str) -> WireError:
    return WireError(f"* BatchEmbedContentsRequest.{where}: {text}\n")


def _vector(request: Json) -> list[float]:
    config = request.get("embedContentConfig") or {}
    length = request.get("outputDimensionality", config.get("outputDimensionality"))
    if length is None:
        length = MOST_DIMENSIONS
    if not 1 <= length <= MOST_DIMENSIONS:
        raise WireError(f"outputDimensionality must be between 1 and {MOST_DIMENSIONS}.")
    seed = hashlib.shake_256(_text(request).encode()).digest(4 * MOST_DIMENSIONS)
    numbers = struct.unpack(f"<{length}i", seed[: 4 * length])
    norm = math.sqrt(sum(number * number for number in numbers))
    return [number / norm for number in numbers]


def _text(request: Json) -> str:
    if "content" not in request:
        raise WireError("* EmbedContentRequest.content: contents is not specified\n")
    check_content(request["content"], "content")
    return " ".join(part["text"] for part in request["content"]["parts"] if "text" in part)


def _usage(requests: list[Json]) -> Json:
    tokens = sum(count_tokens(_text(request)) for request in requests)
    details = [{"modality": "TEXT", "tokenCount": tokens}]
    return {"promptTokenCount": tokens, "promptTokenDetails": details}

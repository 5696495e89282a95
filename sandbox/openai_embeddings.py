"""OpenAI's embeddings: the same text, the same unit vector; refusals as the live API words them.

Source: github openai/openai-openapi v2.3.0 (2026-08-21), CreateEmbeddingRequest and -Response;
base64 as `openai` Python SDK 3.52.0 reads it (`lib/_parsing/_embeddings.py`).
"""

import math
import sys
from array import array
from base64 import b64encode
from hashlib import shake_256

import msgspec

from sandbox.faults import DIRECTIVE, Faults
from sandbox.messages import Json
from sandbox.openai_checks import WireError
from sandbox.openai_usage import wrong_count
from sandbox.text import count_tokens

DIMENSIONS = {
    "text-embedding-3-small": 1536,
    "text-embedding-3-large": 3072,
    "text-embedding-ada-002": 1536,
}
_FIXED = "text-embedding-ada-002"
_MOST_INPUTS = 2048
_MOST_TOKENS = 8192
_MOST_TOKENS_IN_ALL = 300_000
_FIELDS = frozenset({"input", "model", "dimensions", "encoding_format", "user"})

Inputs = list[str | list[int]]


def directive_text(wanted: Json) -> str:
    """Give the text that may ask for faults: every text of the input."""
    given = wanted.get("input")
    texts = given if isinstance(given, list) else [given]
    return " ".join(text for text in texts if isinstance(text, str))


def embed(wanted: Json, faults: Faults) -> Json:
    """Answer one request. Raises: WireError for what the live API refuses."""
    _check_fields(wanted)
    inputs = [DIRECTIVE.sub("", part) if isinstance(part, str) else part for part in _read(wanted)]
    counts = [_count(part) for part in inputs]
    _check_lengths(counts)
    dimensions = wanted.get("dimensions") or DIMENSIONS[wanted["model"]]
    as_base64 = wanted.get("encoding_format") == "base64"
    if faults.vectors in ("floats", "base64"):
        as_base64 = faults.vectors == "base64"
    data: list[Json] = [
        {"object": "embedding", "index": index, "embedding": _vector(part, dimensions)}
        for index, part in enumerate(inputs)
    ]
    data = _spoiled(data, faults.vectors)
    for item in data:
        item["embedding"] = _shown(item["embedding"], as_base64)
    answer: Json = {"object": "list", "data": data, "model": wanted["model"]}
    if not faults.missing_usage:
        tokens = wrong_count(faults.usage) if faults.usage else sum(counts)
        answer["usage"] = {"prompt_tokens": tokens, "total_tokens": tokens}
    return answer


def _check_fields(wanted: Json) -> None:
    unknown = wanted.keys() - _FIELDS
    if unknown:
        name = min(unknown)
        raise WireError(f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter")
    model = wanted.get("model")
    if not isinstance(model, str) or not model:
        raise WireError("you must provide a model parameter")
    if model not in DIMENSIONS:
        text = f"The model `{model}` does not exist or you do not have access to it."
        raise WireError(text, code="model_not_found", status=404)
    if wanted.get("encoding_format") not in (None, "float", "base64"):
        raise WireError("Invalid 'encoding_format'.", param="encoding_format")
    dimensions = wanted.get("dimensions")
    if dimensions is None:
        return
    if model == _FIXED:
        raise WireError("This model does not support specifying dimensions.", param=None)
    if type(dimensions) is not int or not 1 <= dimensions <= DIMENSIONS[model]:
        text = f"Invalid value for 'dimensions' = {dimensions}."
        raise WireError(text, param="dimensions")


def _read(wanted: Json) -> Inputs:
    given = wanted.get("input")
    if isinstance(given, str) and given:
        return [given]
    if not isinstance(given, list) or not 1 <= len(given) <= _MOST_INPUTS:
        raise _bad_input("'$.input' is invalid.")
    if all(type(part) is int for part in given):
        return [given]
    texts = all(isinstance(part, str) and part for part in given)
    if texts or all(_is_tokens(part) for part in given):
        return given
    raise _bad_input("'$.input' is invalid.")


def _is_tokens(part: object) -> bool:
    return isinstance(part, list) and bool(part) and all(type(token) is int for token in part)


def _count(part: str | list[int]) -> int:
    return len(part) if isinstance(part, list) else max(1, count_tokens(part))


def _check_lengths(counts: list[int]) -> None:
    if max(counts) > _MOST_TOKENS:
        raise _bad_input(
            f"This model's maximum context length is {_MOST_TOKENS} tokens, however you requested "
            f"{max(counts)} tokens."
        )
    if sum(counts) > _MOST_TOKENS_IN_ALL:
        raise _bad_input(f"Requested {sum(counts)} tokens, max {_MOST_TOKENS_IN_ALL} tokens.")


def _bad_input(text: str) -> WireError:
    return WireError(text, param="input")


def _vector(part: str | list[int], dimensions: int) -> list[float]:
    """Derive a unit vector from a text, or from tokens."""
    digest = shake_256(msgspec.json.encode(part)).digest(2 * dimensions)
    numbers = [int.from_bytes(digest[at : at + 2]) - 32_767.5 for at in range(0, len(digest), 2)]
    length = math.sqrt(sum(number * number for number in numbers))
    return [number / length for number in numbers]


def _spoiled(data: list[Json], fault: str) -> list[Json]:
    """Do to the vectors what a fault says; README.md has the words."""
    if fault == "fewer":
        return data[:-1]
    if fault == "more":
        return [*data, {**data[0], "index": len(data)}]
    if fault == "shuffled":
        return data[::-1]
    if fault == "twice":
        return [{**item, "index": 0} for item in data]
    if fault == "nan":
        return [{**data[0], "embedding": [math.nan, *data[0]["embedding"][1:]]}, *data[1:]]
    if fault == "short":
        return [*data[:-1], {**data[-1], "embedding": data[-1]["embedding"][:-1]}]
    return data


def _shown(numbers: list[float], as_base64: bool) -> str | list[float]:
    narrow = array("f", numbers)
    if not as_base64:
        return narrow.tolist()
    if sys.byteorder == "big":
        narrow.byteswap()
    return b64encode(narrow.tobytes()).decode()

"""Embeddings as each provider is asked for them, and as its answers are read: exact, both ways."""

import contextlib
import json
import random
from collections.abc import Mapping
from typing import Any

import pytest

from gateway.operations.embedding import EmbeddingRequest, decode_embedding
from gateway.providers.base import (
    EmbeddingProvider,
    EmbeddingReply,
    Target,
    UpstreamAnswer,
    UpstreamFailure,
)
from gateway.providers.failures import failure_for
from gateway.providers.gemini_embeddings import GeminiEmbeddings
from gateway.providers.openai import PROVIDER as OPENAI
from gateway.providers.openai_form import read_error
from gateway.providers.openrouter_embeddings import OpenRouterEmbeddings

TARGET = Target(model="model-1")
PACKED = "AAAAPwAAgL4="
"""0.5 and -0.25 as little-endian 32-bit floats."""
INFINITE = "AACAfw=="
NOT_A_NUMBER = "AADAfwAAAAA="


class _Bare:
    """What a provider has beside its embeddings."""

    slug = "bare"
    default_base_url = "https://api.example.com"
    hosts = ("api.example.com",)
    operations = frozenset({"embedding"})

    def auth(self, key: str) -> dict[str, str]:
        return {"authorization": key}

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamFailure:
        return failure_for(status, headers, read_error(body), hosts=self.hosts)


class _OpenRouter(OpenRouterEmbeddings, _Bare):
    pass


class _Gemini(GeminiEmbeddings, _Bare):
    pass


OPENROUTER: EmbeddingProvider = _OpenRouter()
GEMINI: EmbeddingProvider = _Gemini()
each_of_openai_s_form = pytest.mark.parametrize(
    "provider", [OPENAI, OPENROUTER], ids=["openai", "openrouter"]
)


def asked(**fields: Any) -> EmbeddingRequest:
    """Read a request for the embeddings of `Hello`."""
    return decode_embedding(json.dumps({"input": "Hello", **fields}).encode())


def read(
    provider: EmbeddingProvider, body: object, request: EmbeddingRequest | None = None
) -> EmbeddingReply:
    """Read a success with this body."""
    given = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = UpstreamAnswer(status=200, headers={}, body=given)
    return provider.parse_embeddings(request or asked(), TARGET, answer)


def answered(*vectors: object, **fields: Any) -> dict[str, Any]:
    """Write an answer in OpenAI's form."""
    data = [
        {"object": "embedding", "index": index, "embedding": vector}
        for index, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": 3, "total_tokens": 3}
    return {"object": "list", "data": data, "model": "theirs", "usage": usage, **fields}


@each_of_openai_s_form
def test_openai_s_form_is_asked_for_base64_by_the_route_s_model(
    provider: EmbeddingProvider,
) -> None:
    request = asked(kind="embedding.default", dimensions=7, encoding_format="float", user="u")
    sent = provider.build_embeddings(request, TARGET)
    assert (sent.method, sent.path) == ("POST", "/embeddings")
    assert json.loads(sent.body) == {
        "input": "Hello",
        "model": "model-1",
        "dimensions": 7,
        "encoding_format": "base64",
        "user": "u",
    }
    assert (request.kind, request.model, request.encoding_format) == (
        "embedding.default",
        None,
        "float",
    )


@each_of_openai_s_form
def test_an_answer_is_written_anew_with_nothing_of_theirs(provider: EmbeddingProvider) -> None:
    reply = read(provider, answered(PACKED, id="gen-123", provider="someone"))
    assert json.loads(reply.body) == {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.5, -0.25]}],
        "model": "model-1",
        "usage": {"prompt_tokens": 3, "total_tokens": 3},
    }
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (3, 0)
    assert (reply.usage.source, reply.usage.provider_cost_ucr) == ("provider", None)


@each_of_openai_s_form
@pytest.mark.parametrize("given", [PACKED, [0.5, -0.25]])
@pytest.mark.parametrize(
    ("wanted", "shown"),
    [("float", [0.5, -0.25]), ("base64", PACKED), (None, [0.5, -0.25])],
)
def test_a_vector_is_turned_into_the_form_that_is_wanted(
    provider: EmbeddingProvider, given: object, wanted: str | None, shown: object
) -> None:
    fields = {} if wanted is None else {"encoding_format": wanted}
    reply = read(provider, answered(given), asked(**fields))
    assert json.loads(reply.body)["data"][0]["embedding"] == shown


@each_of_openai_s_form
def test_vectors_stand_in_the_order_of_their_inputs(provider: EmbeddingProvider) -> None:
    body = answered([1.0], [2.0], [3.0])
    body["data"].reverse()
    reply = read(provider, body, asked(input=["a", "b", "c"]))
    assert [item["embedding"] for item in json.loads(reply.body)["data"]] == [[1.0], [2.0], [3.0]]
    without = {"data": [{"embedding": [1.0]}, {"embedding": [2.0]}]}
    reply = read(provider, without, asked(input=["a", "b"]))
    assert [item["index"] for item in json.loads(reply.body)["data"]] == [0, 1]


@each_of_openai_s_form
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"{}",
        b"<html>Bad gateway</html>",
        b'{"data":{}}',
        answered(),
        answered([1.0]),
        answered([1.0], [1.0], [1.0]),
        answered([1.0], [1.0, 2.0]),
        answered([], []),
        answered("", ""),
        answered("not base64", PACKED),
        answered("AAAA", PACKED),
        answered(INFINITE, INFINITE),
        answered(NOT_A_NUMBER, PACKED),
        answered([None], [1.0]),
        answered(["1"], [1.0]),
        answered(7, [1.0]),
        b'{"data":[{"embedding":[1e999]},{"embedding":[1.0]}]}',
        b'{"data":[{"embedding":[NaN]},{"embedding":[1.0]}]}',
        {"data": [{"embedding": [1.0], "index": 0}, {"embedding": [2.0], "index": 0}]},
        {"data": [{"embedding": [1.0], "index": 1}, {"embedding": [2.0], "index": 2}]},
        {"data": [{"embedding": [1.0], "index": -1}, {"embedding": [2.0], "index": 0}]},
        {"data": [{"embedding": [1.0], "index": 0}, {"embedding": [2.0]}]},
    ],
)
def test_what_is_not_one_vector_for_each_input_is_no_answer(
    provider: EmbeddingProvider, body: object
) -> None:
    with pytest.raises(UpstreamFailure) as failed:
        read(provider, body, asked(input=["a", "b"]))
    assert (failed.value.status, failed.value.code) == (502, "upstream_invalid_response")


def test_vectors_of_another_length_than_asked_for_are_no_answer() -> None:
    assert read(OPENAI, answered(PACKED), asked(dimensions=2)).usage.input_tokens == 3
    with pytest.raises(UpstreamFailure, match="length"):
        read(OPENAI, answered(PACKED), asked(dimensions=3))


def test_a_number_that_floats_of_32_bits_cannot_hold_is_refused_only_as_base64() -> None:
    body = answered([1e39])
    assert json.loads(read(OPENAI, body).body)["data"][0]["embedding"] == [1e39]
    with pytest.raises(UpstreamFailure):
        read(OPENAI, body, asked(encoding_format="base64"))


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        [],
        "many",
        {"prompt_tokens": 0},
        {"prompt_tokens": -3},
        {"prompt_tokens": 3.5},
        {"prompt_tokens": "3"},
        {"prompt_tokens": True},
        {"prompt_tokens": 2**31},
    ],
)
def test_without_a_believable_count_ours_stands_in_the_answer(usage: object) -> None:
    reply = read(OPENAI, answered(PACKED, usage=usage))
    assert (reply.usage.source, reply.usage.input_tokens) == ("counted", 2)
    assert json.loads(reply.body)["usage"] == {"prompt_tokens": 2, "total_tokens": 2}


@pytest.mark.parametrize("dimensions", [None, 2])
def test_an_answer_cut_anywhere_is_no_answer(dimensions: int | None) -> None:
    body = json.dumps(answered(PACKED, PACKED)).encode()
    request = asked(input=["a", "b"], **({} if dimensions is None else {"dimensions": dimensions}))
    for end in range(len(body)):
        with pytest.raises(UpstreamFailure):
            read(OPENAI, body[:end], request)


def test_a_garbled_answer_is_read_or_refused() -> None:
    body = json.dumps(answered(PACKED, [0.5, -0.25])).encode()
    chance = random.Random(7)  # noqa: S311  it picks places, no secrets
    for _ in range(2000):
        garbled = bytearray(body)
        for _ in range(chance.randint(1, 4)):
            garbled[chance.randrange(len(body))] = chance.randrange(256)
        with contextlib.suppress(UpstreamFailure):
            reply = read(OPENAI, bytes(garbled), asked(input=["a", "b"]))
            assert len(json.loads(reply.body)["data"]) == 2


@pytest.mark.parametrize(
    ("cost", "cost_ucr"),
    [
        ("0.00000016", 160),
        ("0", 0),
        ("1e-9", 1),
        ("0.0000000001", 1),
        ("null", None),
        ('"0.1"', None),
        ("-0.1", None),
        ("1e12", None),
    ],
)
def test_openrouter_s_cost_is_read_exactly(cost: str, cost_ucr: int | None) -> None:
    usage = f'{{"prompt_tokens":8,"total_tokens":8,"cost":{cost}}}'
    body = json.dumps(answered(PACKED)).replace('{"prompt_tokens": 3, "total_tokens": 3}', usage)
    assert read(OPENROUTER, body.encode()).usage.provider_cost_ucr == cost_ucr
    assert read(OPENAI, body.encode()).usage.provider_cost_ucr is None


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        ({"code": 429, "message": "slow down"}, 503, "upstream_overloaded"),
        ({"code": 400, "message": "too long"}, 400, "invalid_request_error"),
        ({"message": "broken"}, 502, "upstream_error"),
        ("broken", 502, "upstream_error"),
        ({"code": "429"}, 502, "upstream_error"),
    ],
)
def test_openrouter_s_errors_inside_of_200_are_errors(
    error: object, status: int, code: str
) -> None:
    with pytest.raises(UpstreamFailure) as failed:
        read(OPENROUTER, {"error": error})
    assert (failed.value.status, failed.value.code) == (status, code)


def test_gemini_is_asked_for_all_inputs_in_one_batch() -> None:
    request = asked(input=["a", "b"], dimensions=3, user="u", encoding_format="base64")
    sent = GEMINI.build_embeddings(request, TARGET)
    assert sent.path == "/models/model-1:batchEmbedContents"
    one = {"model": "models/model-1", "outputDimensionality": 3}
    assert json.loads(sent.body) == {
        "requests": [
            {**one, "content": {"parts": [{"text": "a"}]}},
            {**one, "content": {"parts": [{"text": "b"}]}},
        ]
    }
    plain = json.loads(GEMINI.build_embeddings(asked(), TARGET).body)
    assert plain == {
        "requests": [{"model": "models/model-1", "content": {"parts": [{"text": "Hello"}]}}]
    }


def test_gemini_s_answer_is_written_as_openai_would() -> None:
    body = {
        "embeddings": [{"values": [0.5, -0.25]}, {"values": [1, 0]}],
        "usageMetadata": {"promptTokenCount": 9, "promptTokenDetails": []},
    }
    reply = read(GEMINI, body, asked(input=["a", "b"], encoding_format="base64"))
    assert json.loads(reply.body) == {
        "object": "list",
        "data": [
            {"object": "embedding", "index": 0, "embedding": PACKED},
            {"object": "embedding", "index": 1, "embedding": "AACAPwAAAAA="},
        ],
        "model": "model-1",
        "usage": {"prompt_tokens": 9, "total_tokens": 9},
    }
    del body["usageMetadata"]
    counted = read(GEMINI, body, asked(input=["a", "b" * 9])).usage
    assert (counted.source, counted.input_tokens) == ("counted", 1 + 3)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        {},
        {"embeddings": []},
        {"embeddings": [{"values": []}]},
        {"embeddings": [{"values": [1.0]}, {"values": [1.0]}]},
        {"embeddings": [{"values": "AAAA"}]},
        {"embedding": {"values": [1.0]}},
    ],
)
def test_gemini_s_answer_without_a_vector_for_each_input_is_none(body: object) -> None:
    with pytest.raises(UpstreamFailure) as failed:
        read(GEMINI, body)
    assert failed.value.code == "upstream_invalid_response"


def test_gemini_embeds_no_tokens_and_a_hundred_inputs_at_most() -> None:
    assert GEMINI.unsupported_embedding(asked(input=[1, 2])) == "input"
    assert GEMINI.unsupported_embedding(asked(input=[[1]])) == "input"
    assert GEMINI.unsupported_embedding(asked(input=["a"] * 101)) == "input"
    assert GEMINI.unsupported_embedding(asked(input=["a"] * 100)) is None


@pytest.mark.parametrize("provider", [OPENAI, OPENROUTER, GEMINI])
def test_an_error_is_the_provider_s_own(provider: EmbeddingProvider) -> None:
    body = b'{"error":{"message":"see https://api.example.com for sk-abcdefgh12345678"}}'
    answer = UpstreamAnswer(status=400, headers={}, body=body)
    with pytest.raises(UpstreamFailure) as failed:
        provider.parse_embeddings(asked(), TARGET, answer)
    assert (failed.value.status, failed.value.provider_status) == (400, 400)
    assert "example.com" not in failed.value.message
    assert "sk-abc" not in failed.value.message

"""Embeddings over HTTP: as OpenAI's clients ask for them."""

import base64
import json
import struct
import uuid
from collections.abc import Iterator
from typing import Any

import openai
import pytest
import requests

from studio.core.money import credits_to_ucr
from tests.gateway.conftest import Payer
from tests.gateway.embedding_calls import (
    GRANTED_UCR,
    LARGE,
    SMALL,
    charge_of,
    embed,
    nothing_moved,
)


@pytest.fixture
def client(payer: Payer) -> Iterator[openai.OpenAI]:
    """OpenAI's client with our address and our key."""
    with openai.OpenAI(base_url=f"{payer.url}/v1", api_key=payer.key, max_retries=0) as made:
        yield made


def test_embeddings_are_charged_by_the_provider_s_count(payer: Payer) -> None:
    answer = embed(payer, ["Hello there", "gateway"])
    assert answer.status_code == 200
    body = answer.json()
    assert (body["object"], body["model"]) == ("list", SMALL)
    assert [item["index"] for item in body["data"]] == [0, 1]
    assert [len(item["embedding"]) for item in body["data"]] == [1536, 1536]
    assert body["usage"] == {"prompt_tokens": 6, "total_tokens": 6}
    charge_ucr = charge_of(6)
    assert charge_ucr == 144
    assert credits_to_ucr(answer.headers["x-credits-charged"]) == charge_ucr
    assert credits_to_ucr(answer.headers["x-credits-remaining"]) == GRANTED_UCR - charge_ucr
    assert answer.headers["x-studio-upstream"] == "sandbox"
    [usage] = payer.usage()
    assert (usage["operation"], usage["kind"], usage["surface"]) == (
        "embedding",
        "embedding.default",
        "core",
    )
    assert (usage["provider"], usage["model"], usage["status"]) == ("openai", SMALL, "succeeded")
    assert (usage["input_tokens"], usage["output_tokens"]) == (6, 0)
    assert (usage["charge_ucr"], usage["cost_ucr"]) == (charge_ucr, 120)
    assert (usage["usage_source"], usage["counted_input_tokens"]) == ("provider", 5)
    [entry] = payer.entries()
    assert (entry["kind"], entry["amount"], entry["id"]) == (
        "usage",
        charge_ucr,
        usage["request_id"],
    )
    assert payer.balance() == (GRANTED_UCR - charge_ucr, 0)


def test_the_sdk_gets_the_same_vectors_packed_or_plain(client: openai.OpenAI) -> None:
    packed = client.embeddings.create(model=SMALL, input="Grüße 🌍")
    plain = client.embeddings.create(model=SMALL, input="Grüße 🌍", encoding_format="float")
    assert packed.data[0].embedding == plain.data[0].embedding
    assert len(packed.data[0].embedding) == 1536
    assert packed.usage.prompt_tokens == plain.usage.prompt_tokens


async def test_the_async_client_and_the_raw_response_work(payer: Payer) -> None:
    async with openai.AsyncOpenAI(base_url=f"{payer.url}/v1", api_key=payer.key) as client:
        raw = await client.embeddings.with_raw_response.create(model=LARGE, input=["a", "b"])
    assert raw.request_id == raw.headers["x-request-id"]
    assert [len(item.embedding) for item in raw.parse().data] == [3072, 3072]
    assert float(raw.headers["x-credits-charged"]) == charge_of(2, model=LARGE) / 1_000_000


@pytest.mark.parametrize(
    ("given", "vectors", "tokens"),
    [
        ("Hello", 1, 2),
        (["Hello"], 1, 2),
        ([1, 2, 3], 1, 3),
        ([[1, 2, 3]], 1, 3),
        ([[1], [2, 3]], 2, 3),
        (["a"] * 2048, 2048, 2048),
    ],
)
def test_every_form_of_input_is_taken(payer: Payer, given: Any, vectors: int, tokens: int) -> None:
    answer = embed(payer, given, body={"dimensions": 4})
    assert len(answer.json()["data"]) == vectors
    assert payer.usage()[0]["charge_ucr"] == charge_of(tokens)


@pytest.mark.parametrize("wanted", ["float", "base64"])
def test_a_large_answer_comes_whole(payer: Payer, wanted: str) -> None:
    answer = embed(
        payer, ["a"] * 300, body={"model": LARGE, "kind": None, "encoding_format": wanted}
    )
    data = answer.json()["data"]
    assert [item["index"] for item in data] == list(range(300))
    assert all(item["embedding"] == data[0]["embedding"] for item in data)


def test_a_text_and_its_channel_decide_the_model(payer: Payer) -> None:
    models = {
        channel: embed(payer, headers={"x-model-channel": channel}).json()["model"]
        for channel in ("stable", "experimental", "fast", "quality")
    }
    assert models == {"stable": SMALL, "experimental": SMALL, "fast": SMALL, "quality": LARGE}


@pytest.mark.parametrize("wanted", ["float", "base64"])
@pytest.mark.parametrize("answered", ["floats", "base64"])
def test_the_form_is_the_one_that_was_asked_for(payer: Payer, wanted: str, answered: str) -> None:
    body = {"encoding_format": wanted, "dimensions": 4}
    straight = embed(payer, "Hello", body=body).json()["data"][0]["embedding"]
    turned = embed(payer, f"[[sandbox vectors={answered}]]Hello", body=body)
    assert turned.json()["data"][0]["embedding"] == straight
    if wanted == "base64":
        assert len(struct.unpack("<4f", base64.b64decode(straight))) == 4
    else:
        assert all(isinstance(number, float) for number in straight)


def test_vectors_out_of_order_are_put_in_order(payer: Payer) -> None:
    body = {"dimensions": 4}
    straight = embed(payer, ["a", "b", "c"], body=body).json()["data"]
    shuffled = embed(payer, ["[[sandbox vectors=shuffled]]a", "b", "c"], body=body).json()["data"]
    assert shuffled == straight


@pytest.mark.parametrize(
    "words",
    [
        *("vectors=fewer", "vectors=more", "vectors=twice", "vectors=nan", "vectors=short"),
        *("html", "empty", "wrong_json", "invalid_utf8"),
    ],
)
def test_an_answer_that_is_none_costs_nothing(payer: Payer, words: str) -> None:
    answer = embed(payer, [f"[[sandbox {words}]] a", "b"], body={"dimensions": 8})
    assert answer.status_code == 502
    assert answer.json()["error"]["type"] == "upstream_invalid_response"
    assert payer.balance() == (GRANTED_UCR, 0)
    [usage] = payer.usage()
    assert (usage["status"], usage["charge_ucr"], usage["usage_source"]) == ("failed", 0, "none")
    assert [entry["kind"] for entry in payer.entries()] == ["void"]


@pytest.mark.parametrize(
    ("words", "status", "code"),
    [
        ("status=500", 502, "upstream_error"),
        ("status=429 retry_after=3", 503, "upstream_overloaded"),
        ("status=429 code=insufficient_quota", 503, "upstream_quota"),
        ("drop", 502, "upstream_error"),
        ("cut_at=100", 502, "upstream_error"),
        ("content_length=9", 502, "upstream_error"),
    ],
)
def test_a_failure_of_the_provider_s_costs_nothing(
    payer: Payer, words: str, status: int, code: str
) -> None:
    answer = embed(payer, f"[[sandbox {words}]]")
    assert (answer.status_code, answer.json()["error"]["type"]) == (status, code)
    assert payer.balance() == (GRANTED_UCR, 0)
    assert [usage["status"] for usage in payer.usage()] == ["failed"]


def test_the_provider_is_asked_for_what_was_asked_for(payer: Payer, sandbox_url: str) -> None:
    text = uuid.uuid4().hex
    embed(payer, text, body={"dimensions": 5, "user": "someone", "encoding_format": "float"})
    query = {"contains": text, "settled": "1"}
    found = requests.get(f"{sandbox_url}/_sandbox/requests", params=query, timeout=30).json()
    [sent] = found["requests"]
    assert sent["path"] == "/openai/v1/embeddings"
    assert json.loads(sent["body"]) == {
        "input": text,
        "model": SMALL,
        "dimensions": 5,
        "encoding_format": "base64",
        "user": "someone",
    }


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"", None),
        (b"[]", None),
        (b'{"input":"x"', None),
        (b'{"input":"\xff"}', None),
        (b"{}", "input"),
        (b'{"input":""}', "input"),
        (b'{"input":[]}', "input"),
        (b'{"input":["a",""]}', "input"),
        (b'{"input":["a",1]}', "input"),
        (b'{"input":[[1],[]]}', "input[1]"),
        (b'{"input":[1,-1]}', "input[1]"),
        (b'{"input":[1,2147483648]}', "input[1]"),
        (b'{"input":[1.5]}', "input[0]"),
        (b'{"input":null}', "input"),
        (b'{"input":{"text":"x"}}', "input"),
        (b'{"input":[' + b"1," * 2048 + b"1]}", "input"),
        (b'{"input":"x","dimensions":0}', "dimensions"),
        (b'{"input":"x","dimensions":1e999}', "dimensions"),
        (b'{"input":"x","encoding_format":"int8"}', "encoding_format"),
        (b'{"input":"x","colour":"red"}', "colour"),
        (b'{"input":"x","stream":true}', "stream"),
        (b'{"input":"a\\u0000b"}', None),
    ],
)
def test_a_body_that_is_no_request_is_refused(payer: Payer, body: bytes, param: str | None) -> None:
    answer = payer.post("/v1/embeddings", data=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert nothing_moved(payer)


def test_what_the_provider_refuses_is_said_in_its_words(payer: Payer) -> None:
    answer = embed(payer, body={"model": "text-embedding-ada-002", "kind": None, "dimensions": 9})
    assert answer.status_code == 400
    assert "dimensions" in answer.json()["error"]["message"]
    assert payer.balance() == (GRANTED_UCR, 0)


def test_names_lead_where_they_should(payer: Payer) -> None:
    assert embed(payer, body={"kind": None}).json()["model"] == SMALL
    assert embed(payer, body={"kind": None, "model": LARGE}).json()["model"] == LARGE
    by_kind = embed(payer, body={"kind": None, "model": "embedding.default"})
    assert by_kind.json()["model"] == SMALL
    unknown = embed(payer, body={"kind": None, "model": "llama"})
    assert (unknown.status_code, unknown.json()["error"]["type"]) == (404, "model_not_found")
    wrong = embed(payer, body={"kind": "chat.default"})
    assert (wrong.status_code, wrong.json()["error"]["type"]) == (400, "wrong_operation")
    back = payer.say("Hi", body={"kind": None, "model": SMALL})
    assert (back.status_code, back.json()["error"]["type"]) == (400, "wrong_operation")


def test_the_models_of_embeddings_are_listed_as_available(payer: Payer) -> None:
    listed = payer.get("/v1/models").json()
    assert listed["channels"]["quality"]["embedding.default"] == {
        "provider": "openai",
        "model": LARGE,
        "available": True,
    }
    assert {SMALL, LARGE, "embedding.default"} <= {model["id"] for model in listed["data"]}


def test_gemini_s_embeddings_are_openai_s_to_the_caller(payer: Payer) -> None:
    body = {"kind": None, "model": "gemini-embedding-001", "dimensions": 8}
    answer = embed(payer, ["Hello there", "gateway"], body={**body, "encoding_format": "base64"})
    assert answer.status_code == 200
    found = answer.json()
    assert (found["model"], found["usage"]) == (
        "gemini-embedding-001",
        {"prompt_tokens": 6, "total_tokens": 6},
    )
    packed = [base64.b64decode(item["embedding"]) for item in found["data"]]
    assert [len(struct.unpack("<8f", vector)) for vector in packed] == [8, 8]
    [usage] = payer.usage()
    assert (usage["provider"], usage["cost_ucr"]) == ("gemini", 6 * 150)
    assert usage["charge_ucr"] == 6 * 180


@pytest.mark.parametrize("given", [[1, 2], [[1]], ["a"] * 101])
def test_what_gemini_cannot_embed_is_refused_before_anything_is_held(
    payer: Payer, given: Any
) -> None:
    answer = embed(payer, given, body={"kind": None, "model": "gemini-embedding-001"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "input")
    assert nothing_moved(payer)


def test_a_body_too_large_or_of_another_type_is_refused(payer: Payer) -> None:
    assert embed(payer, "x" * (2 * 1024 * 1024)).status_code == 413
    answer = payer.post("/v1/embeddings", data=b"x", headers={"content-type": "text/plain"})
    assert answer.status_code == 415
    assert payer.get("/v1/embeddings").status_code == 405
    assert nothing_moved(payer)

"""The double's embeddings, by the official SDK and byte by byte."""

import base64
import json
import math
import struct
from typing import Any

import openai
import pytest

from tests.sandbox.caller import Answer, Caller

SMALL = "text-embedding-3-small"
LARGE = "text-embedding-3-large"


def embed(caller: Caller, **fields: Any) -> Answer:
    """Ask for embeddings without an SDK."""
    body = {"model": SMALL, "input": "Hello", **fields}
    return caller.send("POST", "/openai/v1/embeddings", body=json.dumps(body).encode())


def test_the_sdk_reads_base64_by_default_and_floats_on_demand(client: openai.OpenAI) -> None:
    packed = client.embeddings.create(model=SMALL, input="Hello there, sandbox")
    plain = client.embeddings.create(
        model=SMALL, input="Hello there, sandbox", encoding_format="float"
    )
    assert packed.data[0].embedding == pytest.approx(plain.data[0].embedding, abs=1e-9)
    assert len(packed.data[0].embedding) == 1536
    assert math.fsum(number**2 for number in packed.data[0].embedding) == pytest.approx(1, abs=1e-6)
    assert (packed.usage.prompt_tokens, packed.usage.total_tokens) == (7, 7)
    assert (packed.model, packed.object) == (SMALL, "list")


def test_each_input_has_its_vector_in_order(client: openai.OpenAI) -> None:
    both = client.embeddings.create(model=SMALL, input=["one", "two"]).data
    alone = client.embeddings.create(model=SMALL, input="two").data
    assert [item.index for item in both] == [0, 1]
    assert both[1].embedding == alone[0].embedding
    assert both[0].embedding != both[1].embedding


def test_tokens_are_one_input_and_lists_of_them_several(client: openai.OpenAI) -> None:
    one = client.embeddings.create(model=SMALL, input=[1, 2, 3])
    two = client.embeddings.create(model=SMALL, input=[[1, 2, 3], [4]])
    assert (len(one.data), one.usage.prompt_tokens) == (1, 3)
    assert (len(two.data), two.usage.prompt_tokens) == (2, 4)
    assert one.data[0].embedding == two.data[0].embedding


def test_dimensions_are_chosen_where_the_model_lets_one(client: openai.OpenAI) -> None:
    assert len(client.embeddings.create(model=LARGE, input="x").data[0].embedding) == 3072
    short = client.embeddings.create(model=LARGE, input="x", dimensions=256)
    assert len(short.data[0].embedding) == 256
    with pytest.raises(openai.BadRequestError, match="dimensions"):
        client.embeddings.create(model="text-embedding-ada-002", input="x", dimensions=256)


async def test_the_async_client_works(sandbox_url: str) -> None:
    url = f"{sandbox_url}/openai/v1"
    async with openai.AsyncOpenAI(api_key="sk-1", base_url=url, max_retries=0) as client:
        answer = await client.embeddings.create(model=SMALL, input="Async")
    assert len(answer.data) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"input": ""},
        {"input": []},
        {"input": [""]},
        {"input": [[]]},
        {"input": [1, "a"]},
        {"input": ["a"] * 2049},
        {"input": None},
        {"input": [[1] * 8193]},
        {"input": [[1] * 8000] * 38},
        {"model": ""},
        {"encoding_format": "int8"},
        {"dimensions": 0},
        {"dimensions": 1537},
        {"colour": "red"},
    ],
)
def test_what_openai_refuses_is_refused(caller: Caller, fields: dict[str, Any]) -> None:
    answer = embed(caller, **fields)
    assert answer.status == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_a_model_without_embeddings_is_not_found(caller: Caller) -> None:
    answer = embed(caller, model="gpt-5")
    assert (answer.status, answer.json()["error"]["code"]) == (404, "model_not_found")


@pytest.mark.parametrize(
    ("word", "indexes"),
    [
        ("fewer", [0, 1]),
        ("more", [0, 1, 2, 3]),
        ("shuffled", [2, 1, 0]),
        ("twice", [0, 0, 0]),
    ],
)
def test_vectors_go_missing_or_astray_on_demand(
    caller: Caller, word: str, indexes: list[int]
) -> None:
    answer = embed(caller, input=[f"[[sandbox vectors={word}]] a", "b", "c"])
    assert [item["index"] for item in answer.json()["data"]] == indexes


def test_vectors_are_spoiled_on_demand(caller: Caller) -> None:
    asked = {"encoding_format": "base64", "dimensions": 4}
    whole = embed(caller, **asked).json()["data"][0]["embedding"]
    floats = embed(caller, input="[[sandbox vectors=floats]]Hello", **asked).json()["data"][0]
    assert list(struct.unpack("<4f", base64.b64decode(whole))) == floats["embedding"]
    packed = embed(caller, input="[[sandbox vectors=base64]]Hello", dimensions=4).json()
    assert packed["data"][0]["embedding"] == whole
    nan = embed(caller, input="[[sandbox vectors=nan]]Hello", **asked).json()["data"][0]
    assert math.isnan(struct.unpack("<4f", base64.b64decode(nan["embedding"]))[0])
    short = embed(caller, input="[[sandbox vectors=short]]Hello", **asked).json()["data"][0]
    assert len(base64.b64decode(short["embedding"])) == 3 * 4


def test_faults_of_the_form_and_of_the_line_work_here_too(caller: Caller) -> None:
    assert embed(caller, input="[[sandbox status=500]]").status == 500
    assert (
        embed(caller, input=["a", "[[sandbox status=429 code=insufficient_quota]]"]).status == 429
    )
    assert "usage" not in embed(caller, input="[[sandbox missing_usage]]").json()
    assert embed(caller, input="[[sandbox usage=-5]]").json()["usage"]["prompt_tokens"] == -5
    assert embed(caller, input="[[sandbox nonsense]]").json()["error"]["code"] == "unknown_fault"
    assert embed(caller, input="[[sandbox html]]").body.startswith(b"<!DOCTYPE html>")

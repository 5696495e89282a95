"""What the double answers is what OpenAI's own document allows.

The document is not part of this repository: it is looked for beside the checkout.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.caller import Caller
from tests.sandbox.openapi import violations

SPEC = Path(__file__).resolve().parents[3] / "shared/wire/specs/openai.openapi.json"
TOOL = {"type": "function", "function": {"name": "time", "parameters": {"type": "object"}}}
SHAPE = {"type": "json_schema", "json_schema": {"name": "guess", "schema": {"type": "object"}}}
REQUESTS: list[dict[str, Any]] = [
    {},
    {"n": 2, "logprobs": True, "top_logprobs": 3, "service_tier": "fast"},
    {"tools": [TOOL]},
    {"functions": [{"name": "time"}]},
    {"response_format": SHAPE},
    {"max_completion_tokens": 1, "reasoning_effort": "low"},
    {"metadata": {"case": "7"}},
    {"model": "gpt-4o", "prediction": {"type": "content", "content": "You said"}},
]


@pytest.fixture(scope="session")
def spec() -> Any:  # noqa: ANN401 - a JSON document
    """Load OpenAI's document, or say plainly that these claims go unchecked."""
    if not SPEC.exists():
        pytest.skip(f"NOT CHECKED AGAINST OPENAI'S SPEC: there is no {SPEC}")
    return json.loads(SPEC.read_bytes())


@pytest.mark.parametrize("fields", REQUESTS)
@pytest.mark.parametrize("content", ["Hello", "[[sandbox refusal]]", "[[sandbox content_filter]]"])
def test_plain_answers_are_documented(
    spec: dict[str, Any], caller: Caller, content: str, fields: dict[str, Any]
) -> None:
    answer = caller.chat(content, **fields)
    assert answer.status == 200
    assert violations(spec, "CreateChatCompletionResponse", answer.json()) == []


@pytest.mark.parametrize("fields", REQUESTS)
@pytest.mark.parametrize("content", ["Hello", "[[sandbox refusal]]"])
def test_chunks_are_documented(
    spec: dict[str, Any], caller: Caller, content: str, fields: dict[str, Any]
) -> None:
    options = {"include_usage": True}
    answer = caller.chat(content, **fields, stream=True, stream_options=options)
    *chunks, done = answer.events()
    assert done == "[DONE]"
    for chunk in chunks:
        assert violations(spec, "CreateChatCompletionStreamResponse", chunk) == []


@pytest.mark.parametrize("fields", [{}, {"input": ["a", "b"]}, {"dimensions": 8}])
def test_embeddings_are_documented(
    spec: dict[str, Any], caller: Caller, fields: dict[str, Any]
) -> None:
    body = {"model": "text-embedding-3-small", "input": "Hello", **fields}
    answer = caller.send("POST", "/openai/v1/embeddings", body=json.dumps(body).encode())
    assert answer.status == 200
    assert violations(spec, "CreateEmbeddingResponse", answer.json()) == []


def test_realtime_secrets_are_documented(spec: dict[str, Any], caller: Caller) -> None:
    body = b'{"session":{"type":"realtime","model":"gpt-realtime-2.1"}}'
    answer = caller.send("POST", "/openai/v1/realtime/client_secrets", body=body)
    assert answer.status == 200
    assert violations(spec, "RealtimeCreateClientSecretResponse", answer.json()) == []


def test_models_and_errors_are_documented(spec: dict[str, Any], caller: Caller) -> None:
    models = caller.send("GET", "/openai/v1/models")
    assert violations(spec, "ListModelsResponse", models.json()) == []
    model = caller.send("GET", "/openai/v1/models/gpt-4o")
    assert violations(spec, "Model", model.json()) == []
    for content in ("[[sandbox status=500]]", "[[sandbox status=429 retry_after=2]]"):
        assert violations(spec, "ErrorResponse", caller.chat(content).json()) == []


def test_every_documented_field_is_known(spec: dict[str, Any], caller: Caller) -> None:
    schemas = spec["components"]["schemas"]
    documented = set(schemas["ModelResponseProperties"]["properties"])
    for name in ("CreateModelResponseProperties", "CreateChatCompletionRequest"):
        documented |= set(schemas[name]["allOf"][1]["properties"])
    empty: dict[str, Any] = {name: None for name in documented - {"model", "messages"}}
    assert caller.chat("Hello", **empty).status == 200


def test_checker_finds_what_is_wrong(spec: dict[str, Any]) -> None:
    wrong = {"error": {"message": 7, "param": None, "code": None, "more": 1}}
    assert violations(spec, "ErrorResponse", wrong) == [
        "$.error: type is missing",
        "$.error.message: 7 is no string",
        "$.error: more is not documented",
    ]

"""xAI and OpenRouter behind the gateway: reasoning is charged, and nothing of theirs is seen."""

import json
from typing import Any

import pytest
from openai import OpenAI

from tests.gateway.conftest import Payer

PRICES = {
    "grok-4.3": ("xai", 1_250, 2_500),
    "anthropic/claude-sonnet-5.5": ("openrouter", 2_000, 10_000),
}
"""Model → provider, and µcr per token of input and output, before the markup."""
THINK: dict[str, Any] = {"reasoning_effort": "low", "max_completion_tokens": 90}
each_model = pytest.mark.parametrize("model", PRICES)


def asked(model: str, text: str, **fields: Any) -> dict[str, Any]:
    """Write a chat with one message."""
    return {"model": model, "messages": [{"role": "user", "content": text}], **fields}


@each_model
def test_an_answer_is_charged_with_its_reasoning_and_names_nobody(payer: Payer, model: str) -> None:
    response = payer.post("/v1/chat/completions", json=asked(model, "Hello", **THINK))
    assert response.status_code == 200, response.text
    answer = response.json()
    assert set(answer) == {"id", "object", "created", "model", "choices", "usage"}
    message = answer["choices"][0]["message"]
    assert set(message) == {"role", "content", "refusal", "reasoning_content"}
    provider, input_ucr, output_ucr = PRICES[model]
    (row,) = payer.usage()
    assert (row["provider"], row["model"], row["status"]) == (provider, model, "succeeded")
    assert (row["input_tokens"], row["output_tokens"], row["reasoning_tokens"]) == (9, 90, 64)
    assert row["usage_source"] == "provider"
    assert row["cost_ucr"] == 9 * input_ucr + 90 * output_ucr
    assert row["charge_ucr"] >= row["cost_ucr"]
    assert answer["usage"]["completion_tokens"] == 90


@each_model
def test_a_stream_is_charged_alike(payer: Payer, model: str) -> None:
    client = OpenAI(api_key=payer.key, base_url=f"{payer.url}/v1", max_retries=0)
    with client:
        plain = client.chat.completions.create(**asked(model, "Hello", **THINK))
        chunks = list(
            client.chat.completions.create(
                **asked(model, "Hello", **THINK),
                stream=True,
                stream_options={"include_usage": True},
            )
        )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == plain.choices[0].message.content
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == plain.usage.completion_tokens
    whole, streamed = payer.usage()
    assert whole["charge_ucr"] == streamed["charge_ucr"] > 0
    assert payer.balance()[1] == 0


@each_model
def test_an_error_costs_nothing(payer: Payer, model: str) -> None:
    before = payer.balance()
    response = payer.post("/v1/chat/completions", json=asked(model, "[[sandbox status=400]]"))
    assert response.status_code == 400
    assert payer.balance() == before


def test_an_error_that_came_with_200_costs_nothing(payer: Payer) -> None:
    before = payer.balance()
    model = "anthropic/claude-sonnet-5.5"
    words = "[[sandbox error_event=0 code=402]]"
    response = payer.post("/v1/chat/completions", json=asked(model, words))
    assert response.status_code == 503
    assert response.json()["error"]["type"] == "upstream_quota"
    assert payer.balance() == before


def test_an_error_inside_a_stream_ends_it_and_what_was_said_is_paid(payer: Payer) -> None:
    body = asked("anthropic/claude-sonnet-5.5", "[[sandbox error_event=3 code=429]]", stream=True)
    response = payer.post("/v1/chat/completions", json=body)
    *_, last = [line for line in response.text.split("\n") if line.startswith("data: ")]
    assert json.loads(last[6:])["error"]["type"] == "upstream_overloaded"
    (row,) = payer.usage()
    assert (row["status"], row["usage_source"]) == ("interrupted", "counted")
    assert row["charge_ucr"] > 0


def test_an_ended_grok_is_answered_by_its_successor(payer: Payer) -> None:
    response = payer.post("/v1/chat/completions", json=asked("grok-4-fast", "Hello"))
    assert response.status_code == 200, response.text
    assert response.json()["model"] == "grok-4.3"

"""A chat with a Claude through the gateway: answered in OpenAI's form, paid by class of token."""

import json
from typing import Any

import pytest

from tests.gateway.conftest import Payer

CLAUDE = {"kind": None, "model": "claude-sonnet-5-5"}
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
PRICES_UCR = {"plain": 2_000, "read": 100, "written": 2_500, "output": 10_000}
"""Per token: 2, 0.1, 2.5 and 10 dollars a million; a dollar is 10^9 µcr."""


def charge_ucr(usage: dict[str, Any]) -> int:
    """Price a usage row by the shipped book, markup included."""
    read, written = usage["cached_input_tokens"], usage["cache_write_tokens"]
    amount_ucr = (usage["input_tokens"] - read - written) * PRICES_UCR["plain"]
    amount_ucr += read * PRICES_UCR["read"] + written * PRICES_UCR["written"]
    amount_ucr += usage["output_tokens"] * PRICES_UCR["output"]
    return int(-(-amount_ucr * (10_000 + usage["markup_bp"]) // 10_000))


@pytest.mark.parametrize("stream", [False, True])
def test_each_class_of_token_has_its_price(payer: Payer, stream: bool) -> None:
    words = "word " * 2000 + "[[sandbox cached=1200 cache_write=600]]"
    answer = payer.say(words, body={**CLAUDE, "stream": stream})
    assert answer.status_code == 200
    (usage,) = payer.usage()
    classes = ("input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens")
    assert [usage[name] for name in classes] == [2022, 1200, 600, 44]
    assert (usage["provider"], usage["model"]) == ("anthropic", "claude-sonnet-5-5")
    assert usage["usage_source"] == "provider"
    assert usage["charge_ucr"] == charge_ucr(usage)
    assert payer.balance() == (1_000_000_000 - usage["charge_ucr"], 0)


def test_an_answer_is_openais_and_names_nobody(payer: Payer) -> None:
    answer = payer.say("Hello there", body={**CLAUDE, "temperature": 0.3, "top_k": 4})
    body = answer.json()
    assert body["choices"][0]["message"]["content"].startswith("You said: “Hello there”.")
    assert (body["object"], body["model"]) == ("chat.completion", "claude-sonnet-5-5")
    assert body["id"].startswith("chatcmpl-")
    for word in (b"msg_", b"toolu_", b"anthropic.com"):
        assert word not in answer.content


def test_a_call_goes_round_with_its_thought(payer: Payer) -> None:
    question = {"role": "user", "content": "Weather?"}
    fields = {**CLAUDE, "tools": [WEATHER], "reasoning_effort": "low"}
    first = payer.post(json={**fields, "messages": [question]}).json()
    message = first["choices"][0]["message"]
    assert message["thinking_blocks"][0]["type"] == "thinking"
    (call,) = message["tool_calls"]
    result = {"role": "tool", "tool_call_id": call["id"], "content": "12"}
    second = payer.post(json={**fields, "messages": [question, message, result]}).json()
    assert second["choices"][0]["message"]["content"] == "The tool answered: 12"
    assert [usage["reasoning_tokens"] for usage in payer.usage()] == [64, 64]


def test_a_stream_that_breaks_is_paid_as_far_as_it_came(payer: Payer) -> None:
    answer = payer.say("[[sandbox chunks=20 error_event=9]]", body={**CLAUDE, "stream": True})
    events = [line for line in answer.text.split("\n\n") if line]
    assert json.loads(events[-1].removeprefix("data: "))["error"]["type"] == "upstream_overloaded"
    (usage,) = payer.usage()
    assert (usage["status"], usage["input_tokens"], usage["output_tokens"]) == (
        "interrupted",
        22,
        6,
    )
    assert usage["charge_ucr"] == charge_ucr(usage)


def test_what_goes_wrong_before_an_answer_costs_nothing(payer: Payer) -> None:
    words = "[[sandbox status=400]]"
    assert payer.say(words, body=CLAUDE).status_code == 400
    arguments = {"name": "weather", "arguments": "{"}
    call = {"id": "call_1", "type": "function", "function": arguments}
    turns = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "x"},
    ]
    refused = payer.post(json={**CLAUDE, "messages": turns})
    assert refused.status_code == 400
    assert "messages[1].tool_calls[0].function.arguments" in refused.text
    assert payer.post(json={**CLAUDE, "messages": turns[:1], "n": 2}).status_code == 400
    assert payer.balance() == (1_000_000_000, 0)
    assert {entry["kind"] for entry in payer.entries()} <= {"void"}

"""Responses over providers that speak another language: reasoning, signatures and calls go there
and come back.
"""

import json
from typing import Any

import pytest

from tests.gateway.conftest import Payer
from tests.gateway.response_bodies import WEATHER
from tests.gateway.response_events import events_of
from tests.gateway.test_responses_http import PATH

CLAUDE, GEMINI, GROK = "claude-sonnet-5-5", "gemini-3.8-flash", "grok-4.3"
THINKING = {"reasoning": {"effort": "low"}, "tools": [WEATHER], "max_output_tokens": 4000}


def answered(payer: Payer, items: object, *, stream: bool = False, **fields: Any) -> Any:
    """Ask for a response, plain or streamed; give the whole of it."""
    answer = payer.post(PATH, json={"input": items, "stream": stream, **fields})
    assert answer.status_code == 200, answer.text
    return events_of(answer.content)[-1]["response"] if stream else answer.json()


def bare(response: dict[str, Any]) -> Any:
    """Give the output without the ids of the response."""
    digits = response["id"].removeprefix("resp_")
    return json.loads(json.dumps(response["output"]).replace(digits, ""))


def after_tools(payer: Payer, question: str, first: dict[str, Any], **fields: Any) -> Any:
    """Answer the calls of a response and go on."""
    results = [
        {"type": "function_call_output", "call_id": item["call_id"], "output": "12 degrees"}
        for item in first["output"]
        if item["type"] == "function_call"
    ]
    assert results
    items = [{"role": "user", "content": question}, *first["output"], *results]
    return answered(payer, items, **fields)


@pytest.mark.parametrize("model", [CLAUDE, GEMINI, GROK])
@pytest.mark.parametrize("stream", [False, True])
def test_any_provider_s_model_answers_a_response(payer: Payer, model: str, stream: bool) -> None:
    found = answered(payer, "Hello there", model=model, stream=stream, instructions="Be brief.")
    assert (found["model"], found["status"]) == (model, "completed")
    [message] = [item for item in found["output"] if item["type"] == "message"]
    assert "Hello there" in message["content"][0]["text"]
    [usage] = payer.usage()
    assert (usage["model"], usage["surface"]) == (model, "core")
    assert found["usage"]["output_tokens"] == usage["output_tokens"] > 0
    assert found["id"] == f"resp_{usage['request_id'].hex}"


@pytest.mark.parametrize("model", [CLAUDE, GEMINI, GROK])
def test_tools_are_called_and_answered_plain_and_streamed(payer: Payer, model: str) -> None:
    fields: dict[str, Any] = {"model": model, "tools": [WEATHER]}
    for stream in (False, True):
        first = answered(payer, "Weather?", stream=stream, **fields)
        [call] = [item for item in first["output"] if item["type"] == "function_call"]
        assert (call["name"], json.loads(call["arguments"])) == ("weather", {"city": "text"})
        after = after_tools(payer, "Weather?", first, stream=stream, **fields)
        assert "12 degrees" in json.dumps(after["output"])


@pytest.mark.parametrize("stream", [False, True])
def test_claude_s_signed_reasoning_comes_back_as_it_went(payer: Payer, stream: bool) -> None:
    fields: dict[str, Any] = {"model": CLAUDE, "stream": stream, **THINKING}
    first = answered(payer, "Weather?", **fields)
    reasoning, call = first["output"]
    assert (reasoning["type"], call["type"]) == ("reasoning", "function_call")
    assert reasoning["content"][0]["text"]
    assert reasoning["encrypted_content"].startswith("blocks.1.")
    after = after_tools(payer, "Weather?", first, **fields)
    assert "The tool answered: 12 degrees" in json.dumps(after["output"])
    assert after["usage"]["output_tokens_details"]["reasoning_tokens"] >= 0


def test_a_summary_of_claude_s_is_the_same_plain_and_streamed(payer: Payer) -> None:
    fields: dict[str, Any] = {
        "model": CLAUDE,
        **THINKING,
        "reasoning": {"effort": "low", "summary": "auto"},
        "tools": [],
    }
    plain = answered(payer, "Hello there", **fields)
    streamed = answered(payer, "Hello there", stream=True, **fields)
    assert bare(plain) == bare(streamed)
    assert [item["type"] for item in plain["output"]] == ["reasoning", "message"]
    assert plain["output"][0]["summary"][0]["type"] == "summary_text"


def test_gemini_s_thought_signature_travels_with_its_call(payer: Payer) -> None:
    fields: dict[str, Any] = {"model": GEMINI, **THINKING}
    first = answered(payer, "Weather?", **fields)
    [call] = [item for item in first["output"] if item["type"] == "function_call"]
    assert call["extra_content"]["google"]["thought_signature"]
    assert after_tools(payer, "Weather?", first, **fields)["status"] == "completed"

"""The official client finds in the sandbox what it would find at xAI.

xAI's own SDK speaks gRPC; over HTTP xAI documents the `openai` SDK with another base URL, so that
one is run here. Source: docs.x.ai, Migration from other providers.
"""

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionToolParam
from pydantic import BaseModel

from tests.sandbox.caller import Caller

MODEL = "grok-4.3"
CHAT = "/xai/v1/chat/completions"
TIME: ChatCompletionToolParam = {
    "type": "function",
    "function": {"name": "time", "parameters": {"type": "object"}},
}


@pytest.fixture
def xai(sandbox_url: str) -> Iterator[openai.OpenAI]:
    """Call the double with the official SDK, without its retries."""
    with openai.OpenAI(
        api_key="xai-sandbox-1234", base_url=f"{sandbox_url}/xai/v1", max_retries=0
    ) as made:
        yield made


def ask(client: openai.OpenAI, content: str, **fields: Any) -> ChatCompletion:
    """Ask without streaming."""
    messages = [{"role": "user", "content": content}]
    return client.chat.completions.create(**{"model": MODEL, "messages": messages, **fields})  # type: ignore[no-any-return]


def extra(model: Any) -> dict[str, Any]:
    """Give what the SDK kept and does not know."""
    return model.model_extra or {}


def test_plain_answer_quotes_the_prompt_and_tells_its_cost(xai: openai.OpenAI) -> None:
    answer = ask(xai, "Hello there, sandbox")
    assert answer.choices[0].message.content == (
        "You said: “Hello there, sandbox”. Nobody counts the steps on the way down. "
        "Salt, bread and a map are enough for one day."
    )
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (14, 39)
    assert extra(answer.usage)["cost_in_usd_ticks"] == 14 * 12_500 + 39 * 25_000
    assert extra(answer.usage)["num_sources_used"] == 0
    assert ask(xai, "Hello there, sandbox").to_json() == answer.to_json()


def test_reasoning_is_shown_and_counted_beside_the_answer(xai: openai.OpenAI) -> None:
    answer = ask(xai, "Think", reasoning_effort="low")
    assert extra(answer.choices[0].message)["reasoning_content"].split()[:3] == ["the", "sea", "is"]
    usage = answer.usage
    assert usage is not None
    assert usage.completion_tokens_details is not None
    assert usage.completion_tokens_details.reasoning_tokens == 64
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens + 64
    assert extra(usage)["cost_in_usd_ticks"] == usage.prompt_tokens * 12_500 + 25_000 * (
        usage.completion_tokens + 64
    )


def test_two_ceilings_bound_different_things(xai: openai.OpenAI) -> None:
    visible = ask(xai, "Think", reasoning_effort="low", max_completion_tokens=2)
    both = ask(xai, "Think", reasoning_effort="low", max_tokens=66)
    for answer in (visible, both):
        assert answer.choices[0].message.content == "You said"
        assert answer.choices[0].finish_reason == "length"
    starved = ask(xai, "Think", reasoning_effort="low", max_tokens=40)
    assert starved.usage is not None
    assert (starved.choices[0].message.content, starved.usage.completion_tokens) == ("", 0)


def test_stream_says_what_the_plain_answer_says(xai: openai.OpenAI) -> None:
    plain = ask(xai, "Grüße 🌍", reasoning_effort="low").choices[0].message
    chunks = list(
        xai.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": "Grüße 🌍"}],
            reasoning_effort="low",
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    *spoken, usage = chunks
    deltas = [chunk.choices[0].delta for chunk in spoken]
    assert "".join(delta.content or "" for delta in deltas) == plain.content
    thought = "".join(extra(delta).get("reasoning_content", "") for delta in deltas)
    assert thought == extra(plain)["reasoning_content"]
    assert (deltas[0].role, spoken[-1].choices[0].finish_reason) == ("assistant", "stop")
    assert usage.choices == []
    assert usage.usage is not None
    assert extra(usage.usage)["cost_in_usd_ticks"] > 0


def test_what_is_null_is_left_out_of_a_chunk(caller: Caller) -> None:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], "stream": True}
    answer = caller.send("POST", CHAT, body=json.dumps(body).encode())
    role, text, *_, finish, done = answer.events()
    assert role["choices"] == [{"index": 0, "delta": {"role": "assistant"}}]
    assert text["choices"] == [{"index": 0, "delta": {"content": "You"}}]
    assert finish["choices"] == [{"index": 0, "delta": {}, "finish_reason": "stop"}]
    assert done == "[DONE]"


async def test_async_client_works_plain_and_streamed(sandbox_url: str) -> None:
    url = f"{sandbox_url}/xai/v1"
    async with openai.AsyncOpenAI(api_key="xai-1", base_url=url, max_retries=0) as client:
        plain = await client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "Async"}]
        )
        stream = await client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "Async"}], stream=True
        )
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
    assert text == plain.choices[0].message.content


def test_tools_are_called_and_their_results_answered(xai: openai.OpenAI) -> None:
    called = ask(xai, "in parallel", tools=[TIME]).choices[0]
    assert (called.finish_reason, called.message.content) == ("tool_calls", "")
    calls = called.message.tool_calls or []
    assert [call.function.name for call in calls if call.type == "function"] == ["time", "time"]
    answer = xai.chat.completions.create(
        model=MODEL,
        messages=[
            {"role": "user", "content": "Time?"},
            {"role": "assistant", "tool_calls": [calls[0].to_dict()]},  # type: ignore[list-item]
            {"role": "tool", "tool_call_id": calls[0].id, "content": "noon"},
        ],
        tools=[TIME],
    )
    assert answer.choices[0].message.content == "The tool answered: noon"


def test_a_streamed_call_comes_whole(xai: openai.OpenAI) -> None:
    with xai.chat.completions.stream(
        model=MODEL, messages=[{"role": "user", "content": "in parallel"}], tools=[TIME]
    ) as stream:
        deltas = [event.chunk.choices[0].delta for event in stream if event.type == "chunk"]
        final = stream.get_final_completion()
    pieces = [delta.tool_calls[0] for delta in deltas if delta.tool_calls]
    assert [(piece.index, piece.type) for piece in pieces] == [(0, "function"), (1, "function")]
    calls = final.choices[0].message.tool_calls or []
    assert [json.loads(call.function.arguments) for call in calls] == [{}, {}]


class Guess(BaseModel):
    """What a structured answer is parsed into."""

    answer: int
    note: str | None


def test_structured_output_parses_into_the_model(xai: openai.OpenAI) -> None:
    answer = xai.chat.completions.parse(
        model=MODEL, messages=[{"role": "user", "content": "Guess"}], response_format=Guess
    )
    assert answer.choices[0].message.parsed == Guess(answer=0, note="text")


def test_choices_differ_and_logprobs_cover_every_token(xai: openai.OpenAI) -> None:
    two = ask(xai, "Many", n=2, logprobs=True, top_logprobs=2, reasoning_effort="low")
    assert len({choice.message.content for choice in two.choices}) == 2
    assert two.choices[1].logprobs is not None
    rows = two.choices[1].logprobs.content or []
    assert "".join(row.token for row in rows) == two.choices[1].message.content
    assert two.usage is not None
    assert two.usage.completion_tokens_details is not None
    assert two.usage.completion_tokens_details.reasoning_tokens == 128


def test_models_carry_their_prices_elsewhere(xai: openai.OpenAI, caller: Caller) -> None:
    assert [model.id for model in xai.models.list()] == [
        "grok-4.7",
        "grok-4.3",
        "grok-4.20-non-reasoning",
    ]
    assert xai.models.retrieve("grok-4.3").owned_by == "xai"
    priced = caller.send("GET", "/xai/v1/language-models/grok-4.3").json()
    assert priced["completion_text_token_price"] == 25_000
    assert len(caller.send("GET", "/xai/v1/language-models").json()["models"]) == 3
    assert caller.send("GET", "/xai/v1/api-key").json()["redacted_api_key"] == "xai-...1234"


def test_raw_response_shows_request_id_and_limits(xai: openai.OpenAI) -> None:
    raw = xai.chat.completions.with_raw_response.create(
        model=MODEL, messages=[{"role": "user", "content": "Raw"}]
    )
    assert raw.headers["x-ratelimit-limit-requests"] == "600"
    assert raw.request_id == raw.headers["x-request-id"]


@pytest.mark.parametrize(
    ("key", "error", "words", "retry_after"),
    [
        ("xai-invalid", openai.BadRequestError, "Incorrect API key provided: xa***id.", None),
        ("xai-quota", openai.RateLimitError, "used all available credits", None),
        ("xai-ratelimited", openai.RateLimitError, "Too many requests", "1"),
    ],
)
def test_key_chooses_its_error(
    xai: openai.OpenAI,
    key: str,
    error: type[openai.APIStatusError],
    words: str,
    retry_after: str | None,
) -> None:
    with pytest.raises(error) as caught:
        ask(xai.with_options(api_key=key), "Hi")
    assert words in str(caught.value.body)
    assert caught.value.response.headers.get("retry-after") == retry_after


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"messages": None}, 422, "missing field `messages`"),
        ({"model": None}, 422, "missing field `model`"),
        ({"colour": "red"}, 422, "unknown field `colour`"),
        ({"messages": [{"role": "developer", "content": "x"}]}, 422, "unknown variant `developer`"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, 422, "missing field `param"),
        ({"tools": [{"type": "custom", "custom": {"name": "c"}}]}, 422, "unknown variant `custom`"),
        ({"stop": ["a"]}, 400, "does not support parameter stop"),
        ({"presence_penalty": 0}, 400, "does not support parameter presencePenalty"),
        ({"frequency_penalty": 1}, 400, "does not support parameter frequencyPenalty"),
        ({"logit_bias": {"5": 1}}, 400, "does not support parameter logitBias"),
        ({"model": "grok-4.20-non-reasoning", "reasoning_effort": "low"}, 400, "reasoningEffort"),
        ({"reasoning_effort": "xhigh"}, 400, "Invalid reasoning effort: xhigh"),
        ({"temperature": 3}, 400, "temperature"),
        ({"top_logprobs": 9, "logprobs": True}, 400, "between 0 and 8"),
        ({"deferred": True}, 400, "Deferred completions are not available"),
        ({"model": "gpt-5.6-sol"}, 404, "does not exist"),
        ({"model": "grok-4-fast-reasoning"}, 404, "does not exist"),
        ({"tools": 7}, 400, "tools"),
        (
            {"tools": [{**TIME, "function": {"name": "f", "parameters": {"type": 7}}}]},
            422,
            "nested",
        ),
    ],
)
def test_a_refusal_is_a_text_beside_a_code(
    caller: Caller, fields: dict[str, Any], status: int, words: str
) -> None:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], **fields}
    answer = caller.send("POST", CHAT, body=json.dumps(body).encode())
    assert answer.status == status
    assert set(answer.json()) == {"code", "error"}
    assert words in answer.json()["error"]


def test_errors_come_in_two_forms_and_two_meanings(xai: openai.OpenAI) -> None:
    with pytest.raises(openai.InternalServerError) as broken:
        ask(xai, "[[sandbox status=503]]")
    assert broken.value.body == {
        "message": "The sandbox was asked to answer 503.",
        "type": "server_error",
        "param": None,
        "code": None,
    }
    for code, words in (("guidelines", "usage guidelines"), ("credits", "used all available")):
        with pytest.raises(openai.PermissionDeniedError) as refused:
            ask(xai, f"[[sandbox status=403 code={code}]]")
        assert words in str(refused.value.body)
    with pytest.raises(openai.AuthenticationError):
        xai.models.list(extra_headers={"authorization": "Basic x"})


def test_error_inside_a_stream_is_raised(xai: openai.OpenAI) -> None:
    messages = [{"role": "user", "content": "[[sandbox error_event]]"}]
    with pytest.raises(openai.APIError):
        list(xai.chat.completions.create(model=MODEL, messages=messages, stream=True))  # type: ignore[arg-type]


def test_the_sdk_tries_again_as_told(xai: openai.OpenAI, caller: Caller, mark: str) -> None:
    words = f"[[sandbox status=429 retry_after=0.01 times=2 tag={mark}]]"
    assert ask(xai.with_options(max_retries=2), words).choices[0].finish_reason == "stop"
    assert [entry["status"] for entry in caller.journal(mark, at_least=3)] == [429, 429, 200]


@pytest.mark.parametrize("words", ["drop", "cut_at=5", "content_length=9"])
def test_transport_faults_reach_the_client(xai: openai.OpenAI, words: str) -> None:
    with pytest.raises(openai.APIConnectionError):
        ask(xai, f"[[sandbox {words}]]")


@pytest.mark.parametrize("words", ["comments", "crlf", "split_bytes=9", "chunk_delay_ms=1"])
def test_odd_framing_carries_the_same_words(xai: openai.OpenAI, words: str) -> None:
    content = f"[[sandbox chunks=3 {words}]]"
    stream = xai.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": content}], stream=True
    )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == " the sea is"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", CHAT, 405),
        ("POST", "/xai/v1/models", 405),
        ("POST", "/xai/v1/nothing", 404),
        ("GET", "/xai/v1/chat/deferred-completion/1", 404),
        ("GET", "/xai/v1/models/llama-3", 404),
    ],
)
def test_wrong_method_or_path_is_refused(
    caller: Caller, method: str, path: str, status: int
) -> None:
    assert caller.send(method, path).status == status


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"[" * 100_000])
def test_body_that_is_no_chat_is_refused(caller: Caller, body: bytes) -> None:
    assert caller.send("POST", CHAT, body=body).status == 422

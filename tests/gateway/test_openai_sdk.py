"""The official OpenAI SDK finds at the gateway what it would find at OpenAI; only `base_url` and
`api_key` are ours.
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import openai
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionToolParam
from pydantic import BaseModel

from studio.accounts.models import Tier
from tests.gateway.conftest import Payer
from tests.sandbox.caller import Caller as Sandbox

MODEL = "gpt-5.6-sol"
PICTURE = "data:image/png;base64,iVBORw0KGgo="
WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 2}},
            "required": ["city", "days"],
            "additionalProperties": False,
        },
    },
}
SMALLEST = {"city": "text", "days": 2}


def sdk(payer: Payer, **options: Any) -> openai.OpenAI:
    """Make a client that differs from one of OpenAI's in its address and its key."""
    options = {"api_key": payer.key, "max_retries": 0, **options}
    return openai.OpenAI(base_url=f"{payer.url}/v1", **options)


@pytest.fixture
def client(payer: Payer) -> Iterator[openai.OpenAI]:
    """The payer's client."""
    with sdk(payer) as made:
        yield made


def ask(client: openai.OpenAI, content: str, **fields: Any) -> ChatCompletion:
    """Ask without streaming."""
    fields = {"model": MODEL, "messages": [{"role": "user", "content": content}], **fields}
    answer: ChatCompletion = client.chat.completions.create(**fields)
    return answer


@pytest.mark.parametrize("model", [MODEL, "gpt-5.6", "studiocore-1", "chat.default"])
def test_a_chat_is_answered_whatever_the_model_is_called_by(
    client: openai.OpenAI, payer: Payer, model: str
) -> None:
    answer = ask(client, "Hello there, gateway", model=model)
    assert (answer.choices[0].message.content or "").startswith("You said: “Hello there, gateway”.")
    assert (answer.model, answer.choices[0].finish_reason) == (MODEL, "stop")
    assert answer.usage is not None
    [usage] = payer.usage()
    assert (usage["surface"], usage["model"]) == ("core", MODEL)
    assert usage["input_tokens"] == answer.usage.prompt_tokens
    assert usage["output_tokens"] == answer.usage.completion_tokens


def test_a_stream_says_what_the_plain_answer_says(client: openai.OpenAI) -> None:
    plain = ask(client, "Grüße 🌍").choices[0].message.content
    chunks = list(
        client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "Grüße 🌍"}], stream=True
        )
    )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == plain
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert len({chunk.id for chunk in chunks}) == 1


def test_the_usage_chunk_comes_last_and_says_the_charge(
    client: openai.OpenAI, payer: Payer
) -> None:
    chunks = list(
        client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": "[[sandbox chunks=3]]"}],
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    assert [chunk.usage for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 3
    charge_ucr = round((chunks[-1].usage.model_extra or {})["credits_charged"] * 1_000_000)
    assert charge_ucr == payer.usage()[0]["charge_ucr"]


async def test_the_async_client_works_plain_and_streamed(payer: Payer) -> None:
    base_url = f"{payer.url}/v1"
    key = payer.key
    messages: Any = [{"role": "user", "content": "Async"}]
    async with openai.AsyncOpenAI(api_key=key, base_url=base_url, max_retries=0) as client:
        plain = await client.chat.completions.create(model=MODEL, messages=messages)
        stream = await client.chat.completions.create(model=MODEL, messages=messages, stream=True)
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
        listed = [model.id async for model in client.models.list()]
    assert text == plain.choices[0].message.content
    assert MODEL in listed


def test_a_tool_is_called_and_its_result_is_answered(client: openai.OpenAI) -> None:
    answer = ask(client, "Weather?", tools=[WEATHER])
    called = answer.choices[0].message
    assert answer.choices[0].finish_reason == "tool_calls"
    assert called.tool_calls is not None
    [call] = called.tool_calls
    assert call.type == "function"
    assert (call.function.name, json.loads(call.function.arguments)) == ("weather", SMALLEST)
    messages = [
        {"role": "user", "content": "Weather?"},
        called.to_dict(),
        {"role": "tool", "tool_call_id": call.id, "content": "12 degrees"},
    ]
    after = ask(client, "", messages=messages, tools=[WEATHER])
    assert after.choices[0].message.content == "The tool answered: 12 degrees"


def test_streamed_tool_calls_add_up(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(
        model=MODEL, messages=[{"role": "user", "content": "in parallel"}], tools=[WEATHER]
    ) as stream:
        final = stream.get_final_completion()
    calls = final.choices[0].message.tool_calls or []
    assert [json.loads(call.function.arguments) for call in calls] == [SMALLEST, SMALLEST]
    assert final.choices[0].finish_reason == "tool_calls"


class Guess(BaseModel):
    """What a structured answer is parsed into."""

    class Step(BaseModel):
        """A nested object."""

        why: str
        certain: bool

    answer: int
    steps: list[Step]
    note: str | None


def test_a_structured_answer_is_parsed_into_its_model(client: openai.OpenAI) -> None:
    answer = client.chat.completions.parse(
        model=MODEL, messages=[{"role": "user", "content": "Guess"}], response_format=Guess
    )
    assert answer.choices[0].message.parsed == Guess(answer=0, steps=[], note="text")


class Weather(BaseModel):
    """What a tool is asked with."""

    city: str
    days: int


def test_a_tool_s_arguments_are_parsed_into_their_model(client: openai.OpenAI) -> None:
    answer = client.chat.completions.parse(
        model=MODEL,
        messages=[{"role": "user", "content": "Weather?"}],
        tools=[openai.pydantic_function_tool(Weather)],
    )
    [call] = answer.choices[0].message.tool_calls or []
    assert call.function.parsed_arguments == Weather(city="text", days=0)


def test_a_structured_stream_is_parsed_at_its_end(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(
        model=MODEL, messages=[{"role": "user", "content": "Guess"}], response_format=Guess
    ) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    assert {"chunk", "content.delta", "content.done"} <= kinds
    assert final.choices[0].message.parsed == Guess(answer=0, steps=[], note="text")


def test_an_answer_that_was_cut_off_is_not_parsed(client: openai.OpenAI) -> None:
    with pytest.raises(openai.LengthFinishReasonError):
        client.chat.completions.parse(
            model=MODEL,
            messages=[{"role": "user", "content": "Guess"}],
            response_format=Guess,
            max_completion_tokens=1,
        )


def test_pictures_are_passed_on_and_counted(client: openai.OpenAI) -> None:
    parts = [
        {"type": "text", "text": "Look"},
        {"type": "image_url", "image_url": {"url": PICTURE, "detail": "low"}},
        {"type": "image_url", "image_url": {"url": PICTURE}},
    ]
    answer = ask(client, "", messages=[{"role": "user", "content": parts}])
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == 3 + 4 + 1 + 85 + 765


def test_the_raw_response_shows_our_headers(client: openai.OpenAI, payer: Payer) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model=MODEL, messages=[{"role": "user", "content": "Raw"}]
    )
    assert raw.request_id == raw.headers["x-request-id"]
    assert payer.usage()[0]["request_id"] == UUID(raw.request_id)
    assert (raw.headers["x-ratelimit-limit"], raw.headers["x-ratelimit-remaining"]) == (
        "600",
        "599",
    )
    assert float(raw.headers["x-credits-charged"]) > 0
    assert float(raw.headers["x-credits-remaining"]) < 1000
    assert raw.parse().choices[0].message.content


def test_the_raw_response_of_a_stream_shows_our_headers_first(client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model=MODEL, messages=[{"role": "user", "content": "Raw"}], stream=True
    )
    assert raw.headers["content-type"] == "text/event-stream"
    assert float(raw.headers["x-credits-held"]) > 0
    assert "x-credits-charged" not in raw.headers
    assert list(raw.parse())[-1].choices[0].finish_reason == "stop"


def test_models_are_listed_and_retrieved_by_every_name(client: openai.OpenAI) -> None:
    listed = {model.id: model for model in client.models.list()}
    assert {MODEL, "studiocore-1", "chat.default", "gpt-5.6"} <= set(listed)
    assert (listed[MODEL].owned_by, listed["chat.default"].owned_by) == ("openai", "studio")
    for name in (MODEL, "studiocore-1", "chat.default"):
        assert client.models.retrieve(name) == listed[name]


def test_an_unknown_model_is_not_found(client: openai.OpenAI, payer: Payer) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        ask(client, "Hi", model="llama-3")
    assert caught.value.type == "model_not_found"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("llama-3")
    assert payer.entries() == []


@pytest.mark.parametrize("key", ["gw_live_" + "A" * 60, "sk-somebody-else-s", "a.b.c"])
def test_a_key_that_is_none_of_ours_is_an_authentication_error(payer: Payer, key: str) -> None:
    with sdk(payer, api_key=key) as client, pytest.raises(openai.AuthenticationError) as caught:
        ask(client, "Hi")
    assert caught.value.type == "authentication_error"
    assert key not in str(caught.value)


def test_a_bad_field_is_a_bad_request_and_is_named(client: openai.OpenAI, payer: Payer) -> None:
    with pytest.raises(openai.BadRequestError, match="temperature") as caught:
        ask(client, "Hi", temperature=3)
    assert caught.value.type == "invalid_request_error"
    with pytest.raises(openai.BadRequestError, match="colour"):
        ask(client, "Hi", extra_body={"colour": "red"})
    assert payer.entries() == []


def test_our_own_limit_is_a_rate_limit_error(make_payer: Callable[..., Payer]) -> None:
    tier, _ = Tier.objects.get_or_create(
        slug="sdk-one",
        defaults={
            "name": "One",
            "markup_bp": 0,
            "request_limit": 1,
            "window_s": 900,
            "concurrency_limit": 5,
            "default_max_tokens": 256,
        },
    )
    with sdk(make_payer(tier=tier.slug)) as client:
        ask(client, "Hi")
        with pytest.raises(openai.RateLimitError) as caught:
            ask(client, "Hi")
    assert caught.value.type == "rate_limit_exceeded"
    assert caught.value.response.headers["x-ratelimit-remaining"] == "0"
    assert int(caught.value.response.headers["retry-after"]) >= 1


def test_another_body_under_the_same_key_is_unprocessable(client: openai.OpenAI) -> None:
    headers = {"Idempotency-Key": str(uuid4())}
    first, again = (ask(client, "One", extra_headers=headers) for _ in range(2))
    assert again == first
    with pytest.raises(openai.UnprocessableEntityError) as caught:
        ask(client, "Two", extra_headers=headers)
    assert caught.value.type == "idempotency_mismatch"


def test_a_twin_of_a_call_under_way_is_a_conflict(client: openai.OpenAI, sandbox_url: str) -> None:
    mark = f"mark-{uuid4()}"
    headers = {"Idempotency-Key": str(uuid4())}
    text = f"{mark} [[sandbox latency_ms=1500]]"
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(ask, client, text, extra_headers=headers)
        Sandbox(url=sandbox_url).send("GET", f"/_sandbox/requests?contains={mark}&at_least=1")
        with pytest.raises(openai.ConflictError) as caught:
            ask(client, text, extra_headers=headers)
        assert first.result().choices[0].message.content
    assert caught.value.type == "idempotency_conflict"


def test_a_missing_scope_is_a_permission_error(make_payer: Callable[..., Payer]) -> None:
    with (
        sdk(make_payer(scopes=["models"])) as client,
        pytest.raises(openai.PermissionDeniedError) as caught,
    ):
        ask(client, "Hi")
    assert caught.value.type == "permission_error"


def test_an_empty_wallet_is_a_status_error_402(make_payer: Callable[..., Payer]) -> None:
    with (
        sdk(make_payer(credits=0)) as client,
        pytest.raises(openai.APIStatusError, match="Insufficient credits") as caught,
    ):
        ask(client, "Hi")
    assert caught.value.status_code == 402
    assert json.loads(caught.value.response.content)["error"]["type"] == "insufficient_credits"


@pytest.mark.parametrize(
    ("fault", "status"), [("status=500", 502), ("status=429 retry_after=3", 503)]
)
def test_what_fails_behind_us_is_a_server_error(
    client: openai.OpenAI, payer: Payer, fault: str, status: int
) -> None:
    with pytest.raises(openai.InternalServerError) as caught:
        ask(client, f"[[sandbox {fault}]]")
    assert caught.value.status_code == status
    assert payer.balance() == (1_000_000_000, 0)


def test_an_error_in_mid_stream_is_raised_to_the_reader(
    client: openai.OpenAI, payer: Payer
) -> None:
    stream = client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "[[sandbox chunks=20 error_event=5]]"}],
        stream=True,
    )
    with pytest.raises(openai.APIError):
        list(stream)
    assert payer.usage()[0]["status"] == "interrupted"


@pytest.mark.parametrize("fault", ["status=500", "status=429 retry_after=0", "drop"])
@pytest.mark.parametrize("stream", [False, True])
def test_the_sdk_s_own_retries_after_failures_are_charged_once(
    payer: Payer, fault: str, stream: bool
) -> None:
    text = f"[[sandbox {fault} times=3 tag={uuid4()}]] again"
    with sdk(payer, max_retries=3) as client:
        answer: Any = client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": text}], stream=stream
        )
        assert list(answer) if stream else answer.choices[0].message.content
    assert_charged_once(payer)


async def test_the_async_client_raises_and_retries_alike(payer: Payer) -> None:
    text = f"[[sandbox status=500 times=3 tag={uuid4()}]] again"
    messages: Any = [{"role": "user", "content": text}]
    async with openai.AsyncOpenAI(
        api_key=payer.key, base_url=f"{payer.url}/v1", max_retries=0
    ) as client:
        with pytest.raises(openai.InternalServerError):
            await client.chat.completions.create(model=MODEL, messages=messages)
        with pytest.raises(openai.NotFoundError):
            await client.models.retrieve("llama-3")
        patient = client.with_options(max_retries=3)
        answer = await patient.chat.completions.create(model=MODEL, messages=messages)
    assert answer.choices[0].message.content
    await asyncio.to_thread(assert_charged_once, payer)


def assert_charged_once(payer: Payer) -> None:
    """Check that calls failed, for nothing, and that the last one was answered and paid.

    How many failed depends on how often the gateway itself tries.
    """
    *failed, last = payer.usage()
    assert {(usage["status"], usage["charge_ucr"]) for usage in failed} == {("failed", 0)}
    assert (last["status"], last["charge_ucr"] > 0) == ("succeeded", True)
    assert [entry["kind"] for entry in payer.entries()].count("usage") == 1

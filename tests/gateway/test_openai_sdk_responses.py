"""The official OpenAI SDK's `responses` at the gateway, by `base_url` and `api_key` alone."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import openai
import pytest
from openai.types.responses import (
    FunctionToolParam,
    Response,
    ResponseFunctionToolCall,
    ResponseInputParam,
)
from pydantic import BaseModel

from tests.gateway.conftest import Payer
from tests.gateway.response_bodies import PICTURE
from tests.gateway.test_openai_sdk import (
    MODEL,
    SMALLEST,
    Guess,
    Weather,
    assert_charged_once,
    sdk,
)
from tests.sandbox.caller import Caller as Sandbox

WEATHER: FunctionToolParam = {
    "type": "function",
    "name": "weather",
    "strict": True,
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 2}},
        "required": ["city", "days"],
        "additionalProperties": False,
    },
}


@pytest.fixture
def client(payer: Payer) -> Iterator[openai.OpenAI]:
    """The payer's client."""
    with sdk(payer) as made:
        yield made


def ask(client: openai.OpenAI, content: Any = "Hello there", **fields: Any) -> Response:
    """Ask without streaming."""
    answer: Response = client.responses.create(**{"model": MODEL, "input": content, **fields})
    return answer


@pytest.mark.parametrize("model", [MODEL, "gpt-5.6", "studiocore-1", "chat.default"])
def test_a_text_is_answered_whatever_the_model_is_called_by(
    client: openai.OpenAI, payer: Payer, model: str
) -> None:
    answer = ask(client, "Hello there, gateway", model=model, metadata={"order": "7"})
    assert answer.output_text.startswith("You said: “Hello there, gateway”.")
    assert (answer.model, answer.status, answer.metadata) == (MODEL, "completed", {"order": "7"})
    assert answer.usage is not None
    [usage] = payer.usage()
    assert usage["surface"] == "core"
    assert usage["input_tokens"] == answer.usage.input_tokens
    assert usage["output_tokens"] == answer.usage.output_tokens


def test_items_pictures_and_instructions_reach_the_model(client: openai.OpenAI) -> None:
    items: ResponseInputParam = [
        {"role": "user", "content": "Before"},
        {"role": "assistant", "content": "Yes?"},
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "Look"},
                {"type": "input_image", "image_url": PICTURE, "detail": "low"},
                {"type": "input_image", "image_url": PICTURE, "detail": "auto"},
            ],
        },
    ]
    answer = ask(client, items, instructions="Briefly")
    assert answer.output_text.startswith("You said: “Look”.")
    assert answer.instructions == "Briefly"
    words = {"Briefly": 2, "Before": 2, "Yes?": 2, "Look": 1}
    assert answer.usage is not None
    assert answer.usage.input_tokens == 3 + 4 * 4 + sum(words.values()) + 85 + 765


def test_a_conversation_goes_on_with_what_was_answered(client: openai.OpenAI) -> None:
    first = ask(client, "Hello")
    items: list[Any] = [{"role": "user", "content": "Hello"}, *first.output]
    answer = ask(client, [*items, {"role": "user", "content": "And now?"}])
    assert answer.output_text.startswith("You said: “And now?”.")


def test_a_tool_is_called_and_its_result_is_answered(
    client: openai.OpenAI, sandbox_url: str
) -> None:
    mark = f"mark-{uuid4()}"
    items: list[Any] = [{"role": "user", "content": f"{mark} in parallel"}]
    answer = ask(client, items, tools=[WEATHER])
    calls = [item for item in answer.output if isinstance(item, ResponseFunctionToolCall)]
    assert [(call.name, json.loads(call.arguments)) for call in calls] == [
        ("weather", SMALLEST),
        ("weather", SMALLEST),
    ]
    assert len({call.id for call in calls} | {call.call_id for call in calls}) == 4
    items += answer.output
    items += [
        {"type": "function_call_output", "call_id": call.call_id, "output": "12 degrees"}
        for call in calls
    ]
    after = ask(client, items, tools=[WEATHER])
    assert after.output_text == "The tool answered: 12 degrees"
    seen = json.loads(Sandbox(url=sandbox_url).journal(contains=mark, at_least=2)[-1]["body"])
    assert [message["role"] for message in seen["messages"]] == [
        "user",
        "assistant",
        "tool",
        "tool",
    ]


def test_a_custom_tool_is_called_with_text(client: openai.OpenAI) -> None:
    answer = ask(client, "Run", tools=[{"type": "custom", "name": "shell"}])
    [item] = answer.output
    assert item.type == "custom_tool_call"
    assert (item.name, item.input) == ("shell", "text")
    result = {"type": "custom_tool_call_output", "call_id": item.call_id, "output": "done"}
    tools: list[Any] = [{"type": "custom", "name": "shell"}]
    after = ask(client, [{"role": "user", "content": "Run"}, item, result], tools=tools)
    assert after.output_text == "The tool answered: done"


@pytest.mark.parametrize(
    ("choice", "name"),
    [
        ({"type": "function", "name": "Weather"}, "Weather"),
        ({"type": "allowed_tools", "mode": "required", "tools": []}, "Weather"),
        ("none", None),
    ],
)
def test_a_choice_of_tools_is_heard(client: openai.OpenAI, choice: Any, name: str | None) -> None:
    if isinstance(choice, dict) and "tools" in choice:
        choice = {**choice, "tools": [{"type": "function", "name": "Weather"}]}
    tools: list[Any] = [WEATHER, {**WEATHER, "name": "Weather"}]
    answer = ask(client, "weather", tools=tools, tool_choice=choice)
    called = [item.name for item in answer.output if item.type == "function_call"]
    assert called == ([name] if name else [])


def test_a_structured_answer_is_parsed_into_its_model(client: openai.OpenAI) -> None:
    answer = client.responses.parse(model=MODEL, input="Guess", text_format=Guess)
    assert answer.output_parsed == Guess(answer=0, steps=[], note="text")
    again: list[Any] = [{"role": "user", "content": "Guess"}, *answer.output]
    after = ask(client, [*again, {"role": "user", "content": "Again"}])
    assert after.output_text.startswith("You said: “Again”.")


def test_a_tool_s_arguments_are_parsed_into_their_model(client: openai.OpenAI) -> None:
    tool = openai.pydantic_function_tool(Weather)
    answer = client.responses.parse(model=MODEL, input="Weather?", tools=[tool])
    [call] = answer.output
    assert call.type == "function_call"
    assert call.parsed_arguments == Weather(city="text", days=0)


def test_reasoning_is_counted(client: openai.OpenAI) -> None:
    answer = ask(client, reasoning={"effort": "low", "summary": "auto"})
    assert answer.usage is not None
    assert answer.usage.output_tokens_details.reasoning_tokens == 64
    assert answer.reasoning is not None
    assert (answer.reasoning.effort, answer.reasoning.summary) == ("low", "auto")


def test_an_answer_that_is_cut_off_or_refused_says_so(client: openai.OpenAI) -> None:
    cut = ask(client, max_output_tokens=16 - 8)
    assert cut.status == "incomplete"
    assert cut.incomplete_details is not None
    assert cut.incomplete_details.reason == "max_output_tokens"
    filtered = ask(client, "[[sandbox content_filter]] hello")
    assert filtered.incomplete_details is not None
    assert filtered.incomplete_details.reason == "content_filter"
    [refused] = ask(client, "[[sandbox refusal]] hello").output
    assert refused.type == "message"
    assert [part.type for part in refused.content] == ["refusal"]


def test_a_stream_has_typed_events_and_the_plain_answer_s_text(client: openai.OpenAI) -> None:
    plain = ask(client, "Grüße 🌍").output_text
    kinds, pieces = [], []
    with client.responses.stream(model=MODEL, input="Grüße 🌍") as stream:
        for event in stream:
            kinds.append(event.type)
            if event.type == "response.output_text.delta":
                pieces.append(event.delta)
                assert event.snapshot == "".join(pieces)
        final = stream.get_final_response()
    assert "".join(pieces) == final.output_text == plain
    assert (kinds[0], kinds[-1]) == ("response.created", "response.completed")
    assert final.usage is not None
    assert final.usage.output_tokens > 0


def test_a_raw_stream_is_iterated(client: openai.OpenAI, payer: Payer) -> None:
    events = list(client.responses.create(model=MODEL, input="[[sandbox chunks=3]]", stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    final = events[-1]
    assert final.type == "response.completed"
    assert final.response.usage is not None
    charge = (final.response.usage.model_extra or {})["credits_charged"]
    assert round(charge * 1_000_000) == payer.usage()[0]["charge_ucr"]


def test_streamed_calls_and_structures_are_parsed(client: openai.OpenAI) -> None:
    with client.responses.stream(
        model=MODEL, input="in parallel", tools=[openai.pydantic_function_tool(Weather)]
    ) as stream:
        snapshots = [
            event.snapshot
            for event in stream
            if event.type == "response.function_call_arguments.delta"
        ]
        calls = stream.get_final_response().output
    assert snapshots
    assert [call.type for call in calls] == ["function_call", "function_call"]
    with client.responses.stream(model=MODEL, input="Guess", text_format=Guess) as stream:
        assert stream.get_final_response().output_parsed == Guess(answer=0, steps=[], note="text")


async def test_the_async_client_works_plain_streamed_and_parsed(payer: Payer) -> None:
    base_url = f"{payer.url}/v1"
    async with openai.AsyncOpenAI(api_key=payer.key, base_url=base_url, max_retries=0) as client:
        plain = await client.responses.create(model=MODEL, input="Async")
        async with client.responses.stream(model=MODEL, input="Async") as stream:
            pieces = [e.delta async for e in stream if e.type == "response.output_text.delta"]
            final = await stream.get_final_response()
        parsed = await client.responses.parse(model=MODEL, input="Guess", text_format=Guess)
        with pytest.raises(openai.BadRequestError):
            await client.responses.create(model=MODEL, input="Hi", background=True)
    assert plain.output_text == final.output_text == "".join(pieces)
    assert isinstance(parsed.output_parsed, BaseModel)


def test_the_raw_response_shows_our_headers(client: openai.OpenAI, payer: Payer) -> None:
    raw = client.responses.with_raw_response.create(model=MODEL, input="Raw")
    assert payer.usage()[0]["request_id"] == UUID(raw.headers["x-request-id"])
    assert float(raw.headers["x-credits-charged"]) > 0
    answer = raw.parse()
    assert answer.output_text
    assert answer.id.startswith("resp_")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"background": True}, "background"),
        ({"truncation": "auto"}, "truncation"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"service_tier": "priority"}, "service_tier"),
        ({"temperature": 3}, "temperature"),
        ({"extra_body": {"colour": "red"}}, "colour"),
    ],
)
def test_what_cannot_be_had_is_a_bad_request_and_is_named(
    client: openai.OpenAI, payer: Payer, fields: dict[str, Any], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, **fields)
    assert (caught.value.type, caught.value.param) == ("invalid_request_error", param)
    assert payer.entries() == []


def test_what_is_stored_elsewhere_is_not_found(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve("resp_1")
    with pytest.raises(openai.NotFoundError):
        client.responses.delete("resp_1")


def test_refusals_are_the_sdk_s_own_errors(make_payer: Callable[..., Payer]) -> None:
    stranger = "gw_live_" + "A" * 60
    with sdk(make_payer(), api_key=stranger) as client, pytest.raises(openai.AuthenticationError):
        ask(client)
    with sdk(make_payer(scopes=["models"])) as client, pytest.raises(openai.PermissionDeniedError):
        ask(client)
    with sdk(make_payer()) as client, pytest.raises(openai.NotFoundError) as unknown:
        ask(client, model="llama-3")
    assert unknown.value.type == "model_not_found"
    with sdk(make_payer(credits=0)) as client, pytest.raises(openai.APIStatusError) as poor:
        ask(client)
    assert poor.value.status_code == 402
    with sdk(make_payer()) as client:
        headers = {"Idempotency-Key": str(uuid4())}
        assert ask(client, "One", extra_headers=headers) == ask(
            client, "One", extra_headers=headers
        )
        with pytest.raises(openai.UnprocessableEntityError):
            ask(client, "Two", extra_headers=headers)


def test_an_error_in_mid_stream_is_raised_to_the_reader(
    client: openai.OpenAI, payer: Payer
) -> None:
    text = "[[sandbox chunks=20 error_event=5]]"
    with pytest.raises(openai.APIError, match="provider failed"):
        list(client.responses.create(model=MODEL, input=text, stream=True))
    with (
        pytest.raises(openai.APIError),
        client.responses.stream(model=MODEL, input=text) as stream,
    ):
        stream.get_final_response()
    assert [usage["status"] for usage in payer.usage()] == ["interrupted", "interrupted"]


@pytest.mark.parametrize("stream", [False, True])
def test_the_sdk_s_own_retries_are_charged_once(payer: Payer, stream: bool) -> None:
    text = f"[[sandbox status=500 times=3 tag={uuid4()}]] again"
    with sdk(payer, max_retries=3) as client:
        answer: Any = client.responses.create(model=MODEL, input=text, stream=stream)
        final = list(answer)[-1].response if stream else answer
    assert final.status == "completed"
    assert_charged_once(payer)

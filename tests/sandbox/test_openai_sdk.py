"""The official SDK finds in the sandbox what it would find at OpenAI."""

import json

import openai
import pytest
from openai.types.chat import ChatCompletionToolParam
from pydantic import BaseModel

MODEL = "gpt-5.6-sol"
WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "days": {"type": "integer", "minimum": 2},
                "unit": {"enum": ["celsius", "fahrenheit"]},
            },
            "required": ["city", "days", "unit"],
            "additionalProperties": False,
        },
    },
}
TIME: ChatCompletionToolParam = {"type": "function", "function": {"name": "time"}}
SMALLEST = {"city": "text", "days": 2, "unit": "celsius"}


def ask(client: openai.OpenAI, content: str, **fields: object) -> openai.types.chat.ChatCompletion:
    """Ask without streaming."""
    messages = [{"role": "user", "content": content}]
    return client.chat.completions.create(model=MODEL, messages=messages, **fields)  # type: ignore[call-overload,no-any-return]


def test_plain_answer_quotes_the_prompt_and_counts_its_tokens(client: openai.OpenAI) -> None:
    answer = ask(client, "Hello there, sandbox")
    assert answer.choices[0].message.content == (
        "You said: “Hello there, sandbox”. Nobody counts the steps on the way down. "
        "Salt, bread and a map are enough for one day."
    )
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (14, 39)
    assert answer.usage.total_tokens == 53
    assert answer.model == MODEL


def test_same_request_gives_the_same_answer(client: openai.OpenAI) -> None:
    assert ask(client, "Twice").to_json() == ask(client, "Twice").to_json()
    assert ask(client, "Twice").id != ask(client, "Thrice").id


def test_stream_says_what_the_plain_answer_says(client: openai.OpenAI) -> None:
    plain = ask(client, "Grüße 🌍").choices[0].message.content
    stream = client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "Grüße 🌍"}], stream=True
    )
    chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == plain
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in chunks[-2:]] == [None, "stop"]
    assert len({chunk.id for chunk in chunks}) == 1


def test_usage_chunk_comes_last_with_no_choices(client: openai.OpenAI) -> None:
    chunks = list(
        client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": "[[sandbox chunks=3]]"}],
            stream=True,
            stream_options={"include_usage": True, "include_obfuscation": False},
        )
    )
    assert [chunk.usage for chunk in chunks[:-1]] == [None] * 5
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 3
    assert not any("obfuscation" in (chunk.model_extra or {}) for chunk in chunks)


async def test_async_client_works_plain_and_streamed(sandbox_url: str) -> None:
    url = f"{sandbox_url}/openai/v1"
    async with openai.AsyncOpenAI(api_key="sk-1", base_url=url, max_retries=0) as client:
        plain = await client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "Async"}]
        )
        stream = await client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "Async"}], stream=True
        )
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
    assert text == plain.choices[0].message.content


def test_tool_is_called_with_the_smallest_arguments(client: openai.OpenAI) -> None:
    answer = ask(client, "What will it be like?", tools=[WEATHER])
    assert answer.choices[0].finish_reason == "tool_calls"
    assert answer.choices[0].message.content is None
    assert answer.choices[0].message.tool_calls is not None
    (call,) = answer.choices[0].message.tool_calls
    assert call.type == "function"
    assert call.function.name == "weather"
    assert json.loads(call.function.arguments) == SMALLEST


@pytest.mark.parametrize(
    ("content", "choice", "names"),
    [
        ("Hello", "auto", ["weather"]),
        ("What time is it?", "required", ["time"]),
        ("both in parallel", "auto", ["weather", "time"]),
        ("Hello", {"type": "function", "function": {"name": "time"}}, ["time"]),
        ("Hello", "none", []),
        (
            "Hello",
            {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "auto",
                    "tools": [{"type": "function", "function": {"name": "time"}}],
                },
            },
            ["time"],
        ),
    ],
)
def test_tool_choice_is_honoured(
    client: openai.OpenAI, content: str, choice: object, names: list[str]
) -> None:
    answer = ask(client, content, tools=[WEATHER, TIME], tool_choice=choice)
    calls = answer.choices[0].message.tool_calls or []
    assert [call.function.name for call in calls if call.type == "function"] == names
    assert len({call.id for call in calls}) == len(names)


def test_parallel_calls_can_be_switched_off(client: openai.OpenAI) -> None:
    answer = ask(client, "in parallel", tools=[WEATHER, TIME], parallel_tool_calls=False)
    assert len(answer.choices[0].message.tool_calls or []) == 1


def test_streamed_tool_calls_name_the_tool_first_and_add_up(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(
        model=MODEL,
        messages=[{"role": "user", "content": "in parallel"}],
        tools=[WEATHER, TIME],
    ) as stream:
        deltas = [event.chunk.choices[0].delta for event in stream if event.type == "chunk"]
        final = stream.get_final_completion()
    first = next(delta.tool_calls[0] for delta in deltas if delta.tool_calls)
    assert first.function is not None
    assert (first.index, first.type, first.function.name) == (0, "function", "weather")
    assert first.function.arguments == ""
    calls = final.choices[0].message.tool_calls or []
    assert [json.loads(call.function.arguments) for call in calls] == [SMALLEST, {}]
    assert final.choices[0].finish_reason == "tool_calls"


def test_tool_result_is_answered_with_text(client: openai.OpenAI) -> None:
    called = ask(client, "Weather?", tools=[WEATHER]).choices[0].message
    assert called.tool_calls is not None
    answer = client.chat.completions.create(
        model=MODEL,
        messages=[
            {"role": "user", "content": "Weather?"},
            called.to_dict(),  # type: ignore[list-item]
            {"role": "tool", "tool_call_id": called.tool_calls[0].id, "content": "12 degrees"},
        ],
        tools=[WEATHER],
    )
    assert answer.choices[0].message.content == "The tool answered: 12 degrees"


def test_custom_tool_and_old_function_are_called(client: openai.OpenAI) -> None:
    custom = ask(client, "Hi", tools=[{"type": "custom", "custom": {"name": "shell"}}])
    (call,) = custom.choices[0].message.tool_calls or []
    assert call.type == "custom"
    assert (call.custom.name, call.custom.input) == ("shell", "text")
    old = ask(client, "Hi", functions=[{"name": "weather"}])
    assert old.choices[0].finish_reason == "function_call"
    assert old.choices[0].message.function_call is not None
    assert old.choices[0].message.function_call.arguments == "{}"


class Guess(BaseModel):
    """What a structured answer is parsed into."""

    class Step(BaseModel):
        """A nested object."""

        why: str
        certain: bool

    answer: int
    steps: list[Step]
    note: str | None


def test_structured_output_parses_into_the_model(client: openai.OpenAI) -> None:
    answer = client.chat.completions.parse(
        model=MODEL, messages=[{"role": "user", "content": "Guess"}], response_format=Guess
    )
    assert answer.choices[0].message.parsed == Guess(answer=0, steps=[], note="text")


def test_json_object_is_an_object(client: openai.OpenAI) -> None:
    answer = ask(client, "Say it in JSON", response_format={"type": "json_object"})
    assert json.loads(answer.choices[0].message.content or "") == {"answer": "You asked for JSON."}


def test_image_audio_and_file_parts_are_counted(client: openai.OpenAI) -> None:
    picture = "data:image/png;base64,iVBORw0KGgo="
    parts = [
        {"type": "text", "text": "Look"},
        {"type": "image_url", "image_url": {"url": picture, "detail": "low"}},
        {"type": "image_url", "image_url": {"url": picture}},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        {"type": "file", "file": {"file_id": "file-1"}},
    ]
    messages = [{"role": "user", "content": parts}]
    answer = client.chat.completions.create(model=MODEL, messages=messages)  # type: ignore[arg-type]
    assert answer.usage is not None
    details = answer.usage.prompt_tokens_details
    assert details is not None
    assert (details.audio_tokens, answer.usage.prompt_tokens) == (1, 3 + 4 + 1 + 256 + 85 + 765 + 1)


def test_choices_differ_and_are_paid_for(client: openai.OpenAI) -> None:
    one, three = ask(client, "Many"), ask(client, "Many", n=3)
    assert len({choice.message.content for choice in three.choices}) == 3
    assert [choice.index for choice in three.choices] == [0, 1, 2]
    assert one.usage is not None
    assert three.usage is not None
    assert three.usage.prompt_tokens == one.usage.prompt_tokens
    assert three.usage.completion_tokens > 2 * one.usage.completion_tokens


def test_stop_and_length_end_the_answer(client: openai.OpenAI) -> None:
    stopped = ask(client, "Hello", stop=["never", "”"]).choices[0]
    assert (stopped.message.content, stopped.finish_reason) == ("You said: “Hello", "stop")
    short = ask(client, "Hello", max_completion_tokens=2)
    assert (short.choices[0].message.content, short.choices[0].finish_reason) == (
        "You said",
        "length",
    )
    assert short.usage is not None
    assert short.usage.completion_tokens == 2


def test_reasoning_is_counted_and_limited(client: openai.OpenAI) -> None:
    answer = ask(client, "Think", reasoning_effort="high")
    assert answer.usage is not None
    assert answer.usage.completion_tokens_details is not None
    assert answer.usage.completion_tokens_details.reasoning_tokens == 512
    assert answer.usage.completion_tokens > 512
    starved = ask(client, "Think", reasoning_effort="high", max_completion_tokens=100)
    assert starved.usage is not None
    assert starved.usage.completion_tokens == 100
    assert (starved.choices[0].message.content, starved.choices[0].finish_reason) == ("", "length")


def test_long_prompt_is_cached_and_prediction_is_counted(client: openai.OpenAI) -> None:
    long = ask(client, "word " * 1200)
    assert long.usage is not None
    assert long.usage.prompt_tokens_details is not None
    assert (long.usage.prompt_tokens, long.usage.prompt_tokens_details.cached_tokens) == (
        1208,
        1152,
    )
    predicted = ask(client, "Hi", prediction={"type": "content", "content": "You said nothing"})
    assert predicted.usage is not None
    details = predicted.usage.completion_tokens_details
    assert details is not None
    assert (details.accepted_prediction_tokens, details.rejected_prediction_tokens) == (2, 2)


def test_logprobs_cover_every_token(client: openai.OpenAI) -> None:
    choice = ask(client, "Hi", logprobs=True, top_logprobs=2).choices[0]
    assert choice.logprobs is not None
    assert choice.logprobs.content is not None
    assert "".join(row.token for row in choice.logprobs.content) == choice.message.content
    assert {len(row.top_logprobs) for row in choice.logprobs.content} == {2}


def test_refusal_takes_the_place_of_content(client: openai.OpenAI) -> None:
    message = ask(client, "[[sandbox refusal]]").choices[0].message
    assert (message.content, message.refusal) == (None, "I'm sorry, but I can't help with that.")


def test_models_carry_their_shutdown_dates(client: openai.OpenAI) -> None:
    listed = {model.id: model for model in client.models.list()}
    assert str(listed["gpt-4o"].shutdown_date) == "2027-01-14"
    assert listed["gpt-5.6-sol"].shutdown_date is None
    assert client.models.retrieve("gpt-4o") == listed["gpt-4o"]
    assert client.models.retrieve("gpt-unlisted").id == "gpt-unlisted"


def test_raw_response_shows_request_id_and_limits(client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model=MODEL, messages=[{"role": "user", "content": "Raw"}]
    )
    assert raw.headers["x-ratelimit-limit-requests"] == "10000"
    assert raw.headers["openai-processing-ms"] == "1"
    assert raw.request_id == raw.headers["x-request-id"]
    assert raw.parse().choices[0].message.content


@pytest.mark.parametrize(
    ("key", "error", "code", "retry_after"),
    [
        ("sk-invalid", openai.AuthenticationError, "invalid_api_key", None),
        ("sk-quota", openai.RateLimitError, "insufficient_quota", None),
        ("sk-ratelimited", openai.RateLimitError, "rate_limit_exceeded", "1"),
    ],
)
def test_key_chooses_its_error(
    client: openai.OpenAI,
    key: str,
    error: type[openai.APIStatusError],
    code: str,
    retry_after: str | None,
) -> None:
    with pytest.raises(error) as caught:
        ask(client.with_options(api_key=key), "Hi")
    assert caught.value.code == code
    assert caught.value.response.headers.get("retry-after") == retry_after


def test_error_classes_are_the_sdks(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="does not exist"):
        client.chat.completions.create(
            model="llama-3", messages=[{"role": "user", "content": "Hi"}]
        )
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, "Hi", temperature=3)
    assert (caught.value.param, caught.value.code) == ("temperature", "decimal_above_max_value")
    with pytest.raises(openai.InternalServerError):
        ask(client, "[[sandbox status=503]]")
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("llama-3")

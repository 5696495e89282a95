"""The official SDK, and OpenAI's, find in the sandbox what they would find at OpenRouter."""

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openrouter import OpenRouter, components, errors
from openrouter.utils import BackoffStrategy, RetryConfig
from pydantic import BaseModel

from tests.sandbox.caller import Caller

MODEL = "anthropic/claude-sonnet-5.5"
CHAT = "/openrouter/api/v1/chat/completions"
AT_ONCE = BackoffStrategy(1, 1, 1, 2000, jitter_ms=0)
NEVER = RetryConfig("none", AT_ONCE, False)
TIME: dict[str, Any] = {"type": "function", "function": {"name": "time"}}


@pytest.fixture
def router(sandbox_url: str) -> Iterator[OpenRouter]:
    """Call the double with OpenRouter's own SDK, without its retries."""
    url = f"{sandbox_url}/openrouter/api/v1"
    with OpenRouter(api_key="sk-or-v1-1234", server_url=url, retry_config=NEVER) as made:
        yield made


@pytest.fixture
def foreign(sandbox_url: str) -> Iterator[openai.OpenAI]:
    """Call the double with OpenAI's SDK, as OpenRouter documents it."""
    url = f"{sandbox_url}/openrouter/api/v1"
    with openai.OpenAI(api_key="sk-or-v1-1234", base_url=url, max_retries=0) as made:
        yield made


def keyed(sandbox_url: str, key: str) -> OpenRouter:
    """Make a client with another key."""
    url = f"{sandbox_url}/openrouter/api/v1"
    return OpenRouter(api_key=key, server_url=url, retry_config=NEVER)


def ask(router: OpenRouter, content: str, **fields: Any) -> components.ChatResult:
    """Ask without streaming."""
    messages = [{"role": "user", "content": content}]
    result = router.chat.send(**{"model": MODEL, "messages": messages, **fields})
    assert isinstance(result, components.ChatResult)
    return result


def streamed(router: OpenRouter, content: str, **fields: Any) -> list[components.ChatStreamChunk]:
    """Ask and read the whole stream."""
    messages: list[Any] = [{"role": "user", "content": content}]
    sent = {"model": MODEL, "messages": messages, "stream": True, **fields}
    with router.chat.send(**sent) as chunks:
        return list(chunks)


def test_plain_answer_quotes_the_prompt_and_tells_its_cost(router: OpenRouter) -> None:
    answer = ask(router, "Hello there, sandbox")
    assert answer.choices[0].message.content == (
        "You said: “Hello there, sandbox”. Nobody counts the steps on the way down. "
        "Salt, bread and a map are enough for one day."
    )
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (14, 39)
    assert answer.usage.cost == 14 * 2e-6 + 39 * 1e-5
    assert answer.usage.is_byok is False
    assert ask(router, "Hello there, sandbox") == answer


def test_stream_says_what_the_plain_answer_says_and_costs_the_same(router: OpenRouter) -> None:
    plain = ask(router, "Grüße 🌍", reasoning={"effort": "low"})
    *chunks, last = streamed(router, "Grüße 🌍", reasoning={"effort": "low"})
    message = plain.choices[0].message
    deltas = [chunk.choices[0].delta for chunk in chunks]
    assert "".join(delta.content or "" for delta in deltas) == message.content
    thoughts = [delta.reasoning for delta in deltas if isinstance(delta.reasoning, str)]
    assert "".join(thoughts) == message.reasoning
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert last.usage == plain.usage


def test_reasoning_is_shown_hidden_or_left_out(router: OpenRouter) -> None:
    shown = ask(router, "Think", reasoning={"effort": "minimal"}).choices[0].message
    assert str(shown.reasoning).startswith(" the sea is wide")
    details = shown.reasoning_details or []
    assert [detail.type for detail in details] == ["reasoning.text"]
    hidden = ask(router, "Think", model="openai/gpt-6-luna", reasoning_effort="low")
    assert hidden.choices[0].message.reasoning is None
    details = hidden.choices[0].message.reasoning_details or []
    assert [detail.type for detail in details] == ["reasoning.encrypted"]
    assert hidden.usage is not None
    assert hidden.usage.completion_tokens > 64
    assert ask(router, "Think").choices[0].message.reasoning is None


@pytest.mark.parametrize(
    ("reasoning", "tokens", "text"),
    [
        ({"max_tokens": 3}, 3, " the sea is"),
        ({"max_tokens": 3, "exclude": True}, 3, None),
        ({"enabled": True, "exclude": True}, 128, None),
        ({"effort": "none"}, 0, None),
    ],
)
def test_reasoning_can_be_asked_for_by_tokens(
    foreign: openai.OpenAI, reasoning: dict[str, Any], tokens: int, text: str | None
) -> None:
    answer = foreign.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "Think"}],
        extra_body={"reasoning": reasoning},
    )
    assert (answer.choices[0].message.model_extra or {})["reasoning"] == text
    assert answer.usage is not None
    assert answer.usage.completion_tokens_details is not None
    assert answer.usage.completion_tokens_details.reasoning_tokens == tokens


async def test_async_client_works_plain_and_streamed(sandbox_url: str) -> None:
    async with keyed(sandbox_url, "sk-or-v1-1") as client:
        messages: list[Any] = [{"role": "user", "content": "Async"}]
        plain = await client.chat.send_async(model=MODEL, messages=messages)
        stream = await client.chat.send_async(model=MODEL, messages=messages, stream=True)
        async with stream as chunks:
            text = "".join([chunk.choices[0].delta.content or "" async for chunk in chunks])
    assert text == plain.choices[0].message.content


def test_tools_are_called_and_their_results_answered(router: OpenRouter) -> None:
    called = ask(router, "in parallel", tools=[TIME]).choices[0]
    assert called.finish_reason == "tool_calls"
    calls = called.message.tool_calls or []
    assert [call.function.name for call in calls] == ["time", "time"]
    messages: list[Any] = [
        {"role": "user", "content": "Time?"},
        called.message,
        {"role": "tool", "tool_call_id": calls[0].id, "content": "noon"},
    ]
    tools: list[Any] = [TIME]
    answer = router.chat.send(model=MODEL, messages=messages, tools=tools)
    assert answer.choices[0].message.content == "The tool answered: noon"
    pieces = [
        call
        for chunk in streamed(router, "in parallel", tools=[TIME])
        for call in chunk.choices[0].delta.tool_calls or []
    ]
    named = [piece.function.name for piece in pieces if piece.function and piece.id]
    assert named == ["time", "time"]


class Guess(BaseModel):
    """What a structured answer is parsed into."""

    answer: int
    note: str | None


def test_structured_output_parses_into_the_model(
    router: OpenRouter, foreign: openai.OpenAI
) -> None:
    shape = {"name": "guess", "schema": Guess.model_json_schema()}
    form = {"type": "json_schema", "json_schema": shape}
    plain = ask(router, "Guess", response_format=form).choices[0].message.content
    assert json.loads(str(plain)) == {"answer": 0, "note": "text"}
    answer = foreign.chat.completions.parse(
        model=MODEL, messages=[{"role": "user", "content": "Guess"}], response_format=Guess
    )
    assert answer.choices[0].message.parsed == Guess(answer=0, note="text")


def test_openais_client_works_plain_and_streamed(foreign: openai.OpenAI) -> None:
    raw = foreign.chat.completions.with_raw_response.create(
        model=MODEL, messages=[{"role": "user", "content": "Hi"}]
    )
    plain = raw.parse()
    assert raw.headers["x-generation-id"] == plain.id
    assert (plain.model_extra or {})["provider"] == "Anthropic"
    stream = foreign.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "Hi"}], stream=True
    )
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == plain.choices[0].message.content
    assert chunks[-1].usage == plain.usage


def test_comments_come_before_the_first_event(caller: Caller) -> None:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], "stream": True}
    answer = caller.send("POST", CHAT, body=json.dumps(body).encode())
    assert answer.body.startswith(b": OPENROUTER PROCESSING\n\n: OPENROUTER PROCESSING\n\ndata: {")
    assert answer.body.count(b"OPENROUTER") == 2


@pytest.mark.filterwarnings("ignore:.*DEPRECATED")
def test_models_key_and_credits_are_told(sandbox_url: str, router: OpenRouter) -> None:
    listed = router.models.list()
    assert listed is not None
    prices = {model.id: model.pricing.completion for model in listed.result.data}
    assert prices == {
        "openai/gpt-5.6-sol": "0.00002",
        "openai/gpt-6-luna": "0.0000005",
        "anthropic/claude-sonnet-5.5": "0.00001",
        "x-ai/grok-4.3": "0.0000025",
        "google/gemini-3.8-flash": "0.00000375",
    }
    key = router.api_keys.get_current_key_metadata()
    assert (key.data.label, key.data.limit_remaining) == ("sk-or-v1-...234", 100)
    with pytest.raises(errors.ForbiddenResponseError, match="Only management keys"):
        router.credits.get_credits()
    with keyed(sandbox_url, "sk-or-v1-management") as manager:
        assert manager.credits.get_credits().data.total_credits == 100


def test_a_generation_is_remembered(router: OpenRouter) -> None:
    answer = ask(router, "Remember", model="x-ai/grok-4.3", reasoning={"effort": "low"})
    assert answer.usage is not None
    generation = router.generations.get_generation(id=answer.id).data
    assert (generation.provider_name, generation.total_cost) == ("xAI", answer.usage.cost)
    assert generation.native_tokens_reasoning == 64
    with pytest.raises(errors.NotFoundResponseError, match="not found"):
        router.generations.get_generation(id="gen-1")


def test_metadata_comes_where_it_is_asked_for(router: OpenRouter) -> None:
    assert ask(router, "Hi").openrouter_metadata is None
    metadata = ask(router, "Hi", x_open_router_metadata="enabled").openrouter_metadata
    assert metadata is not None
    assert metadata.endpoints.available[0].provider == "Anthropic"


@pytest.mark.parametrize(
    ("key", "error", "retry_after"),
    [
        ("sk-or-invalid", errors.UnauthorizedResponseError, None),
        ("sk-or-quota", errors.PaymentRequiredResponseError, None),
        ("sk-or-ratelimited", errors.TooManyRequestsResponseError, "1"),
    ],
)
def test_key_chooses_its_error(
    sandbox_url: str, key: str, error: type[errors.OpenRouterError], retry_after: str | None
) -> None:
    with keyed(sandbox_url, key) as client, pytest.raises(error) as caught:
        ask(client, "Hi")
    assert caught.value.headers.get("retry-after") == retry_after


@pytest.mark.parametrize(
    ("words", "error", "metadata"),
    [
        ("status=400", errors.BadRequestResponseError, {"error_type": "invalid_request"}),
        (
            "status=402 code=in_flight retry_after=3",
            errors.PaymentRequiredResponseError,
            {"limit_source": "openrouter_in_flight_budget"},
        ),
        ("status=403 code=moderation", errors.ForbiddenResponseError, {"reasons": ["sandbox"]}),
        (
            "status=403 code=guardrail",
            errors.ForbiddenResponseError,
            {"patterns": ["ignore all previous instructions"]},
        ),
        (
            "status=403 code=key_limit",
            errors.ForbiddenResponseError,
            {"limit_source": "openrouter_key_limit"},
        ),
        ("status=408", errors.RequestTimeoutResponseError, {"error_type": "timeout"}),
        ("status=413", errors.PayloadTooLargeResponseError, {"error_type": "payload_too_large"}),
        ("status=500", errors.InternalServerResponseError, {"error_type": "server"}),
        ("status=502", errors.BadGatewayResponseError, {"error_type": "provider_unavailable"}),
        ("status=503", errors.ServiceUnavailableResponseError, {}),
        ("status=529", errors.ProviderOverloadedResponseError, {}),
    ],
)
def test_a_status_is_an_error_of_its_own_class(
    router: OpenRouter,
    words: str,
    error: type[errors.OpenRouterError],
    metadata: dict[str, object],
) -> None:
    with pytest.raises(error) as caught:
        ask(router, f"[[sandbox {words}]]")
    said = json.loads(caught.value.body)["error"]
    assert said["code"] == caught.value.status_code
    assert {name: said["metadata"][name] for name in metadata} == metadata


def test_errors_come_with_200_once_the_model_has_begun(
    router: OpenRouter, foreign: openai.OpenAI, caller: Caller
) -> None:
    with pytest.raises(errors.ResponseValidationError):
        ask(router, "[[sandbox error_event=0 code=429]]")
    assert ask(router, "[[sandbox error_event]]").choices[0].finish_reason == "error"
    *_, last = streamed(router, "[[sandbox error_event=3 code=503]]")
    assert last.error is not None
    assert (last.error.code, last.choices[0].finish_reason) == (503, "error")
    messages = [{"role": "user", "content": "[[sandbox error_event=0]]"}]
    with pytest.raises(openai.APIError, match="Provider returned error"):
        list(foreign.chat.completions.create(model=MODEL, messages=messages, stream=True))  # type: ignore[arg-type]
    answer = caller.send(
        "POST", CHAT, body=json.dumps({"model": MODEL, "messages": messages}).encode()
    )
    assert (answer.status, answer.json()["error"]["code"]) == (200, 502)


def test_the_sdk_tries_server_errors_again(router: OpenRouter, caller: Caller, mark: str) -> None:
    patient = RetryConfig("backoff", AT_ONCE, False)
    words = f"[[sandbox status=502 times=2 tag={mark}]]"
    assert ask(router, words, retries=patient).choices[0].finish_reason == "stop"
    assert [entry["status"] for entry in caller.journal(mark, at_least=3)] == [502, 502, 200]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"messages": []}, "Input required"),
        ({"model": None}, "No models provided"),
        ({"model": "gpt-5.6-sol"}, "is not a valid model ID"),
        ({"n": 2}, "Unrecognized key: n"),
        ({"colour": "red"}, "Unrecognized key: colour"),
        ({"temperature": 3}, "temperature"),
        ({"messages": [{"role": "function", "name": "f", "content": "x"}]}, "discriminator"),
        ({"messages": [{"role": "assistant", "content": "x", "thinking_blocks": []}]}, "thinking"),
        ({"tools": [{"type": "custom", "custom": {"name": "c"}}]}, "expected function"),
        ({"reasoning": {"effort": "low", "max_tokens": 5}}, "Only one of"),
        ({"reasoning": {"effort": "huge"}}, "Invalid option: huge"),
        ({"reasoning": {"effort": "low"}, "reasoning_effort": "high"}, "differ"),
        ({"tools": [{**TIME, "function": {"name": "f", "parameters": {"type": 7}}}]}, "nested"),
    ],
)
def test_a_refusal_names_what_is_wrong(caller: Caller, fields: dict[str, Any], words: str) -> None:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], **fields}
    answer = caller.send("POST", CHAT, body=json.dumps(body).encode())
    assert (answer.status, answer.json()["error"]["code"]) == (400, 400)
    assert words in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", CHAT, 405),
        ("POST", "/openrouter/api/v1/models", 405),
        ("GET", "/openrouter/api/v1/nothing", 404),
        ("GET", "/openrouter/v1/models", 404),
    ],
)
def test_wrong_method_or_path_is_refused(
    caller: Caller, method: str, path: str, status: int
) -> None:
    assert caller.send(method, path).status == status


@pytest.mark.parametrize("words", ["drop", "cut_at=5", "content_length=9"])
def test_transport_faults_reach_the_client(foreign: openai.OpenAI, words: str) -> None:
    messages: list[Any] = [{"role": "user", "content": f"[[sandbox {words}]]"}]
    with pytest.raises(openai.APIConnectionError):
        foreign.chat.completions.create(model=MODEL, messages=messages)


@pytest.mark.parametrize("words", ["comments", "crlf", "split_bytes=9", "chunk_delay_ms=1"])
def test_odd_framing_carries_the_same_words(router: OpenRouter, words: str) -> None:
    chunks = streamed(router, f"[[sandbox chunks=3 {words}]]")
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == " the sea is"

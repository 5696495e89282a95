"""The official SDK finds in the sandbox what it would find at Anthropic."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from anthropic.types import Message, TextBlock, ThinkingBlock, ToolParam, ToolUseBlock
from pydantic import BaseModel

from tests.sandbox.caller import Caller

MODEL = "claude-sonnet-5-5"
PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
SUMMARY: Any = {"type": "adaptive", "display": "summarized"}
WEATHER: ToolParam = {
    "name": "weather",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 2}},
        "required": ["city", "days"],
    },
}
TIME: ToolParam = {"name": "time", "input_schema": {"type": "object"}}
SMALLEST = {"city": "text", "days": 2}


@pytest.fixture
def claude(sandbox_url: str) -> Iterator[anthropic.Anthropic]:
    """Call the sandbox with the official SDK, without its retries."""
    url = f"{sandbox_url}/anthropic"
    with anthropic.Anthropic(api_key="sk-ant-1234", base_url=url, max_retries=0) as made:
        yield made


def ask(claude: anthropic.Anthropic, content: Any, **fields: Any) -> Message:
    """Ask without streaming."""
    fields = {"model": MODEL, "max_tokens": 4096, **fields}
    fields.setdefault("messages", [{"role": "user", "content": content}])
    answer: Message = claude.messages.create(**fields)
    return answer


def text_of(answer: Message) -> str:
    """Join the texts of an answer."""
    return "".join(block.text for block in answer.content if isinstance(block, TextBlock))


def calls_of(answer: Message) -> list[ToolUseBlock]:
    """Give the calls of an answer."""
    return [block for block in answer.content if isinstance(block, ToolUseBlock)]


def test_plain_answer_quotes_the_prompt_and_counts_its_tokens(claude: anthropic.Anthropic) -> None:
    answer = ask(claude, "Hello there, sandbox")
    assert text_of(answer) == (
        "You said: “Hello there, sandbox”. Nobody counts the steps on the way down. "
        "Salt, bread and a map are enough for one day."
    )
    assert (answer.stop_reason, answer.stop_sequence, answer.model) == ("end_turn", None, MODEL)
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (14, 39)
    assert answer.to_json() == ask(claude, "Hello there, sandbox").to_json()


def test_stream_says_what_the_plain_answer_says(claude: anthropic.Anthropic) -> None:
    plain = ask(claude, "Grüße 🌍")
    message: Any = {"role": "user", "content": "Grüße 🌍"}
    with claude.messages.stream(model=MODEL, max_tokens=4096, messages=[message]) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text == text_of(plain) == text_of(final)
    assert final.usage.output_tokens == plain.usage.output_tokens
    assert (final.stop_reason, final.role) == ("end_turn", "assistant")


def test_events_come_in_the_order_of_the_grammar(caller: Caller) -> None:
    messages = [{"role": "user", "content": "[[sandbox chunks=2]]"}]
    body = {"model": MODEL, "max_tokens": 9, "messages": messages, "stream": True}
    headers = {"x-api-key": "sk-ant-1", "anthropic-version": "2026-10-21"}
    answer = caller.send(
        "POST", "/anthropic/v1/messages", body=json.dumps(body).encode(), headers=headers
    )
    assert [event["type"] for event in answer.events()] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "ping",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    names = [line[7:] for line in answer.body.decode().split("\n") if line.startswith("event: ")]
    assert names == [event["type"] for event in answer.events()]


async def test_async_client_works_plain_and_streamed(sandbox_url: str) -> None:
    message: Any = {"role": "user", "content": "Async"}
    async with anthropic.AsyncAnthropic(
        api_key="sk-ant-1", base_url=f"{sandbox_url}/anthropic", max_retries=0
    ) as client:
        plain = await client.messages.create(model=MODEL, max_tokens=99, messages=[message])
        async with client.messages.stream(model=MODEL, max_tokens=99, messages=[message]) as stream:
            text = "".join([piece async for piece in stream.text_stream])
    assert text == text_of(plain)


@pytest.mark.parametrize(
    ("content", "choice", "names"),
    [
        ("Hello", {"type": "auto"}, ["weather"]),
        ("What time is it?", {"type": "any"}, ["time"]),
        ("both in parallel", {"type": "auto"}, ["weather", "time"]),
        ("in parallel", {"type": "auto", "disable_parallel_tool_use": True}, ["weather"]),
        ("Hello", {"type": "tool", "name": "time"}, ["time"]),
        ("Hello", {"type": "none"}, []),
    ],
)
def test_tool_choice_is_honoured(
    claude: anthropic.Anthropic, content: str, choice: dict[str, Any], names: list[str]
) -> None:
    answer = ask(
        claude, content, model="claude-sonnet-5", tools=[WEATHER, TIME], tool_choice=choice
    )
    assert [call.name for call in calls_of(answer)] == names
    assert answer.stop_reason == ("tool_use" if names else "end_turn")
    inputs = {"weather": SMALLEST, "time": {}}
    assert [call.input for call in calls_of(answer)] == [inputs[name] for name in names]


def test_streamed_calls_add_up_behind_a_text(claude: anthropic.Anthropic) -> None:
    message: Any = {"role": "user", "content": "aloud and in parallel"}
    with claude.messages.stream(
        model=MODEL, max_tokens=999, messages=[message], tools=[WEATHER, TIME]
    ) as stream:
        pieces = [event.partial_json for event in stream if event.type == "input_json"]
        final = stream.get_final_message()
    assert [block.type for block in final.content] == ["text", "tool_use", "tool_use"]
    assert [call.input for call in calls_of(final)] == [SMALLEST, {}]
    assert pieces == ["", '{"city":', '"text","', 'days":2}', ""]


def test_tool_result_is_answered_with_text(claude: anthropic.Anthropic) -> None:
    question = {"role": "user", "content": "Weather?"}
    called = ask(claude, "", messages=[question], tools=[WEATHER])
    (call,) = calls_of(called)
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "12 degrees"}
    turns = [question, called.to_param(), {"role": "user", "content": [result]}]
    answer = ask(claude, "", messages=turns, tools=[WEATHER])
    assert text_of(answer) == "The tool answered: 12 degrees"
    result["content"] = [{"type": "text", "text": "13"}]  # type: ignore[assignment]
    assert text_of(ask(claude, "", messages=turns, tools=[WEATHER])) == "The tool answered: 13"


def test_images_and_documents_are_counted(claude: anthropic.Anthropic) -> None:
    picture = {"type": "base64", "media_type": "image/png", "data": PIXEL}
    address = {"type": "url", "url": "https://example.com/a.png"}
    paper = {"type": "base64", "media_type": "application/pdf", "data": PIXEL}
    note = {"type": "text", "media_type": "text/plain", "data": "Four words are here"}
    blocks = [
        {"type": "text", "text": "Look"},
        {"type": "image", "source": picture},
        {"type": "image", "source": address},
        {"type": "document", "source": paper, "title": "Paper"},
        {"type": "document", "source": note},
    ]
    answer = ask(claude, blocks)
    assert answer.usage.input_tokens == 3 + 4 + 1 + 2 * 1568 + 2000 + 5


class Guess(BaseModel):
    """What a structured answer is parsed into."""

    answer: int
    note: str | None


def test_structured_output_parses_into_the_model(claude: anthropic.Anthropic) -> None:
    message: Any = {"role": "user", "content": "Guess"}
    parsed = claude.messages.parse(
        model=MODEL, max_tokens=99, messages=[message], output_format=Guess
    )
    assert parsed.parsed_output == Guess(answer=0, note="text")
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    config = {
        "format": {"type": "json_schema", "schema": {**schema, "additionalProperties": False}}
    }
    assert text_of(ask(claude, "Guess", output_config=config)) == '{"a":0}'
    with pytest.raises(anthropic.BadRequestError, match="additionalProperties"):
        ask(claude, "", output_config={"format": {"type": "json_schema", "schema": schema}})


def test_thoughts_are_signed_and_known_again(claude: anthropic.Anthropic) -> None:
    question = {"role": "user", "content": "Weather?"}
    fields: Any = {"thinking": SUMMARY, "tools": [WEATHER]}
    called = ask(claude, "", messages=[question], output_config={"effort": "low"}, **fields)
    assert [block.type for block in called.content] == ["thinking", "tool_use"]
    assert called.usage.output_tokens_details is not None
    assert called.usage.output_tokens_details.thinking_tokens == 64
    (call,) = calls_of(called)
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "12"}
    turns = [question, called.to_param(), {"role": "user", "content": [result]}]
    assert text_of(ask(claude, "", messages=turns, **fields)) == "The tool answered: 12"
    thought = called.content[0]
    assert isinstance(thought, ThinkingBlock)
    thought.thinking += " Really."
    turns[1] = called.to_param()
    with pytest.raises(anthropic.BadRequestError, match=r"messages\.1\.content\.0: Invalid `sig"):
        ask(claude, "", messages=turns, **fields)


def test_thoughts_stream_with_their_signature_at_the_end(claude: anthropic.Anthropic) -> None:
    message: Any = {"role": "user", "content": "Why?"}
    with claude.messages.stream(
        model=MODEL, max_tokens=999, messages=[message], thinking=SUMMARY
    ) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_message()
    plain = ask(claude, "Why?", max_tokens=999, thinking=SUMMARY)
    assert final.content[0] == plain.content[0]
    assert kinds.index("signature") > kinds.index("thinking") > 0
    assert kinds.index("text") > kinds.index("signature")


def test_models_differ_in_how_they_think(claude: anthropic.Anthropic) -> None:
    assert [block.type for block in ask(claude, "Please think").content] == ["thinking", "text"]
    hidden = ask(claude, "Please think").content[0]
    assert isinstance(hidden, ThinkingBlock)
    assert (hidden.thinking, hidden.signature != "") == ("", True)
    budget = {"type": "enabled", "budget_tokens": 1024}
    older = ask(claude, "Hm", model="claude-haiku-4-5", thinking=budget)
    assert [block.type for block in older.content] == ["thinking", "text"]
    secret = "ANTHROPIC_MAGIC_STRING_TRIGGER_REDACTED_THINKING_46C9"
    encrypted = ask(claude, secret, thinking={"type": "adaptive"}).content[0]
    assert encrypted.type == "redacted_thinking"


def test_stop_sequences_and_limits_end_the_answer(claude: anthropic.Anthropic) -> None:
    stopped = ask(claude, "Hello", stop_sequences=["never", "”"])
    assert (text_of(stopped), stopped.stop_reason) == ("You said: “Hello", "stop_sequence")
    assert stopped.stop_sequence == "”"
    short = ask(claude, "Hello", max_tokens=2)
    assert (text_of(short), short.stop_reason) == ("You said", "max_tokens")
    assert short.usage.output_tokens == 2
    starved = ask(claude, "Hello", max_tokens=50, thinking=SUMMARY)
    assert (text_of(starved), starved.stop_reason) == ("", "max_tokens")
    cut = ask(claude, "Hello", max_tokens=3, tools=[WEATHER])
    assert (calls_of(cut)[0].input, cut.stop_reason) == ({}, "max_tokens")


def test_refusals_are_stop_reasons(claude: anthropic.Anthropic) -> None:
    refused = ask(claude, "[[sandbox refusal]]")
    assert text_of(refused) == "I'm sorry, but I can't help with that."
    assert refused.stop_reason == "refusal"
    assert refused.stop_details is not None
    assert refused.stop_details.type == "refusal"
    blocked = ask(claude, "[[sandbox content_filter]]")
    assert (blocked.content, blocked.stop_reason) == ([], "refusal")
    assert blocked.usage.output_tokens == 0


def test_a_long_prompt_with_a_mark_is_read_from_the_cache(claude: anthropic.Anthropic) -> None:
    block: Any = {"type": "text", "text": "word " * 1200}
    assert ask(claude, [block]).usage.cache_read_input_tokens == 0
    block["cache_control"] = {"type": "ephemeral"}
    usage = ask(claude, [block]).usage
    assert (usage.input_tokens, usage.cache_read_input_tokens) == (56, 1152)
    asked: Any = {"type": "text", "text": "[[sandbox cached=7 cache_write=3]]"}
    usage = ask(
        claude, [block, {**asked, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    ).usage
    assert (usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (7, 3)
    assert usage.cache_creation is not None
    assert usage.cache_creation.ephemeral_1h_input_tokens == 3


def test_tokens_are_counted_without_an_answer(claude: anthropic.Anthropic) -> None:
    message: Any = {"role": "user", "content": "Hello there, sandbox"}
    counted = claude.messages.count_tokens(model=MODEL, messages=[message])
    assert counted.input_tokens == 14
    counted = claude.messages.count_tokens(model=MODEL, messages=[message], system="Be brief.")
    assert counted.input_tokens == 18


def test_models_say_what_they_can_and_when_they_go(claude: anthropic.Anthropic) -> None:
    listed = {model.id: model for model in claude.models.list()}
    assert str(listed["claude-sonnet-4-5"].retires_at) == "2026-11-30 00:00:00+00:00"
    assert (listed[MODEL].lifecycle, listed[MODEL].max_tokens) == ("active", 128_000)
    capabilities = listed[MODEL].capabilities
    assert capabilities is not None
    assert capabilities.thinking.types.between_tools.supported
    assert {model.id: model for model in claude.models.list(limit=3)} == listed
    newer = claude.models.list(before_id="claude-opus-5", limit=2)
    assert [model.id for model in newer.data] == ["claude-sonnet-5-5", "claude-opus-5-5"]
    assert newer.has_more
    assert claude.models.retrieve(MODEL) == listed[MODEL]
    assert claude.models.retrieve("claude-unlisted").id == "claude-unlisted"
    with pytest.raises(anthropic.NotFoundError):
        claude.models.retrieve("gpt-5.5")


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (400, anthropic.BadRequestError, "invalid_request_error"),
        (401, anthropic.AuthenticationError, "authentication_error"),
        (402, anthropic.APIStatusError, "billing_error"),
        (403, anthropic.PermissionDeniedError, "permission_error"),
        (404, anthropic.NotFoundError, "not_found_error"),
        (409, anthropic.ConflictError, "conflict_error"),
        (413, anthropic.APIStatusError, None),
        (429, anthropic.RateLimitError, "rate_limit_error"),
        (500, anthropic.InternalServerError, "api_error"),
        (504, anthropic.InternalServerError, "timeout_error"),
        (529, anthropic.InternalServerError, "overloaded_error"),
    ],
)
def test_each_status_is_its_own_error(
    claude: anthropic.Anthropic,
    status: int,
    error: type[anthropic.APIStatusError],
    kind: str | None,
) -> None:
    with pytest.raises(error) as caught:
        ask(claude, f"[[sandbox status={status}]]")
    assert (caught.value.status_code, caught.value.type) == (status, kind)
    assert caught.value.request_id == caught.value.response.headers["request-id"]


@pytest.mark.parametrize(
    ("key", "status", "code", "retry_after"),
    [
        ("sk-ant-invalid", 401, None, None),
        ("sk-ant-quota", 429, "enforced_spend_limit_reached", None),
        ("sk-ant-ratelimited", 429, None, "1"),
    ],
)
def test_key_chooses_its_error(
    claude: anthropic.Anthropic, key: str, status: int, code: str | None, retry_after: str | None
) -> None:
    with pytest.raises(anthropic.APIStatusError) as caught:
        ask(claude.with_options(api_key=key), "Hi")
    assert (caught.value.status_code, caught.value.error_code) == (status, code)
    assert caught.value.response.headers.get("retry-after") == retry_after


def test_sdk_tries_again_what_passes_by(claude: anthropic.Anthropic, mark: str) -> None:
    patient = claude.with_options(max_retries=2)
    words = f"[[sandbox status=529 retry_after=0.01 times=2 tag={mark}]]"
    assert ask(patient, words).stop_reason == "end_turn"


def test_an_error_inside_the_stream_is_raised(claude: anthropic.Anthropic) -> None:
    message: Any = {"role": "user", "content": "[[sandbox error_event=4]]"}
    with (
        pytest.raises(anthropic.APIStatusError) as caught,
        claude.messages.stream(model=MODEL, max_tokens=99, messages=[message]) as stream,
    ):
        assert "".join(stream.text_stream) == ""
    assert (caught.value.type, caught.value.status_code) == ("overloaded_error", 200)


def test_raw_response_shows_limits(claude: anthropic.Anthropic) -> None:
    message: Any = {"role": "user", "content": "Raw"}
    raw = claude.messages.with_raw_response.create(model=MODEL, max_tokens=9, messages=[message])
    assert raw.headers["anthropic-ratelimit-requests-limit"] == "4000"
    assert raw.headers["anthropic-ratelimit-tokens-remaining"] == "2399999"
    assert raw.headers["request-id"].startswith("req_")

"""The official Anthropic SDK finds at the gateway what it would find at Anthropic; only `base_url`
and `api_key` are ours. The models are OpenAI's and Anthropic's: the client cannot tell.
"""

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import anthropic
import pytest
from anthropic.types import ToolParam
from pydantic import BaseModel

from tests.gateway.anthropic_client import CLAUDE, OPENAI, ask, sdk, text_of, user
from tests.gateway.conftest import Payer
from tests.gateway.message_bodies import PIXEL
from tests.sandbox.caller import Caller as Sandbox

WEATHER: ToolParam = {
    "name": "weather",
    "description": "Tells the weather",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 2}},
        "required": ["city", "days"],
        "additionalProperties": False,
    },
}
HAIKU = "claude-haiku-5-5"
"""Takes a tool that is insisted on; the newest do not."""
REDACTED = "ANTHROPIC_MAGIC_STRING_TRIGGER_REDACTED_THINKING"
THINKING = {"thinking": {"type": "adaptive"}, "max_tokens": 4096}
SMALLEST = {"city": "text", "days": 2}
each_model = pytest.mark.parametrize("model", [OPENAI, CLAUDE])


@pytest.fixture
def client(payer: Payer) -> Iterator[anthropic.Anthropic]:
    """The payer's client."""
    with sdk(payer) as made:
        yield made


@pytest.mark.parametrize(
    ("name", "model"),
    [(OPENAI, OPENAI), ("gpt-5.6", OPENAI), ("chat.default", OPENAI), (CLAUDE, CLAUDE)],
)
def test_a_message_is_answered_whatever_the_model_is_called_by(
    client: anthropic.Anthropic, payer: Payer, name: str, model: str
) -> None:
    answer = ask(client, "Hello there, gateway", model=name)
    assert text_of(answer).startswith("You said: “Hello there, gateway”.")
    assert (answer.model, answer.role, answer.type) == (model, "assistant", "message")
    assert (answer.stop_reason, answer.stop_sequence) == ("end_turn", None)
    assert answer.id.startswith("msg_")
    [usage] = payer.usage()
    assert (usage["surface"], usage["operation"], usage["model"]) == ("messages", "chat", model)
    assert usage["input_tokens"] == answer.usage.input_tokens
    assert usage["output_tokens"] == answer.usage.output_tokens


@each_model
def test_a_stream_says_what_the_plain_answer_says(
    client: anthropic.Anthropic, payer: Payer, model: str
) -> None:
    plain = ask(client, "Grüße 🌍", model=model)
    with client.messages.stream(model=model, max_tokens=256, messages=[user("Grüße 🌍")]) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text == text_of(plain) == text_of(final)
    assert (final.model, final.stop_reason) == (model, "end_turn")
    assert final.usage.output_tokens == plain.usage.output_tokens
    one, other = payer.usage()
    assert final.usage.input_tokens == other["input_tokens"] == one["input_tokens"]
    assert one["charge_ucr"] == other["charge_ucr"] > 0


@each_model
def test_the_events_of_a_stream_come_in_their_order_and_end_with_the_charge(
    client: anthropic.Anthropic, payer: Payer, model: str
) -> None:
    with client.messages.create(
        model=model, max_tokens=256, messages=[user("[[sandbox chunks=3]]")], stream=True
    ) as stream:
        events = list(stream)
    assert [event.type for event in events] == [
        "message_start",
        "content_block_start",
        *["content_block_delta"] * 3,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    delta = events[-2]
    assert delta.type == "message_delta"
    assert delta.usage.output_tokens == payer.usage()[0]["output_tokens"]
    charge_ucr = round((delta.usage.model_extra or {})["credits_charged"] * 1_000_000)
    assert charge_ucr == payer.usage()[0]["charge_ucr"]


@each_model
async def test_the_async_client_works_plain_and_streamed(payer: Payer, model: str) -> None:
    messages = [user("Async")]
    async with anthropic.AsyncAnthropic(
        base_url=payer.url, api_key=payer.key, max_retries=0
    ) as client:
        plain = await client.messages.create(model=model, max_tokens=256, messages=messages)
        async with client.messages.stream(model=model, max_tokens=256, messages=messages) as stream:
            text = "".join([piece async for piece in stream.text_stream])
        counted = await client.messages.count_tokens(model=model, messages=messages)
    assert text == text_of(plain)
    assert counted.input_tokens == 6


@each_model
def test_a_tool_is_called_and_its_result_is_answered(
    client: anthropic.Anthropic, model: str
) -> None:
    answer = ask(client, "Weather?", model=model, tools=[WEATHER])
    assert answer.stop_reason == "tool_use"
    [call] = answer.content
    assert call.type == "tool_use"
    assert (call.name, call.input) == ("weather", SMALLEST)
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "12 degrees"}
    turns = [user("Weather?"), answer.to_param(), user([result])]
    after = ask(client, "", model=model, messages=turns, tools=[WEATHER])
    assert text_of(after) == "The tool answered: 12 degrees"
    assert after.stop_reason == "end_turn"


@each_model
def test_streamed_calls_add_up(client: anthropic.Anthropic, model: str) -> None:
    with client.messages.stream(
        model=model, max_tokens=256, messages=[user("in parallel")], tools=[WEATHER]
    ) as stream:
        final = stream.get_final_message()
    calls = [block for block in final.content if block.type == "tool_use"]
    assert [call.input for call in calls] == [SMALLEST, SMALLEST]
    assert len({call.id for call in calls}) == 2
    assert final.stop_reason == "tool_use"


@pytest.mark.parametrize("model", [OPENAI, HAIKU])
def test_calls_in_parallel_are_switched_off_and_a_tool_is_insisted_on(
    client: anthropic.Anthropic, model: str
) -> None:
    other = {**WEATHER, "name": "time"}
    choice = {"type": "tool", "name": "time", "disable_parallel_tool_use": True}
    answer = ask(client, "in parallel", model=model, tools=[WEATHER, other], tool_choice=choice)
    assert [block.name for block in answer.content if block.type == "tool_use"] == ["time"]


def test_thinking_is_shown_signed_and_taken_back_with_its_call(
    client: anthropic.Anthropic,
) -> None:
    fields = {"model": CLAUDE, "tools": [WEATHER], **THINKING}
    answer = ask(client, "Weather?", **fields)
    assert [block.type for block in answer.content] == ["thinking", "tool_use"]
    thought, call = answer.content
    assert thought.type == "thinking"
    assert call.type == "tool_use"
    assert (bool(thought.thinking), bool(thought.signature)) == (True, True)
    assert answer.usage.output_tokens_details is not None
    assert answer.usage.output_tokens_details.thinking_tokens > 0
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "12 degrees"}
    turns: list[Any] = [user("Weather?"), answer.to_param(), user([result])]
    after = ask(client, "", messages=turns, **fields)
    assert text_of(after) == "The tool answered: 12 degrees"
    changed = {**thought.to_dict(), "thinking": "Something else"}
    turns[1] = {"role": "assistant", "content": [changed, call.to_dict()]}
    with pytest.raises(anthropic.BadRequestError):
        ask(client, "", messages=turns, **fields)


@pytest.mark.parametrize("content", ["Weather?", f"Weather? {REDACTED}"])
def test_thinking_is_streamed_as_it_is_answered(client: anthropic.Anthropic, content: str) -> None:
    plain = ask(client, content, model=CLAUDE, **THINKING)
    fields: Any = {"model": CLAUDE, "messages": [user(content)], **THINKING}
    with client.messages.stream(**fields) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_message()
    assert [block.to_dict() for block in final.content] == [b.to_dict() for b in plain.content]
    if REDACTED in content:
        assert final.content[0].type == "redacted_thinking"
    else:
        assert final.content[0].type == "thinking"
        assert {"thinking", "signature"} <= kinds


def test_the_sdk_s_own_loop_of_tools_runs_to_its_end(
    client: anthropic.Anthropic, payer: Payer
) -> None:
    @anthropic.beta_tool
    def weather(city: str) -> str:
        """Tell the weather.

        Args:
            city: Where.
        """
        return f"12 degrees in {city}"

    runner = client.beta.messages.tool_runner(
        model=OPENAI, max_tokens=256, messages=[{"role": "user", "content": "?"}], tools=[weather]
    )
    [text] = runner.until_done().content
    assert text.type == "text"
    assert text.text == "The tool answered: 12 degrees in text"
    assert [row["status"] for row in payer.usage()].count("succeeded") == 2


class Guess(BaseModel):
    """What a structured answer is parsed into."""

    class Step(BaseModel):
        """A nested object."""

        why: str
        certain: bool

    answer: int
    steps: list[Step]
    note: str | None


@each_model
def test_a_structured_answer_is_parsed_into_its_model(
    client: anthropic.Anthropic, model: str
) -> None:
    answer = client.messages.parse(
        model=model, max_tokens=256, messages=[user("Guess")], output_format=Guess
    )
    assert isinstance(answer.parsed_output, Guess)
    assert (answer.parsed_output.answer, answer.parsed_output.steps) == (0, [])


@each_model
def test_pictures_and_documents_are_passed_on(
    client: anthropic.Anthropic, sandbox_url: str, model: str
) -> None:
    mark = f"mark-{uuid4()}"
    blocks = [
        {"type": "text", "text": mark},
        {
            "type": "image",
            "source": {"type": "base64", "media_type": "image/png", "data": PIXEL},
        },
        {
            "type": "document",
            "source": {"type": "text", "media_type": "text/plain", "data": "Fine print"},
        },
    ]
    assert ask(client, blocks, model=model).stop_reason == "end_turn"
    [seen] = Sandbox(url=sandbox_url).journal(contains=mark)
    assert PIXEL in seen["body"]
    assert "Fine print" in seen["body"]


def test_the_raw_response_shows_our_headers(client: anthropic.Anthropic, payer: Payer) -> None:
    raw = client.messages.with_raw_response.create(
        model=OPENAI, max_tokens=256, messages=[user("Raw")]
    )
    assert raw.headers["request-id"] == raw.headers["x-request-id"]
    assert payer.usage()[0]["request_id"] == UUID(raw.headers["request-id"])
    assert float(raw.headers["x-credits-charged"]) > 0
    assert raw.headers["x-ratelimit-remaining"] == "599"


def test_a_count_is_free_and_asks_nobody(
    client: anthropic.Anthropic, payer: Payer, sandbox_url: str
) -> None:
    mark = f"mark-{uuid4()}"  # 41 bytes are 11 tokens, the message 4
    counted = client.messages.count_tokens(model="chat.default", messages=[user(mark)])
    more = client.messages.count_tokens(
        model="chat.default", messages=[user(mark)], system="Be brief.", tools=[WEATHER]
    )
    assert counted.input_tokens == 15
    assert more.input_tokens > counted.input_tokens + 50
    assert payer.entries() == []
    assert payer.usage() == []
    assert Sandbox(url=sandbox_url).journal(contains=mark, at_least=0) == []
    with pytest.raises(anthropic.NotFoundError):
        client.messages.count_tokens(model="llama-3", messages=[user("Hi")])

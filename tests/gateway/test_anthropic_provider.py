"""What goes out to Anthropic, word for word."""

import base64
import json
from typing import Any

import pytest

from gateway.providers.anthropic import PROVIDER
from gateway.providers.base import Target
from studio.core.errors import InvalidRequest
from tests.gateway.anthropic_bodies import (
    TARGET,
    TOOL,
    USER,
    WEATHER,
    built,
    called,
    extra,
    request_of,
)

HELLO = {"role": "user", "content": [{"type": "text", "text": "Hello"}]}
SENT_TOOL = {
    "name": "weather",
    "input_schema": WEATHER["parameters"],
    "description": "Tells it.",
}
PIXEL = base64.b64encode(b"\x89PNG").decode()
MARK = {"type": "ephemeral", "ttl": "1h"}


def turns(*messages: dict[str, Any]) -> list[Any]:
    """Give the turns that these messages become."""
    sent: list[Any] = built(messages=list(messages))["messages"]
    return sent


def text(*pieces: str) -> list[dict[str, Any]]:
    """Write texts as blocks."""
    return [{"type": "text", "text": piece} for piece in pieces]


def tool_use(call_id: str, **arguments: Any) -> dict[str, Any]:
    """Make the block of a call."""
    return {"type": "tool_use", "id": call_id, "name": "weather", "input": arguments}


def result(call_id: str, *pieces: str) -> dict[str, Any]:
    """Make the block of a result."""
    block: dict[str, Any] = {"type": "tool_result", "tool_use_id": call_id}
    return {**block, "content": text(*pieces)} if pieces else block


def test_a_request_goes_out_with_the_pinned_version_the_routes_model_and_the_held_ceiling() -> None:
    request = PROVIDER.build_chat(request_of(max_tokens=9), TARGET)
    assert (request.method, request.path) == ("POST", "/v1/messages")
    assert request.headers == {
        "content-type": "application/json",
        "accept": "application/json",
        "anthropic-version": "2026-10-21",
    }
    expected = {"model": "claude-sonnet-5-5", "max_tokens": 4000, "messages": [HELLO]}
    assert json.loads(request.body) == expected
    streamed = PROVIDER.build_chat(request_of(stream=True), TARGET)
    assert json.loads(streamed.body) == {**expected, "stream": True}
    assert streamed.headers["accept"] == "text/event-stream"
    assert PROVIDER.auth("sk-ant-1") == {"x-api-key": "sk-ant-1"}


def test_a_maximum_is_always_sent() -> None:
    bare = Target(model="claude-sonnet-5-5")
    assert built(bare, max_tokens=9)["max_tokens"] == 9
    assert built(bare, max_completion_tokens=8, max_tokens=9)["max_tokens"] == 8
    assert built(bare)["max_tokens"] == 4096


def test_instructions_leave_the_conversation_wherever_they_stood() -> None:
    sent = built(
        messages=[
            {"role": "system", "content": "One."},
            USER,
            {"role": "assistant", "content": "Hi."},
            {"role": "developer", "content": [{"type": "text", "text": "Two."}]},
            {"role": "system", "content": " "},
            {"role": "user", "content": "Go on", "name": "ann"},
        ]
    )
    assert sent["system"] == text("One.", "Two.")
    assert sent["messages"] == [
        HELLO,
        {"role": "assistant", "content": text("Hi.")},
        {"role": "user", "content": text("Go on")},
    ]


def test_instructions_alone_are_what_the_user_says() -> None:
    sent = built(messages=[{"role": "system", "content": "Tell a joke."}])
    assert sent["messages"] == [{"role": "user", "content": text("Tell a joke.")}]
    assert "system" not in sent


def test_turns_of_one_role_are_joined_and_empty_texts_left_out() -> None:
    assert turns(
        {"role": "assistant", "content": "Welcome!"},
        USER,
        {"role": "user", "content": ""},
        {"role": "user", "content": [{"type": "text", "text": "\n"}, *text("there")]},
        {"role": "assistant", "content": None, "refusal": "No."},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "Never."}]},
        {"role": "assistant", "content": ""},
        USER,
    ) == [
        {"role": "assistant", "content": text("Welcome!")},
        {"role": "user", "content": text("Hello", "there")},
        {"role": "assistant", "content": text("No.", "Never.")},
        HELLO,
    ]
    with pytest.raises(InvalidRequest, match="nothing but empty text"):
        built(messages=[{"role": "user", "content": " "}])


def test_calls_and_results_become_blocks_and_ids_anthropics_again() -> None:
    arguments = '{"city": "Zürich", "big": 12345678901234567890}'
    assert turns(
        USER,
        called("call_01AbC", arguments, content="Let me see."),
        {"role": "tool", "tool_call_id": "call_01AbC", "content": "12 degrees"},
    ) == [
        HELLO,
        {
            "role": "assistant",
            "content": [
                *text("Let me see."),
                tool_use("toolu_01AbC", city="Zürich", big=12345678901234567890),
            ],
        },
        {"role": "user", "content": [result("toolu_01AbC", "12 degrees")]},
    ]


def test_results_stand_right_behind_their_calls_wherever_they_came() -> None:
    both = called("a")
    both["tool_calls"] += called("b:1", "")["tool_calls"]
    assert turns(
        USER,
        both,
        {"role": "user", "content": "Quick!"},
        {"role": "assistant", "content": "Wait."},
        {"role": "tool", "tool_call_id": "b:1", "content": ""},
        {"role": "tool", "tool_call_id": "a", "content": text("1", "2")},
        {"role": "user", "content": "And?"},
    ) == [
        HELLO,
        {"role": "assistant", "content": [tool_use("a"), tool_use("b_1")]},
        {"role": "user", "content": [result("b_1"), result("a", "1", "2"), *text("Quick!")]},
        {"role": "assistant", "content": text("Wait.")},
        {"role": "user", "content": text("And?")},
    ]


def test_an_id_that_is_used_twice_becomes_two() -> None:
    answer = {"role": "tool", "tool_call_id": "call_0", "content": "x"}
    sent = turns(USER, called("call_0"), answer, called("call_0"), answer)
    assert [block["content"] for block in sent[1:]] == [
        [tool_use("toolu_0")],
        [result("toolu_0", "x")],
        [tool_use("toolu_0_")],
        [result("toolu_0_", "x")],
    ]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [("{", "this is not valid JSON"), ("[]", "a JSON object is expected")],
)
def test_arguments_that_are_no_json_object_are_named(arguments: str, complaint: str) -> None:
    place = "messages[1].tool_calls[0].function.arguments"
    with pytest.raises(InvalidRequest) as refusal:
        built(messages=[USER, called("a", arguments)])
    assert refusal.value.message == f"{place}: {complaint}"
    assert refusal.value.details == {"param": place}


def test_a_result_without_its_call_is_named() -> None:
    with pytest.raises(InvalidRequest) as refusal:
        built(messages=[USER, {"role": "tool", "tool_call_id": "lost", "content": "x"}])
    assert refusal.value.details == {"param": "messages[1].tool_call_id"}


def test_signed_thoughts_go_back_in_front_and_unsigned_ones_do_not() -> None:
    thoughts = [
        {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "ZGF0YQ=="},
    ]
    fields: dict[str, Any] = {"content": "Yes.", "reasoning_content": "Hm."}
    sent = turns(USER, called("a", thinking_blocks=thoughts, **fields))
    assert sent[1]["content"] == [*thoughts, *text("Yes."), tool_use("a")]


def test_images_go_by_address_or_as_base64() -> None:
    urls = ["https://example.com/a.png", f"data:image/jpg;base64,{PIXEL}"]
    parts = [{"type": "image_url", "image_url": {"url": url, "detail": "low"}} for url in urls]
    assert turns({"role": "user", "content": parts})[0]["content"] == [
        {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
        {
            "type": "image",
            "source": {"type": "base64", "media_type": "image/jpeg", "data": PIXEL},
        },
    ]


def test_files_are_documents() -> None:
    note = base64.b64encode("Grüße".encode()).decode()
    files = [
        {"file_data": f"data:application/pdf;base64,{PIXEL}", "filename": "a.pdf"},
        {"file_data": PIXEL},
        {"file_data": f"data:text/plain;charset=utf-8;base64,{note}"},
    ]
    parts = [{"type": "file", "file": file} for file in files]
    paper = {"type": "base64", "media_type": "application/pdf", "data": PIXEL}
    plain = {"type": "text", "media_type": "text/plain", "data": "Grüße"}
    assert turns({"role": "user", "content": parts})[0]["content"] == [
        {"type": "document", "source": paper, "title": "a.pdf"},
        {"type": "document", "source": paper},
        {"type": "document", "source": plain},
    ]


@pytest.mark.parametrize(
    ("part", "place"),
    [
        ({"type": "image_url", "image_url": {"url": "http://a/b"}}, "image_url.url"),
        ({"type": "image_url", "image_url": {"url": "data:image/png,abc"}}, "image_url.url"),
        (
            {"type": "image_url", "image_url": {"url": "data:image/bmp;base64,QQ=="}},
            "image_url.url",
        ),
        ({"type": "file", "file": {"filename": "a.pdf"}}, "file.file_data"),
        ({"type": "file", "file": {"file_data": "data:text/csv;base64,QQ=="}}, "file.file_data"),
        ({"type": "file", "file": {"file_data": "data:text/plain;base64,/w=="}}, "file.file_data"),
    ],
)
def test_what_is_no_image_or_file_is_named(part: dict[str, Any], place: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        built(messages=[{"role": "user", "content": [*text("See"), part]}])
    assert refusal.value.details == {"param": f"messages[0].content[1].{place}"}


def test_cache_marks_are_passed_on_for_the_time_that_has_a_price() -> None:
    marked = {"type": "text", "text": "Long", "cache_control": MARK}
    sent = built(
        messages=[{"role": "system", "content": [marked]}, {"role": "user", "content": [marked]}],
        tools=[{**TOOL, "cache_control": {"type": "ephemeral"}}],
    )
    expected = {"type": "ephemeral"}
    assert sent["system"][0]["cache_control"] == expected
    assert sent["messages"][0]["content"][0]["cache_control"] == expected
    assert sent["tools"] == [{**SENT_TOOL, "cache_control": expected}]


@pytest.mark.parametrize(
    ("fields", "choice"),
    [
        ({}, None),
        ({"tool_choice": "auto"}, {"type": "auto"}),
        ({"tool_choice": "required"}, {"type": "any"}),
        ({"tool_choice": "none"}, {"type": "none"}),
        (
            {"tool_choice": {"type": "function", "function": {"name": "weather"}}},
            {"type": "tool", "name": "weather"},
        ),
        (
            {"parallel_tool_calls": False},
            {"type": "auto", "disable_parallel_tool_use": True},
        ),
        (
            {"parallel_tool_calls": False, "tool_choice": "required"},
            {"type": "any", "disable_parallel_tool_use": True},
        ),
        ({"parallel_tool_calls": False, "tool_choice": "none"}, {"type": "none"}),
        ({"parallel_tool_calls": True}, None),
    ],
)
def test_tools_are_chosen_as_asked(fields: dict[str, Any], choice: object) -> None:
    sent = extra(tools=[TOOL], **fields)
    assert sent.pop("tool_choice", None) == choice
    assert sent == {"tools": [SENT_TOOL]}


def test_only_the_allowed_tools_are_sent() -> None:
    other = {"type": "function", "function": {"name": "time", "strict": True}}
    allowed = {"mode": "required", "tools": [{"type": "function", "function": {"name": "time"}}]}
    choice = {"type": "allowed_tools", "allowed_tools": allowed}
    assert extra(tools=[TOOL, other], tool_choice=choice) == {
        "tools": [
            {"name": "time", "input_schema": {"type": "object", "properties": {}}, "strict": True}
        ],
        "tool_choice": {"type": "any"},
    }


def test_a_conversation_with_calls_has_its_tools_defined_and_not_called() -> None:
    answer = {"role": "tool", "tool_call_id": "a", "content": "x"}
    assert extra(messages=[USER, called("a"), answer]) == {
        "tools": [{"name": "weather", "input_schema": {"type": "object", "properties": {}}}],
        "tool_choice": {"type": "none"},
    }


def test_functions_of_the_old_form_are_tools_called_one_at_a_time() -> None:
    messages = [
        USER,
        {"role": "assistant", "function_call": {"name": "weather", "arguments": '{"city":"Bern"}'}},
        {"role": "function", "name": "weather", "content": "12"},
    ]
    sent = built(messages=messages, functions=[WEATHER], function_call={"name": "weather"})
    assert sent["tools"] == [SENT_TOOL]
    assert sent["tool_choice"] == {
        "type": "tool",
        "name": "weather",
        "disable_parallel_tool_use": True,
    }
    assert sent["messages"][1:] == [
        {"role": "assistant", "content": [tool_use("toolu_weather", city="Bern")]},
        {"role": "user", "content": [result("toolu_weather", "12")]},
    ]
    assert extra(functions=[WEATHER], function_call="none")["tool_choice"] == {"type": "none"}


def test_schemas_go_to_output_config_and_json_mode_is_an_instruction() -> None:
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    shape = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema, "strict": True}}
    assert extra(response_format=shape) == {
        "output_config": {"format": {"type": "json_schema", "schema": schema}}
    }
    instruction = text(
        "Answer with one JSON object and nothing else: no other text, no code fence."
    )
    assert extra(response_format={"type": "json_object"}) == {"system": instruction}
    bare = {"type": "json_schema", "json_schema": {"name": "x"}}
    assert extra(response_format=bare) == {"system": instruction}
    assert extra(response_format={"type": "text"}) == {}


def test_sampling_is_sent_unless_the_catalogue_drops_it() -> None:
    sampling: dict[str, Any] = {"temperature": 1.5, "top_p": 0.5, "top_k": 5, "stop": ["a", " "]}
    assert extra(**sampling) == {
        "temperature": 1,
        "top_p": 0.5,
        "top_k": 5,
        "stop_sequences": ["a"],
    }
    dropping = Target(
        model="m", max_output_tokens=9, drop_parameters=("temperature", "top_p", "top_k", "model")
    )
    assert extra(dropping, **sampling) == {"stop_sequences": ["a"]}
    assert extra(stop="end") == {"stop_sequences": ["end"]}
    assert extra(stop="\n\n") == {}


def test_what_anthropic_has_no_place_for_is_left_out() -> None:
    fields: dict[str, Any] = {
        "seed": 7,
        "presence_penalty": 1,
        "frequency_penalty": 1,
        "logprobs": False,
        "store": True,
        "metadata": {"a": "b"},
        "verbosity": "low",
        "service_tier": "flex",
        "prompt_cache_key": "k",
        "prediction": {"type": "content", "content": "x"},
        "n": 1,
    }
    assert PROVIDER.unsupported(request_of(**fields)) is None
    assert extra(**fields) == {}
    assert extra(user="ann") == {"metadata": {"user_id": "ann"}}
    assert extra(user="ann", safety_identifier="b") == {"metadata": {"user_id": "b"}}
    assert extra(user="x" * 513) == {}

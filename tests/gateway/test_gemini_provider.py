"""What goes to Google, word for word."""

import json
from typing import Any

import pytest

from gateway.operations.chat import ChatRequest, decode_chat
from gateway.providers.base import Target
from gateway.providers.gemini import PROVIDER
from studio.core.errors import InvalidRequest

TARGET = Target(model="gemini-3.8-flash")
OLDER = Target(model="gemini-2.5-flash")
LITE = Target(model="gemini-3.5-flash-lite")
USER = {"role": "user", "content": "Hello"}
PIXEL = "iVBORw0KGgo="
DUMMY = "skip_thought_signature_validator"
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Look it up",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "additionalProperties": False,
        },
        "strict": True,
    },
}
TIME = {"type": "function", "function": {"name": "time"}}
DECLARED = [
    {
        "name": "weather",
        "description": "Look it up",
        "parametersJsonSchema": WEATHER["function"]["parameters"],  # type: ignore[index]
    },
    {"name": "time"},
]


def request_of(*messages: Any, **fields: Any) -> ChatRequest:
    """Read a request for Hello, or for these messages."""
    body = {"messages": list(messages) or [USER], "model": "asked", **fields}
    return decode_chat(json.dumps(body).encode())


def sent(*messages: Any, target: Target = TARGET, **fields: Any) -> dict[str, Any]:
    """Give the JSON that goes to Google."""
    body: dict[str, Any] = json.loads(
        PROVIDER.build_chat(request_of(*messages, **fields), target).body
    )
    return body


def config(target: Target = TARGET, **fields: Any) -> Any:
    """Give the generationConfig that these fields become."""
    return sent(target=target, **fields).get("generationConfig")


def contents(*messages: Any, target: Target = TARGET) -> Any:
    """Give the contents that messages become."""
    return sent(*messages, target=target)["contents"]


def called(*calls: tuple[str, str, str], signature: str = "", **fields: Any) -> dict[str, Any]:
    """Make an answer with calls: (id, name, arguments); the first one carries the signature."""
    made: list[dict[str, Any]] = [
        {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
        for call_id, name, arguments in calls
    ]
    if signature:
        made[0]["extra_content"] = {"google": {"thought_signature": signature}}
    return {"role": "assistant", "content": None, "tool_calls": made, **fields}


def result(call_id: str, content: str) -> dict[str, str]:
    """Make what a tool gave back."""
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def test_a_request_names_the_model_in_its_path_and_the_key_in_a_header() -> None:
    plain = PROVIDER.build_chat(request_of(), TARGET)
    assert (plain.method, plain.path) == ("POST", "/models/gemini-3.8-flash:generateContent")
    assert json.loads(plain.body) == {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}
    streamed = PROVIDER.build_chat(request_of(stream=True), TARGET)
    assert streamed.path == "/models/gemini-3.8-flash:streamGenerateContent?alt=sse"
    assert streamed.headers == {"content-type": "application/json", "accept": "text/event-stream"}
    assert streamed.body == plain.body
    assert PROVIDER.auth("AIza-1") == {"x-goog-api-key": "AIza-1"}


def test_instructions_leave_the_conversation_and_turns_of_one_side_are_joined() -> None:
    body = sent(
        {"role": "system", "content": "Be kind."},
        USER,
        {"role": "user", "content": [{"type": "text", "text": "there"}], "name": "ann"},
        {"role": "developer", "content": [{"type": "text", "text": "Be short."}]},
        {"role": "assistant", "content": "Hi.", "reasoning_content": "A greeting."},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
        {"role": "user", "content": "Why?"},
    )
    assert body == {
        "systemInstruction": {"parts": [{"text": "Be kind."}, {"text": "Be short."}]},
        "contents": [
            {"role": "user", "parts": [{"text": "Hello"}, {"text": "there"}]},
            {"role": "model", "parts": [{"text": "Hi."}, {"text": "No."}]},
            {"role": "user", "parts": [{"text": "Why?"}]},
        ],
    }


def test_instructions_alone_are_a_prompt_and_nothing_at_all_is_refused() -> None:
    assert sent({"role": "system", "content": "Sing."}) == {
        "contents": [{"role": "user", "parts": [{"text": "Sing."}]}]
    }
    with pytest.raises(InvalidRequest) as refused:
        sent({"role": "user", "content": ""})
    assert refused.value.details == {"param": "messages"}


def test_images_sound_and_files_become_parts() -> None:
    [turn] = contents(
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": f"data:image/jpg;base64,{PIXEL}"}},
                {"type": "image_url", "image_url": {"url": "https://example.com/a.PNG?x=1#y"}},
                {"type": "image_url", "image_url": {"url": "https://example.com/a"}},
                {"type": "input_audio", "input_audio": {"data": "AA==", "format": "mp3"}},
                {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERg=="}},
                {"type": "file", "file": {"file_data": "JVBERg==", "filename": "a.pdf"}},
                {"type": "text", "text": "Compare."},
            ],
        }
    )
    assert turn["parts"] == [
        {"inlineData": {"mimeType": "image/jpeg", "data": PIXEL}},
        {"fileData": {"fileUri": "https://example.com/a.PNG?x=1#y", "mimeType": "image/png"}},
        {"fileData": {"fileUri": "https://example.com/a", "mimeType": "image/jpeg"}},
        {"inlineData": {"mimeType": "audio/mp3", "data": "AA=="}},
        {"inlineData": {"mimeType": "application/pdf", "data": "JVBERg=="}},
        {"inlineData": {"mimeType": "application/pdf", "data": "JVBERg=="}},
        {"text": "Compare."},
    ]


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/a.png",
        "gs://bucket/a.png",
        "data:image/png,plain",
        "data:text/html;base64,PGI+",
        "https://generativelanguage.googleapis.com/v1beta/files/abc",
        "https://GenerativeLanguage.GoogleApis.com./v1beta/files/abc",
        "https://generativelanguage.googleapis.com\\@example.com/a.png",
        "https://example.com@generativelanguage.googleapis.com/v1beta/files/abc",
        "https://generativelanguage。googleapis.com/v1beta/files/abc",
        "https://www.youtube.com/watch?v=abc",
        "https://youtu.be/abc",
    ],
)
def test_an_image_that_is_none_or_lies_with_google_is_refused(url: str) -> None:
    part = {"type": "image_url", "image_url": {"url": url}}
    with pytest.raises(InvalidRequest) as refused:
        sent({"role": "user", "content": [part]})
    assert refused.value.details == {"param": "messages[0].content[0].image_url.url"}


def test_calls_and_results_keep_their_ids_names_and_order() -> None:
    turns = contents(
        USER,
        called(("c1", "weather", '{"city":"Bern","x":1.0}'), ("c2", "time", ""), signature="c2ln"),
        {"role": "user", "content": "Well?"},
        result("c2", "noon"),
        result("c1", ' {"rain":null}'),
    )
    assert turns[1:] == [
        {
            "role": "model",
            "parts": [
                {
                    "functionCall": {
                        "name": "weather",
                        "args": {"city": "Bern", "x": 1.0},
                        "id": "c1",
                    },
                    "thoughtSignature": "c2ln",
                },
                {"functionCall": {"name": "time", "args": {}, "id": "c2"}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"name": name, "response": {"output": output}, "id": call_id}}
                for name, output, call_id in (
                    ("time", "noon", "c2"),
                    ("weather", {"rain": None}, "c1"),
                )
            ],
        },
        {"role": "user", "parts": [{"text": "Well?"}]},
    ]


@pytest.mark.parametrize("extra", [None, {"google": {}}, {"google": {"thought_signature": 7}}])
def test_a_call_that_lost_its_signature_gets_the_documented_dummy(extra: Any) -> None:
    lost = called(("c1", "time", "{}"), ("c2", "time", "{}"))
    lost["tool_calls"][0]["extra_content"] = extra
    results = [result("c1", "noon"), result("c2", "noon")]
    [_, turn, _] = contents(USER, lost, *results)
    assert [part.get("thoughtSignature") for part in turn["parts"]] == [DUMMY, None]
    [_, older, _] = contents(USER, lost, *results, target=OLDER)
    assert [part.get("thoughtSignature") for part in older["parts"]] == [None, None]


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ([called(("c1", "time", "[1]"))], "messages[1].tool_calls[0].function.arguments"),
        ([called(("c1", "time", "{"))], "messages[1].tool_calls[0].function.arguments"),
        ([result("c9", "noon")], "messages[1].tool_call_id"),
    ],
)
def test_calls_and_results_that_are_none_are_refused_by_their_place(
    messages: list[Any], param: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        sent(USER, *messages)
    assert refused.value.details == {"param": param}


@pytest.mark.parametrize(
    ("choice", "calling"),
    [
        (None, None),
        ("auto", {"mode": "AUTO"}),
        ("none", {"mode": "NONE"}),
        ("required", {"mode": "ANY"}),
        (TIME, {"mode": "ANY", "allowedFunctionNames": ["time"]}),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [TIME]}},
            {"mode": "VALIDATED", "allowedFunctionNames": ["time"]},
        ),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [TIME]}},
            {"mode": "ANY", "allowedFunctionNames": ["time"]},
        ),
    ],
)
def test_tools_are_declared_and_chosen(choice: Any, calling: Any) -> None:
    body = sent(tools=[WEATHER, TIME], tool_choice=choice)
    assert body["tools"] == [{"functionDeclarations": DECLARED}]
    assert body.get("toolConfig", {}).get("functionCallingConfig") == calling


def test_functions_of_the_older_form_are_tools_without_ids() -> None:
    body = sent(
        USER,
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "done"},
        functions=[{"name": "f"}],
        function_call={"name": "f"},
    )
    assert body["tools"] == [{"functionDeclarations": [{"name": "f"}]}]
    assert body["toolConfig"] == {
        "functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}
    }
    assert [turn["parts"] for turn in body["contents"][1:]] == [
        [{"functionCall": {"name": "f", "args": {}}, "thoughtSignature": DUMMY}],
        [{"functionResponse": {"name": "f", "response": {"output": "done"}}}],
    ]


def test_limits_and_sampling_have_other_names() -> None:
    held = Target(model="gemini-3.8-flash", max_output_tokens=64)
    assert config(held, max_tokens=9) == {"maxOutputTokens": 64}
    assert config(max_tokens=2**40) == {"maxOutputTokens": 2**31 - 1}
    fields: dict[str, Any] = {
        "temperature": 0,
        "top_p": 0.5,
        "top_k": 40,
        "presence_penalty": 1,
        "frequency_penalty": -1,
        "seed": 2**31,
        "stop": ["a", ""],
    }
    assert config(**fields) == {
        "temperature": 0,
        "topP": 0.5,
        "topK": 40,
        "presencePenalty": 1,
        "frequencyPenalty": -1,
        "seed": 1,
        "stopSequences": ["a"],
    }
    dropping = Target(model="gemini-3.8-flash", drop_parameters=(*fields, "messages", "nonsense"))
    assert sent(target=dropping, **fields) == sent()


def test_formats_of_the_answer() -> None:
    schema = {"type": "object", "additionalProperties": False}
    shape = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
    json_only = {"responseMimeType": "application/json"}
    assert config(response_format=shape) == {**json_only, "responseJsonSchema": schema}
    assert config(response_format={"type": "json_object"}) == json_only
    assert config(response_format={"type": "text"}) is None


SEEN = {"includeThoughts": True}


@pytest.mark.parametrize(
    ("target", "fields", "thinking"),
    [
        (TARGET, {}, None),
        (TARGET, {"reasoning_effort": "none"}, {"thinkingLevel": "LOW"}),
        (TARGET, {"reasoning_effort": "minimal"}, {"thinkingLevel": "LOW"}),
        (LITE, {"reasoning_effort": "none"}, {"thinkingLevel": "MINIMAL"}),
        (TARGET, {"reasoning_effort": "medium"}, {**SEEN, "thinkingLevel": "MEDIUM"}),
        (TARGET, {"reasoning_effort": "max"}, {**SEEN, "thinkingLevel": "HIGH"}),
        (OLDER, {"reasoning_effort": "none"}, {"thinkingBudget": 0}),
        (OLDER, {"reasoning_effort": "low"}, {**SEEN, "thinkingBudget": 1024}),
        (Target(model="gemini-2.5-pro"), {"reasoning_effort": "none"}, {"thinkingBudget": 128}),
        (TARGET, {"thinking": {"type": "disabled"}}, {"thinkingLevel": "LOW"}),
        (TARGET, {"thinking": {"type": "adaptive"}}, SEEN),
        (
            TARGET,
            {"thinking": {"type": "enabled", "budget_tokens": 2048}},
            {**SEEN, "thinkingLevel": "MEDIUM"},
        ),
        (
            OLDER,
            {"thinking": {"type": "enabled", "budget_tokens": 99999}},
            {**SEEN, "thinkingBudget": 24576},
        ),
    ],
)
def test_thinking_is_a_level_or_a_budget(target: Target, fields: Any, thinking: Any) -> None:
    assert (config(target, **fields) or {}).get("thinkingConfig") == thinking


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("n", {"n": 2}),
        ("logprobs", {"logprobs": True}),
        ("logit_bias", {"logit_bias": {"5": 1}}),
        ("modalities", {"modalities": ["audio"]}),
        ("web_search_options", {"web_search_options": {}}),
        ("parallel_tool_calls", {"tools": [TIME], "parallel_tool_calls": False}),
        ("tools", {"tools": [{"type": "custom", "custom": {"name": "a"}}]}),
        (
            "tool_choice",
            {"tools": [TIME], "tool_choice": {"type": "custom", "custom": {"name": "a"}}},
        ),
        (None, {"n": 1, "verbosity": "low", "store": True, "user": "u", "tools": [TIME]}),
    ],
)
def test_what_no_model_can_do_is_named(field: str | None, fields: dict[str, Any]) -> None:
    assert PROVIDER.unsupported(request_of(**fields)) == field

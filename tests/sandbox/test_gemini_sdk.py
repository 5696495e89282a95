"""The official SDK finds in the sandbox what it would find at Google."""

import base64
import json
import math
from collections.abc import Iterator
from typing import Any

import pytest
from google import genai
from google.genai import errors, types
from pydantic import BaseModel

MODEL = "gemini-3.8-flash"
ENGINEERED = base64.urlsafe_b64decode("context_engineering_is_the_way_to_go")
PIXEL = b"\x89PNG\r\n\x1a\n"
WEATHER = types.FunctionDeclaration(
    name="weather",
    parameters_json_schema={
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 2}},
        "required": ["city", "days"],
        "additionalProperties": False,
    },
)
TIME = types.FunctionDeclaration(
    name="time",
    parameters=types.Schema(
        type=types.Type.OBJECT,
        properties={"zone": types.Schema(type=types.Type.STRING, min_length=6)},
        required=["zone"],
    ),
)


def client_of(sandbox_url: str, key: str = "k-sandbox-1234", **options: Any) -> genai.Client:
    """Make a client of the official SDK, without its retries."""
    where = types.HttpOptions(base_url=f"{sandbox_url}/gemini", **options)
    return genai.Client(api_key=key, http_options=where)


@pytest.fixture
def gemini(sandbox_url: str) -> Iterator[genai.Client]:
    """Call the sandbox with the official SDK."""
    with client_of(sandbox_url) as made:
        yield made


def ask(
    gemini: genai.Client, contents: Any, model: str = MODEL, **config: Any
) -> types.GenerateContentResponse:
    """Ask without streaming; functions are never called by the SDK itself."""
    if "tools" in config:
        config["automatic_function_calling"] = {"disable": True}
    return gemini.models.generate_content(
        model=model, contents=contents, config=types.GenerateContentConfig(**config)
    )


def tools(*functions: types.FunctionDeclaration) -> list[types.Tool]:
    """Offer functions."""
    return [types.Tool(function_declarations=list(functions))]


def parts_of(answer: types.GenerateContentResponse) -> list[types.Part]:
    """Give the parts of the first candidate."""
    assert answer.candidates
    content = answer.candidates[0].content
    return [] if content is None else content.parts or []


def finish_of(answer: types.GenerateContentResponse) -> str | None:
    """Give the finish reason of the first candidate."""
    assert answer.candidates
    reason = answer.candidates[0].finish_reason
    return None if reason is None else reason.value


def said(role: str, *parts: types.Part) -> types.Content:
    """Make a turn."""
    return types.Content(role=role, parts=list(parts))


def answered(answer: types.GenerateContentResponse, **changed: Any) -> types.Content:
    """Answer every call of an answer."""
    return said(
        "user",
        *(
            types.Part(
                function_response=types.FunctionResponse(
                    id=call.id, name=call.name, response={"output": f"{call.name} is fine"}
                ).model_copy(update=changed)
            )
            for call in answer.function_calls or []
        ),
    )


@pytest.mark.parametrize("version", ["v1", "v1beta"])
def test_plain_answer_quotes_the_prompt_and_counts_its_tokens(
    sandbox_url: str, version: str
) -> None:
    with client_of(sandbox_url, api_version=version) as gemini:
        answer = ask(gemini, "Hello there, sandbox")
    assert answer.text == (
        "You said: “Hello there, sandbox”. Nobody counts the steps on the way down. "
        "Salt, bread and a map are enough for one day."
    )
    assert finish_of(answer) == "STOP"
    usage = answer.usage_metadata
    assert usage is not None
    assert (usage.prompt_token_count, usage.candidates_token_count) == (14, 39)
    assert (usage.total_token_count, usage.thoughts_token_count) == (53, None)
    assert answer.model_version == MODEL


def test_stream_says_what_the_plain_answer_says_and_counts_as_it_goes(gemini: genai.Client) -> None:
    plain = ask(gemini, "Grüße 🌍")
    chunks = list(gemini.models.generate_content_stream(model=MODEL, contents="Grüße 🌍"))
    assert "".join(chunk.text or "" for chunk in chunks) == plain.text
    assert [finish_of(chunk) for chunk in chunks[-2:]] == [None, "STOP"]
    usages = [chunk.usage_metadata for chunk in chunks]
    counts = [0 if usage is None else usage.candidates_token_count or 0 for usage in usages]
    assert counts == [*range(1, len(chunks)), len(chunks) - 1]
    assert len({chunk.response_id for chunk in chunks}) == 1


# The SDK builds on aiohttp in a way that aiohttp discourages.
@pytest.mark.filterwarnings("ignore:Inheritance class:DeprecationWarning")
async def test_async_client_works_plain_and_streamed(sandbox_url: str) -> None:
    with client_of(sandbox_url) as gemini:
        async with gemini.aio as client:
            plain = await client.models.generate_content(model=MODEL, contents="Async")
            stream = await client.models.generate_content_stream(model=MODEL, contents="Async")
            text = "".join([chunk.text or "" async for chunk in stream])
    assert text == plain.text


def test_a_chat_of_the_sdk_takes_turns(gemini: genai.Client) -> None:
    chat = gemini.chats.create(model=MODEL)
    chat.send_message("First")
    answer = chat.send_message("Second")
    assert answer.text is not None
    assert answer.text.startswith("You said: “Second”.")
    assert [content.role for content in chat.get_history()] == ["user", "model"] * 2


def test_a_function_is_called_with_the_smallest_arguments_and_signed(gemini: genai.Client) -> None:
    answer = ask(gemini, "What will it be like?", tools=tools(WEATHER))
    [part] = parts_of(answer)
    assert part.function_call is not None
    assert (part.function_call.name, part.function_call.args) == (
        "weather",
        {"city": "text", "days": 2},
    )
    assert part.function_call.id
    assert part.thought_signature
    assert finish_of(answer) == "STOP"


def test_parallel_calls_are_signed_once_and_answered_together(gemini: genai.Client) -> None:
    answer = ask(gemini, "both in parallel", tools=tools(WEATHER, TIME))
    parts = parts_of(answer)
    calls = [part.function_call for part in parts if part.function_call]
    assert [call.name for call in calls] == ["weather", "time"]
    assert calls[1].args == {"zone": "textxx"}
    assert len({call.id for call in calls}) == 2
    assert [bool(part.thought_signature) for part in parts] == [True, False]
    history = [said("user", types.Part(text="both in parallel")), said("model", *parts)]
    final = ask(gemini, [*history, answered(answer)], tools=tools(WEATHER, TIME))
    assert final.text == "The tool answered: time is fine"


def test_the_sdk_calls_a_python_function_by_itself(gemini: genai.Client) -> None:
    def double_it(number: int) -> int:
        """Double a number."""
        return number * 2

    answer = gemini.models.generate_content(
        model=MODEL, contents="Go", config=types.GenerateContentConfig(tools=[double_it])
    )
    assert answer.text == "The tool answered: 0"


@pytest.mark.parametrize(
    ("content", "calling", "names"),
    [
        ("Hello", None, ["weather"]),
        ("What time is it?", {"mode": "ANY"}, ["time"]),
        ("Hello", {"mode": "ANY", "allowed_function_names": ["time"]}, ["time"]),
        ("weather", {"mode": "VALIDATED", "allowed_function_names": ["time"]}, ["time"]),
        ("Hello", {"mode": "NONE"}, []),
    ],
)
def test_function_calling_config_is_honoured(
    gemini: genai.Client, content: str, calling: Any, names: list[str]
) -> None:
    config = None if calling is None else {"function_calling_config": calling}
    answer = ask(gemini, content, tools=tools(WEATHER, TIME), tool_config=config)
    assert [call.name for call in answer.function_calls or []] == names


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"thought_signature": None}, "Function call is missing a thought_signature"),
        ({"thought_signature": b"forged"}, "Corrupted thought signature"),
        ({"thought_signature": b"skip_thought_signature_validator"}, None),
        ({"thought_signature": ENGINEERED}, None),
        ({}, None),
    ],
)
def test_a_call_comes_back_with_its_signature_or_a_dummy(
    gemini: genai.Client, changed: dict[str, Any], text: str | None
) -> None:
    answer = ask(gemini, "Hello", tools=tools(WEATHER))
    [part] = parts_of(answer)
    turn = said("model", part.model_copy(update=changed))
    history = [said("user", types.Part(text="Hello")), turn, answered(answer)]
    if text is None:
        assert ask(gemini, history, tools=tools(WEATHER)).text
        return
    with pytest.raises(errors.ClientError, match=text) as refused:
        ask(gemini, history, tools=tools(WEATHER))
    assert (refused.value.code, refused.value.status) == (400, "INVALID_ARGUMENT")


def test_older_turns_and_older_models_need_no_signature(gemini: genai.Client) -> None:
    answer = ask(gemini, "Hello", tools=tools(WEATHER))
    bare = [part.model_copy(update={"thought_signature": None}) for part in parts_of(answer)]
    history = [said("user", types.Part(text="Hello")), said("model", *bare), answered(answer)]
    assert ask(gemini, history, "gemini-2.5-flash", tools=tools(WEATHER)).text
    later = [*history, said("model", types.Part(text="Fine.")), said("user", types.Part(text="So"))]
    assert ask(gemini, later, tools=tools(WEATHER)).function_calls


@pytest.mark.parametrize("changed", [{"id": "another"}, {"name": "time"}])
def test_a_response_that_matches_no_call_is_refused(
    gemini: genai.Client, changed: dict[str, Any]
) -> None:
    answer = ask(gemini, "Hello", tools=tools(WEATHER, TIME))
    turns = [said("user", types.Part(text="Hello")), said("model", *parts_of(answer))]
    with pytest.raises(errors.ClientError, match="must|match"):
        ask(gemini, [*turns, answered(answer, **changed)], tools=tools(WEATHER, TIME))
    with pytest.raises(errors.ClientError, match="immediately after a function call turn"):
        ask(gemini, [answered(answer)], tools=tools(WEATHER, TIME))


def test_images_come_as_bytes_and_by_address(gemini: genai.Client) -> None:
    inline = types.Part.from_bytes(data=PIXEL, mime_type="image/png")
    linked = types.Part.from_uri(file_uri="https://example.com/a.png", mime_type="image/png")
    paper = types.Part.from_bytes(data=b"%PDF-1.7", mime_type="application/pdf")
    answer = ask(gemini, [inline, linked, paper, "What is this?"])
    assert answer.usage_metadata is not None
    details = answer.usage_metadata.prompt_tokens_details or []
    counts = {str(row.modality and row.modality.value): row.token_count for row in details}
    assert counts == {"TEXT": 11, "IMAGE": 2240, "DOCUMENT": 560}


class Guess(BaseModel):
    """What the model shall answer."""

    name: str
    years: int


@pytest.mark.parametrize("field", ["response_schema", "response_json_schema"])
def test_json_follows_either_kind_of_schema(gemini: genai.Client, field: str) -> None:
    schema: Any = Guess if field == "response_schema" else Guess.model_json_schema()
    config = {"response_mime_type": "application/json", field: schema}
    answer = ask(gemini, "Guess", **config)
    assert json.loads(answer.text or "") == {"name": "text", "years": 0}
    free = ask(gemini, "Guess", response_mime_type="application/json")
    assert json.loads(free.text or "") == {"answer": "You asked for JSON."}


def test_thoughts_are_shown_on_request_and_always_counted(gemini: genai.Client) -> None:
    shown = ask(
        gemini, "Why?", thinking_config={"thinking_level": "HIGH", "include_thoughts": True}
    )
    thought, text = parts_of(shown)
    assert (thought.thought, text.thought) == (True, None)
    assert thought.text == (
        "I was asked: You said: “Why?”. Rain fell on the tin roof until the kettle sang. "
        "A grey cat keeps the keys of the old library."
    )
    assert text.thought_signature
    hidden = ask(gemini, "Why?", thinking_config={"thinking_level": "low"})
    for answer, tokens in ((shown, 512), (hidden, 64)):
        assert answer.usage_metadata is not None
        assert answer.usage_metadata.thoughts_token_count == tokens
    assert len(parts_of(hidden)) == 1


def test_limits_cut_the_answer(gemini: genai.Client) -> None:
    short = ask(gemini, "Hello", max_output_tokens=5)
    assert (short.text, finish_of(short)) == ("You said: “Hell", "MAX_TOKENS")
    assert ask(gemini, "Hello", stop_sequences=["lo”"]).text == "You said: “Hel"
    thinking = {"thinking_level": "LOW"}
    spent = ask(gemini, "Hello", max_output_tokens=64, thinking_config=thinking)
    assert (spent.text, finish_of(spent)) == (None, "MAX_TOKENS")


def test_candidates_differ_where_a_model_makes_several(gemini: genai.Client) -> None:
    answer = ask(gemini, "Hello", "gemini-2.5-flash", candidate_count=2)
    assert len({str(candidate.content) for candidate in answer.candidates or []}) == 2
    with pytest.raises(errors.ClientError, match="Multiple candidates is not enabled"):
        ask(gemini, "Hello", candidate_count=2)


def test_a_blocked_prompt_has_no_candidates(gemini: genai.Client) -> None:
    for answer in (
        ask(gemini, "[[sandbox refusal]]"),
        *gemini.models.generate_content_stream(model=MODEL, contents="[[sandbox refusal]]"),
    ):
        assert answer.candidates is None
        assert answer.prompt_feedback is not None
        assert answer.prompt_feedback.block_reason == types.BlockedReason.PROHIBITED_CONTENT
        assert answer.usage_metadata is not None
        assert answer.usage_metadata.candidates_token_count is None


@pytest.mark.parametrize("reason", ["SAFETY", "RECITATION", "MALFORMED_FUNCTION_CALL"])
def test_an_answer_ends_for_the_reason_that_was_asked_for(
    gemini: genai.Client, reason: str
) -> None:
    answer = ask(gemini, f"[[sandbox content_filter code={reason}]]")
    assert finish_of(answer) == reason
    assert answer.candidates
    assert bool(answer.candidates[0].safety_ratings) == (reason == "SAFETY")


def test_tokens_are_counted_and_long_prompts_cached(gemini: genai.Client) -> None:
    assert gemini.models.count_tokens(model=MODEL, contents="Hello").total_tokens == 9
    usage = ask(gemini, "word " * 4200).usage_metadata
    assert usage is not None
    assert (usage.prompt_token_count, usage.cached_content_token_count) == (4208, 4096)


def test_models_are_listed_and_shown(gemini: genai.Client) -> None:
    names = [model.name for model in gemini.models.list()]
    assert f"models/{MODEL}" in names
    assert gemini.models.get(model=MODEL).output_token_limit == 65536


def test_embeddings_are_unit_vectors_that_follow_from_the_text(gemini: genai.Client) -> None:
    answer = gemini.models.embed_content(
        model="gemini-embedding-001",
        contents=list[types.ContentUnion](("one", "two", "one")),
        config=types.EmbedContentConfig(output_dimensionality=8),
    )
    vectors = [embedding.values or [] for embedding in answer.embeddings or []]
    assert [len(vector) for vector in vectors] == [8, 8, 8]
    assert vectors[0] == vectors[2] != vectors[1]
    assert math.isclose(math.hypot(*vectors[0]), 1)
    whole = gemini.models.embed_content(model="gemini-embedding-001", contents="one")
    assert len((whole.embeddings or [])[0].values or []) == 3072


@pytest.mark.parametrize(
    ("key", "code", "status"),
    [
        ("k-invalid", 400, "INVALID_ARGUMENT"),
        ("k-ratelimited", 429, "RESOURCE_EXHAUSTED"),
        ("k-quota", 429, "RESOURCE_EXHAUSTED"),
    ],
)
def test_bad_keys_have_their_own_errors(sandbox_url: str, key: str, code: int, status: str) -> None:
    with client_of(sandbox_url, key) as gemini, pytest.raises(errors.ClientError) as refused:
        ask(gemini, "Hello")
    assert (refused.value.code, refused.value.status) == (code, status)


@pytest.mark.parametrize(
    ("status", "error"), [(404, errors.ClientError), (500, errors.ServerError)]
)
def test_errors_have_the_sdks_classes(
    gemini: genai.Client, status: int, error: type[errors.APIError]
) -> None:
    for call in (
        lambda: ask(gemini, f"[[sandbox status={status}]]"),
        lambda: list(
            gemini.models.generate_content_stream(
                model=MODEL, contents=f"[[sandbox status={status}]]"
            )
        ),
    ):
        with pytest.raises(error) as failed:
            call()
        assert failed.value.code == status


def test_an_error_inside_a_stream_is_raised_after_its_first_chunks(gemini: genai.Client) -> None:
    seen = []
    with pytest.raises(errors.ServerError) as failed:
        for chunk in gemini.models.generate_content_stream(
            model=MODEL, contents="[[sandbox chunks=9 error_event=3]]"
        ):
            seen.append(chunk.text)
    assert (failed.value.status, seen) == ("UNAVAILABLE", [" the", " sea", " is"])

"""What the double answers is what Google's own document allows, and it refuses what Google does.

The document is not part of this repository: it is looked for beside the checkout. The SDK is newer
than the document; what only the SDK knows is not sent.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from sandbox.gemini_fields import MESSAGES
from tests.sandbox.caller import Answer, Caller
from tests.sandbox.openapi import violations

SPEC = Path(__file__).resolve().parents[3] / "shared/wire/specs/gemini.openapi.json"
MODEL = "gemini-3.8-flash"
SPOKEN = {"MediaResolution": "V1mainMediaResolution"}
"""Messages that the document calls otherwise."""
LEFT_OUT = {"FunctionResponsePart", "Blob"}
"""The same form under two names; nothing to compare."""
USER = {"role": "user", "parts": [{"text": "Hi"}]}
CALL = {"functionCall": {"name": "time", "args": {}}}
RESPONSE = {"functionResponse": {"name": "time", "response": {"output": 1}}}
DUMMY = {**CALL, "thoughtSignature": "skip_thought_signature_validator"}
TOOL = {"functionDeclarations": [{"name": "time"}, {"name": "weather"}]}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
REQUESTS: list[dict[str, Any]] = [
    {},
    {"tools": [TOOL]},
    {"generationConfig": {"thinkingConfig": {"includeThoughts": True, "thinkingLevel": "LOW"}}},
    {"generationConfig": {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA}},
    {"generationConfig": {"maxOutputTokens": 2}, "systemInstruction": {"parts": [{"text": "Be"}]}},
]
CONTENTS = ["Hello", "in parallel", "[[sandbox refusal]]", "[[sandbox content_filter]]"]


@pytest.fixture(scope="session")
def spec() -> Any:  # noqa: ANN401 - a JSON document
    """Load Google's document, or say plainly that these claims go unchecked."""
    if not SPEC.exists():
        pytest.skip(f"NOT CHECKED AGAINST GOOGLE'S SPEC: there is no {SPEC}")
    return json.loads(SPEC.read_bytes())


def send(
    caller: Caller, method: str, body: object, *, model: str = MODEL, query: str = ""
) -> Answer:
    """Ask a model for something, the key in its header."""
    path = f"/gemini/v1beta/models/{model}:{method}{query}"
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    return caller.send("POST", path, body=sent, headers={"x-goog-api-key": "k-1234"})


def generate(
    caller: Caller, text: str = "Hello", *, model: str = MODEL, stream: bool = False, **fields: Any
) -> Answer:
    """Ask for an answer to one text."""
    contents = [{"role": "user", "parts": [{"text": text}]}]
    method, query = ("streamGenerateContent", "?alt=sse") if stream else ("generateContent", "")
    return send(caller, method, {"contents": contents, **fields}, model=model, query=query)


def get(caller: Caller, path: str) -> Answer:
    """Read something, the key in its header."""
    return caller.send("GET", f"/gemini/v1beta/{path}", headers={"x-goog-api-key": "k-1234"})


@pytest.mark.parametrize("fields", REQUESTS)
@pytest.mark.parametrize("text", CONTENTS)
def test_answers_are_documented(
    spec: dict[str, Any], caller: Caller, text: str, fields: dict[str, Any]
) -> None:
    answer = generate(caller, text, **fields)
    assert answer.status == 200
    assert violations(spec, "GenerateContentResponse", answer.json()) == []


@pytest.mark.parametrize("fields", REQUESTS)
@pytest.mark.parametrize("text", CONTENTS)
def test_chunks_are_documented(
    spec: dict[str, Any], caller: Caller, text: str, fields: dict[str, Any]
) -> None:
    chunks = generate(caller, text, stream=True, **fields).events()
    assert chunks
    for chunk in chunks:
        assert violations(spec, "GenerateContentResponse", chunk) == []


def test_counts_models_and_vectors_are_documented(spec: dict[str, Any], caller: Caller) -> None:
    count = send(caller, "countTokens", {"contents": [USER]})
    assert violations(spec, "CountTokensResponse", count.json()) == []
    assert violations(spec, "ListModelsResponse", get(caller, "models").json()) == []
    assert violations(spec, "Model", get(caller, f"models/{MODEL}").json()) == []
    model = "gemini-embedding-001"
    one = {"content": USER, "outputDimensionality": 3}
    answer = send(caller, "embedContent", one, model=model)
    assert violations(spec, "EmbedContentResponse", answer.json()) == []
    batch = {"requests": [{**one, "model": f"models/{model}"}]}
    answers = send(caller, "batchEmbedContents", batch, model=model)
    assert violations(spec, "BatchEmbedContentsResponse", answers.json()) == []
    assert answers.json()["embeddings"] == [answer.json()["embedding"]]


@pytest.mark.parametrize("name", sorted(set(MESSAGES) - LEFT_OUT))
def test_every_documented_field_is_known_and_no_other(spec: dict[str, Any], name: str) -> None:
    documented = spec["components"]["schemas"][SPOKEN.get(name, name)]["properties"]
    assert set(MESSAGES[name]) == set(documented)
    for field, kind in MESSAGES[name].items():
        if isinstance(kind, tuple):
            assert list(kind) == documented[field]["enum"]


def test_errors_are_documented(spec: dict[str, Any], caller: Caller) -> None:
    for text in ("[[sandbox status=500]]", "[[sandbox status=429 retry_after=2]]"):
        error = generate(caller, text).json()["error"]
        status = error.pop("status")
        assert status in ("INTERNAL", "RESOURCE_EXHAUSTED")
        assert violations(spec, "Status", error) == []


def test_without_alt_sse_a_stream_is_a_list(spec: dict[str, Any], caller: Caller) -> None:
    body = {"contents": [{"parts": [{"text": "[[sandbox chunks=3]]"}]}]}
    answer = send(caller, "streamGenerateContent", body)
    assert answer.headers["content-type"] == "application/json; charset=UTF-8"
    assert len(answer.json()) == 4
    for chunk in answer.json():
        assert violations(spec, "GenerateContentResponse", chunk) == []
    [refused] = send(caller, "streamGenerateContent", {}).json()
    assert refused["error"]["status"] == "INVALID_ARGUMENT"


def test_a_key_may_stand_in_the_query(caller: Caller) -> None:
    assert caller.send("GET", "/gemini/v1beta/models?key=k-1234", headers={}).status == 200
    missing = caller.send("GET", "/gemini/v1beta/models", headers={})
    assert (missing.status, missing.json()["error"]["status"]) == (403, "PERMISSION_DENIED")


@pytest.mark.parametrize(
    ("key", "reason", "quota"),
    [
        ("invalid", "API_KEY_INVALID", ""),
        ("ratelimited", "", "GenerateRequestsPerMinutePerProjectPerModel"),
        ("quota", "", "GenerateRequestsPerDayPerProjectPerModel"),
    ],
)
def test_a_bad_key_is_told_in_details(caller: Caller, key: str, reason: str, quota: str) -> None:
    answer = caller.send("GET", "/gemini/v1/models", headers={"x-goog-api-key": key})
    details = {
        detail["@type"].rpartition(".")[2]: detail for detail in answer.json()["error"]["details"]
    }
    assert details.get("ErrorInfo", {}).get("reason", "") == reason
    violated = details.get("QuotaFailure", {}).get("violations", [{"quotaId": ""}])
    assert [row["quotaId"] for row in violated] == [quota]
    assert ("RetryInfo" in details) == bool(quota)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"colour": "red"}, ""),
        ({"generationConfig": {"colour": 1}}, "generation_config"),
        ({"generation_config": {"top_p": "x"}}, "generation_config.top_p"),
        ({"generationConfig": {"seed": 2**40}}, "generation_config.seed"),
        ({"contents": [{"parts": [{"txt": "Hi"}]}]}, "contents[0].parts[0]"),
        (
            {"tools": [{"functionDeclarations": [{"name": "a", "parameters": {"$ref": "x"}}]}]},
            "tools[0].function_declarations[0].parameters",
        ),
        ({"toolConfig": {"functionCallingConfig": {"mode": "MAYBE"}}}, None),
        ({"contents": [{"parts": [{"inlineData": {"data": "#"}}]}]}, None),
    ],
)
def test_unknown_fields_are_named_by_their_place(
    caller: Caller, fields: dict[str, Any], field: str | None
) -> None:
    answer = generate(caller, **fields)
    [violation] = answer.json()["error"]["details"][0]["fieldViolations"]
    assert answer.status == 400
    if field is not None:
        assert violation.get("field", "") == field


@pytest.mark.parametrize(
    "turns",
    [
        [],
        [{"role": "king", "parts": [{"text": "Hi"}]}],
        [{"role": "function", "parts": [RESPONSE]}],
        [{"role": "user", "parts": []}],
        [{"role": "user", "parts": [{}]}],
        [{"role": "user", "parts": [{"text": "Hi", "inlineData": {"mimeType": "image/png"}}]}],
        [{"role": "user", "parts": [{"inlineData": {"mimeType": "a/b", "data": "AA=="}}]}],
        [{"role": "user", "parts": [{"inlineData": {"mimeType": "image/png", "data": ""}}]}],
        [{"role": "user", "parts": [{"fileData": {"fileUri": "http://example.com/a.png"}}]}],
        [{"role": "user", "parts": [CALL]}],
        [{"role": "model", "parts": [RESPONSE]}],
        [USER, {"role": "model", "parts": [{"text": "Hello"}]}],
        [{"role": "model", "parts": [DUMMY]}, {"role": "user", "parts": [RESPONSE]}],
        [USER, {"role": "user", "parts": [RESPONSE]}],
        [USER, {"role": "model", "parts": [DUMMY]}, USER],
        [USER, {"role": "model", "parts": [DUMMY, CALL]}, {"role": "user", "parts": [RESPONSE]}],
        [USER, {"role": "model", "parts": [CALL]}, {"role": "user", "parts": [RESPONSE]}],
    ],
)
def test_turns_that_make_no_conversation_are_refused(caller: Caller, turns: Any) -> None:
    answer = generate(caller, contents=turns)
    assert (answer.status, answer.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")


def test_the_same_request_gives_the_same_bytes(caller: Caller) -> None:
    assert generate(caller, "Twice").body == generate(caller, "Twice").body
    assert generate(caller, "Twice").body != generate(caller, "Thrice").body


def test_files_of_others_are_out_of_reach(caller: Caller) -> None:
    uri = "https://generativelanguage.googleapis.com/v1beta/files/abc"
    turn = {"role": "user", "parts": [{"fileData": {"fileUri": uri}}]}
    answer = generate(caller, contents=[turn])
    assert (answer.status, answer.json()["error"]["status"]) == (403, "PERMISSION_DENIED")


@pytest.mark.parametrize(
    ("model", "config"),
    [
        (MODEL, {"temperature": 2.1}),
        (MODEL, {"topP": 1.5}),
        (MODEL, {"topK": 0}),
        (MODEL, {"maxOutputTokens": 0}),
        (MODEL, {"maxOutputTokens": 65537}),
        (MODEL, {"candidateCount": 2}),
        (MODEL, {"presencePenalty": 0.5}),
        (MODEL, {"stopSequences": ["a", "b", "c", "d", "e", "f"]}),
        (MODEL, {"stopSequences": [""]}),
        (MODEL, {"responseLogprobs": True}),
        (MODEL, {"responseModalities": ["IMAGE"]}),
        (MODEL, {"responseMimeType": "image/png"}),
        (MODEL, {"responseJsonSchema": SCHEMA}),
        (MODEL, {"responseSchema": {}, "responseJsonSchema": SCHEMA}),
        (MODEL, {"thinkingConfig": {"thinkingLevel": "MINIMAL"}}),
        (MODEL, {"thinkingConfig": {"thinkingBudget": 0}}),
        (MODEL, {"thinkingConfig": {"thinkingBudget": 9, "thinkingLevel": "LOW"}}),
        ("gemini-2.5-pro", {"thinkingConfig": {"thinkingBudget": 0}}),
        ("gemini-2.5-pro", {"thinkingConfig": {"thinkingBudget": 99999}}),
        ("gemini-2.5-pro", {"thinkingConfig": {"thinkingLevel": "LOW"}}),
    ],
)
def test_what_a_model_cannot_do_is_refused(caller: Caller, model: str, config: Any) -> None:
    answer = generate(caller, model=model, generationConfig=config)
    assert (answer.status, answer.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [{"googleSearch": {}}]},
        {"tools": [{"functionDeclarations": [{"name": "two words"}]}]},
        {"tools": [{"functionDeclarations": [{"name": "a"}, {"name": "a"}]}]},
        {"tools": [{"functionDeclarations": [{"name": "a", "parameters": {"type": "STRING"}}]}]},
        {"toolConfig": {"functionCallingConfig": {"mode": "ANY"}}},
        {
            "tools": [TOOL],
            "toolConfig": {"functionCallingConfig": {"allowedFunctionNames": ["time"]}},
        },
        {
            "tools": [TOOL],
            "toolConfig": {
                "functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["no"]}
            },
        },
        {"systemInstruction": {"parts": []}},
    ],
)
def test_tools_that_fit_nothing_are_refused(caller: Caller, fields: dict[str, Any]) -> None:
    assert generate(caller, **fields).status == 400


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000, b'{"a":NaN}'])
def test_a_body_that_is_no_request_is_a_400(caller: Caller, body: bytes) -> None:
    assert send(caller, "generateContent", body).status == 400


@pytest.mark.parametrize("hostile", [7, True, [7], {"a": 7}, "", [[]], [{}], {"type": []}])
def test_no_wrong_type_makes_the_double_fall_over(caller: Caller, hostile: object) -> None:
    for name in ("contents", "tools", "toolConfig", "generationConfig", "systemInstruction"):
        fields: dict[str, Any] = {name: hostile}
        assert generate(caller, **fields).status in (200, 400)
    schema = {"responseMimeType": "application/json", "responseJsonSchema": hostile}
    assert generate(caller, generationConfig=schema).status in (200, 400)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", f"models/{MODEL}:generateContent", 405),
        ("POST", f"models/{MODEL}", 405),
        ("POST", f"models/{MODEL}:sing", 404),
        ("POST", "models/gpt-4o:generateContent", 404),
        ("POST", "models/gemini-embedding-001:generateContent", 404),
        ("POST", f"models/{MODEL}:embedContent", 404),
        ("GET", "models/gpt-4o", 404),
        ("GET", "files", 404),
    ],
)
def test_wrong_method_or_path_is_refused(
    caller: Caller, method: str, path: str, status: int
) -> None:
    key = {"x-goog-api-key": "k-1234"}
    answer = caller.send(method, f"/gemini/v1beta/{path}", body=b"{}", headers=key)
    assert (answer.status, answer.json()["error"]["code"]) == (status, status)


def test_faults_speak_googles_form(caller: Caller) -> None:
    def told(directive: str) -> list[Any]:
        return generate(caller, f"[[sandbox chunks=5 {directive}]]", stream=True).events()

    assert told("error_event=2")[2]["error"]["status"] == "UNAVAILABLE"
    assert [set(chunk["usageMetadata"].values()) for chunk in told("usage=-5")] == [{-5}] * 6
    assert not any("usageMetadata" in chunk for chunk in told("missing_usage"))
    assert all("finishReason" not in chunk["candidates"][0] for chunk in told("no_done"))
    assert told("cached=7")[-1]["usageMetadata"]["cachedContentTokenCount"] == 7
    assert generate(caller, "[[sandbox reject=tools]]", tools=[TOOL]).status == 400
    broken = generate(caller, "[[sandbox chunks=5 invalid_utf8=2]]", stream=True)
    assert b'"text":"\xff\xfe' in broken.body.split(b"\n\n")[2]


def test_checker_finds_what_is_wrong(spec: dict[str, Any]) -> None:
    wrong = {"candidates": [{"index": "0", "more": 1}], "modelVersion": 7}
    assert violations(spec, "GenerateContentResponse", wrong) == [
        "$.candidates[0].index: '0' is no integer",
        "$.candidates[0]: more is not documented",
        "$.modelVersion: 7 is no string",
    ]


@pytest.mark.parametrize("text", ["A lamp", "[[sandbox refusal]]", "[[sandbox content_filter]]"])
@pytest.mark.parametrize("stream", [False, True])
def test_pictures_are_documented(
    spec: dict[str, Any], caller: Caller, text: str, *, stream: bool
) -> None:
    config = {"responseModalities": ["IMAGE"], "imageConfig": {"aspectRatio": "16:9"}}
    model = "gemini-3.1-flash-image"
    answer = generate(caller, text, model=model, stream=stream, generationConfig=config)
    assert answer.status == 200
    for one in answer.events() if stream else [answer.json()]:
        assert violations(spec, "GenerateContentResponse", one) == []

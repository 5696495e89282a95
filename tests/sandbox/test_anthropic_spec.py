"""What the double answers is what Anthropic's own document allows, and its SDK's types.

The document is not part of this repository: it is looked for beside the checkout. It is older than
the SDK; `NEWER` are the fields that only the SDK knows.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from anthropic.types import (
    ErrorResponse,
    Message,
    ModelInfo,
    RawMessageStreamEvent,
    message_create_params,
)
from pydantic import TypeAdapter

from sandbox.anthropic_checks import CHECKS
from tests.sandbox.caller import Answer, Caller
from tests.sandbox.openapi import violations

SPEC = Path(__file__).resolve().parents[3] / "shared/wire/specs/anthropic.openapi.trim.json"
NEWER = {
    *("output_tokens_details", "line", "lifecycle", "deprecated_at", "retires_at"),
    *("server_tools", "between_tools", "disabled"),
}
TOOL = {"name": "time", "input_schema": {"type": "object"}}
SCHEMA = {"type": "object", "properties": {}, "additionalProperties": False}
REQUESTS: list[dict[str, Any]] = [
    {},
    {"tools": [TOOL]},
    {"thinking": {"type": "adaptive", "display": "summarized"}, "tools": [TOOL]},
    {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}, "effort": "low"}},
    {"max_tokens": 1},
    {"stop_sequences": ["said"]},
]
CONTENTS = ["Hello", "aloud and in parallel", "[[sandbox refusal]]", "[[sandbox content_filter]]"]


@pytest.fixture(scope="session")
def spec() -> Any:  # noqa: ANN401 - a JSON document
    """Load Anthropic's document, or say plainly that these claims go unchecked."""
    if not SPEC.exists():
        pytest.skip(f"NOT CHECKED AGAINST ANTHROPIC'S SPEC: there is no {SPEC}")
    return with_enums(json.loads(SPEC.read_bytes()))


def with_enums(schema: Any) -> Any:  # noqa: ANN401 - a JSON document
    """Write `const` as an `enum` of one, which is what our checker knows."""
    if isinstance(schema, list):
        return [with_enums(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    written = {name: with_enums(part) for name, part in schema.items() if name != "const"}
    return written if "const" not in schema else {**written, "enum": [schema["const"]]}


def without_newer(value: Any) -> Any:  # noqa: ANN401 - a JSON document
    """Leave out what the document is too old to know."""
    if isinstance(value, list):
        return [without_newer(part) for part in value]
    if not isinstance(value, dict):
        return value
    return {name: without_newer(part) for name, part in value.items() if name not in NEWER}


def send(caller: Caller, content: str, **fields: Any) -> Answer:
    """Send one message."""
    messages = [{"role": "user", "content": content}]
    body = {"model": "claude-sonnet-5-5", "max_tokens": 999, "messages": messages, **fields}
    headers = {"x-api-key": "sk-ant-1", "anthropic-version": "2026-10-21"}
    encoded = json.dumps(body).encode()
    return caller.send("POST", "/anthropic/v1/messages", body=encoded, headers=headers)


@pytest.mark.parametrize("fields", REQUESTS)
@pytest.mark.parametrize("content", CONTENTS)
def test_plain_answers_are_documented(
    spec: dict[str, Any], caller: Caller, content: str, fields: dict[str, Any]
) -> None:
    answer = send(caller, content, **fields)
    assert answer.status == 200
    assert violations(spec, "Message", without_newer(answer.json())) == []
    Message.model_validate(answer.json(), strict=True)


@pytest.mark.parametrize("fields", REQUESTS)
@pytest.mark.parametrize("content", CONTENTS)
def test_events_are_the_sdks_and_begin_with_a_documented_message(
    spec: dict[str, Any], caller: Caller, content: str, fields: dict[str, Any]
) -> None:
    event_type: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
    first, *others = send(caller, content, stream=True, **fields).events()
    assert violations(spec, "Message", without_newer(first["message"])) == []
    for event in [first, *others]:
        if event["type"] == "content_block_start":
            block = event["content_block"]
            assert violations(spec, "ContentBlock", without_newer(block)) == []
        if event["type"] != "ping":
            event_type.validate_python(event, strict=True)


def test_models_errors_and_counts_are_documented(spec: dict[str, Any], caller: Caller) -> None:
    headers = {"authorization": "Bearer sk-1", "anthropic-version": "2026-10-21"}
    models = caller.send("GET", "/anthropic/v1/models", headers=headers).json()
    assert violations(spec, "ListResponse_ModelInfo_", without_newer(models)) == []
    model = caller.send("GET", "/anthropic/v1/models/claude-opus-5-5", headers=headers).json()
    assert violations(spec, "ModelInfo", without_newer(model)) == []
    ModelInfo.model_validate_json(json.dumps(model), strict=True)
    for status in (400, 401, 402, 403, 404, 429, 500, 504, 529):
        error = send(caller, f"[[sandbox status={status}]]").json()
        assert violations(spec, "ErrorResponse", error) == []
        ErrorResponse.model_validate(error, strict=True)
    body = json.dumps({"model": "claude-opus-5-5", "messages": [{"role": "user", "content": "Hi"}]})
    path = "/anthropic/v1/messages/count_tokens"
    counted = caller.send("POST", path, body=body.encode(), headers=headers).json()
    assert violations(spec, "CountMessageTokensResponse", counted) == []


def test_every_documented_field_is_known(spec: dict[str, Any]) -> None:
    assert set(spec["components"]["schemas"]["CreateMessageParams"]["properties"]) <= set(CHECKS)


def test_every_field_of_the_sdk_is_known() -> None:
    sent_as_headers = {"user_profile_id", "workspace_id"}
    known = set(message_create_params.MessageCreateParamsBase.__annotations__)
    assert known - sent_as_headers <= set(CHECKS)


def test_checker_finds_what_is_wrong(spec: dict[str, Any]) -> None:
    wrong = {"type": "fault", "error": {"type": "api_error"}, "request_id": 7, "more": 1}
    found = violations(spec, "ErrorResponse", wrong)
    places = {line.split(": ")[0] for line in found}
    assert places == {"$", "$.type", "$.error", "$.request_id"}

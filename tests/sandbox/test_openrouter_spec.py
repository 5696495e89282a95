"""What the double answers is what OpenRouter's own document allows.

The document is not part of this repository: it is looked for beside the checkout. It has no schema
for the chunks of a stream; the SDK's is in test_openrouter_sdk.py.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.caller import Caller
from tests.sandbox.openapi import violations

SPEC = Path(__file__).resolve().parents[3] / "shared/wire/specs/openrouter.openapi.trim.json"
CHAT = "/openrouter/api/v1/chat/completions"
MODEL = "anthropic/claude-sonnet-5.5"
TOOL = {"type": "function", "function": {"name": "time", "parameters": {"type": "object"}}}
SHAPE = {"type": "json_schema", "json_schema": {"name": "guess", "schema": {"type": "object"}}}
KNOWN = (
    *("provider", "native_finish_reason", "index", "role", "workspace_id", "organization_id"),
    *("allowed_data_regions", "budgets", "effective_budget", "free_model_daily_requests"),
)
"""Fields that the live API or the newest SDK has and the document lacks, or lost on its way."""
NULLS = ("logprobs", "instruct_type", "per_request_limits")
"""Fields that the SDK knows to be nullable; the document forgot it where it has a reference."""
REQUESTS: list[dict[str, Any]] = [
    {},
    {"logprobs": True, "top_logprobs": 3, "service_tier": "flex"},
    {"tools": [TOOL]},
    {"response_format": SHAPE},
    {"max_completion_tokens": 1, "reasoning": {"effort": "low"}},
    {"reasoning_effort": "low", "model": "openai/gpt-6-luna"},
    {"metadata": {"case": "7"}},
]
STATUSES = {
    400: "BadRequestResponse",
    401: "UnauthorizedResponse",
    402: "PaymentRequiredResponse",
    403: "ForbiddenResponse",
    404: "NotFoundResponse",
    408: "RequestTimeoutResponse",
    413: "PayloadTooLargeResponse",
    422: "UnprocessableEntityResponse",
    429: "TooManyRequestsResponse",
    500: "InternalServerResponse",
    502: "BadGatewayResponse",
    503: "ServiceUnavailableResponse",
}


@pytest.fixture(scope="session")
def spec() -> Any:  # noqa: ANN401 - a JSON document
    """Load OpenRouter's document, or say plainly that these claims go unchecked."""
    if not SPEC.exists():
        pytest.skip(f"NOT CHECKED AGAINST OPENROUTER'S SPEC: there is no {SPEC}")
    return with_nullable(json.loads(SPEC.read_bytes()))


def with_nullable(node: Any) -> Any:  # noqa: ANN401 - a JSON document
    """Write OpenAPI 3.1's `type: [X, "null"]` as 3.0 does, which the checker reads."""
    if isinstance(node, list):
        return [with_nullable(item) for item in node]
    if not isinstance(node, dict):
        return node
    read = {name: with_nullable(item) for name, item in node.items()}
    kinds = read.get("type")
    if isinstance(kinds, list) and "null" in kinds:
        read["type"] = next(kind for kind in kinds if kind != "null")
        read["nullable"] = True
    return read


def undocumented(spec: dict[str, Any], name: str, value: object) -> list[str]:
    """List what a value has against a schema, beyond what is known of the document."""
    known = tuple(f": {field} is not documented" for field in KNOWN)
    nulls = tuple(
        f".{field}: None is no {kind}" for field in NULLS for kind in ("object", "string")
    )
    return [found for found in violations(spec, name, value) if not found.endswith(known + nulls)]


def chat(caller: Caller, content: str, **fields: Any) -> Any:  # noqa: ANN401 - a JSON border
    """Ask and give the answer's JSON."""
    body = {"model": MODEL, "messages": [{"role": "user", "content": content}], **fields}
    answer = caller.send("POST", CHAT, body=json.dumps(body).encode())
    return answer.json()


@pytest.mark.parametrize("fields", REQUESTS)
@pytest.mark.parametrize("content", ["Hello", "[[sandbox refusal]]", "[[sandbox content_filter]]"])
def test_plain_answers_are_documented(
    spec: dict[str, Any], caller: Caller, content: str, fields: dict[str, Any]
) -> None:
    assert undocumented(spec, "ChatResult", chat(caller, content, **fields)) == []


@pytest.mark.parametrize(("status", "name"), STATUSES.items())
def test_errors_are_documented(
    spec: dict[str, Any], caller: Caller, status: int, name: str
) -> None:
    assert undocumented(spec, name, chat(caller, f"[[sandbox status={status}]]")) == []


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("models", "ModelsListResponse"),
        ("key", "ApiKeys_getCurrentKey_Response_200"),
        ("credits", "Credits_getCredits_Response_200"),
    ],
)
def test_the_account_and_the_models_are_documented(
    spec: dict[str, Any], caller: Caller, path: str, name: str
) -> None:
    headers = {"authorization": "Bearer sk-or-v1-management"}
    answer = caller.send("GET", f"/openrouter/api/v1/{path}", headers=headers)
    assert answer.status == 200
    assert undocumented(spec, name, answer.json()) == []


def test_a_generation_is_documented(spec: dict[str, Any], caller: Caller) -> None:
    answer = chat(caller, "Generate")
    found = caller.send("GET", f"/openrouter/api/v1/generation?id={answer['id']}")
    assert undocumented(spec, "GenerationResponse", found.json()) == []


def test_every_documented_field_is_known(spec: dict[str, Any], caller: Caller) -> None:
    documented = set(spec["components"]["schemas"]["ChatRequest"]["properties"])
    empty: dict[str, Any] = {name: None for name in documented - {"model", "messages"}}
    assert chat(caller, "Hello", **empty)["choices"][0]["finish_reason"] == "stop"


def test_checker_finds_what_is_wrong(spec: dict[str, Any]) -> None:
    wrong = {"error": {"code": "x", "message": None, "more": 1}, "user_id": None}
    assert undocumented(spec, "BadRequestResponse", wrong) == [
        "$.error.code: 'x' is no integer",
        "$.error.message: None is no string",
        "$.error: more is not documented",
    ]

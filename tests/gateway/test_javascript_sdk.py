"""The official JavaScript SDKs find at the gateway what they would find at home.

Only `baseURL` and `apiKey` are ours. Each script in `tests/javascript/` runs one case in Node and
prints what came of it.
"""

import json
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import pytest

from studio.accounts.models import Tier
from tests.gateway.conftest import Payer
from tests.gateway.test_openai_sdk import assert_charged_once
from tests.gateway.test_streams import settled
from tests.javascript.node import Node, NoRegistry, install
from tests.sandbox.caller import Caller as Sandbox

MODEL, CLAUDE, EMBEDDING = "gpt-5.6-sol", "claude-sonnet-5-5", "text-embedding-3-small"
SMALLEST = '{"city":"text"}'
GUESS = {"answer": 0, "why": "text"}
MakePayer = Callable[..., Payer]


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Node:
    """Node with the packages; says loudly where there is no way to get them."""
    try:
        return install(tmp_path_factory.mktemp("javascript"))
    except NoRegistry as reason:
        text = "NOT CHECKED WITH THE JAVASCRIPT SDKS: npm's registry cannot be reached"
        capture = pytestconfig.pluginmanager.getplugin("capturemanager")
        assert capture is not None
        with capture.global_and_fixture_disabled():
            print(f"\n{text}\n{reason}", file=sys.stderr)  # noqa: T201  not to be overlooked
        pytest.skip(text)


@pytest.fixture
def run(node: Node, payer: Payer) -> Callable[..., Any]:
    """Run a case as the payer."""
    return lambda script, case, **given: run_as(node, payer, script, case, **given)


def run_as(node: Node, payer: Payer, script: str, case: str, **given: Any) -> Any:
    """Run a case as somebody who pays."""
    given = {"base_url": f"{payer.url}/v1", "key": payer.key, "model": MODEL, **given}
    return node.run(script, case, **given)


def chat_of(content: str = "Hi", **fields: Any) -> dict[str, Any]:
    """Give the body of a chat."""
    return {"model": MODEL, "messages": [{"role": "user", "content": content}], **fields}


def charged(payer: Payer) -> float:
    """Give what the payer's only call cost, in credits."""
    charge_ucr: int = settled(payer)["charge_ucr"]
    return charge_ucr / 1_000_000


def test_a_chat_is_answered(run: Callable[..., Any], payer: Payer) -> None:
    found = run("openai_chat.mjs", "plain")
    usage = settled(payer)
    assert found.pop("text").startswith("You said: “Hello there, gateway”.")
    assert found == {
        "model": MODEL,
        "reason": "stop",
        "usage": [usage["input_tokens"], usage["output_tokens"]],
    }


def test_a_chat_is_streamed(run: Callable[..., Any], payer: Payer) -> None:
    found = run("openai_chat.mjs", "stream", content="[[sandbox chunks=5]]")
    assert found == {
        "text": " the sea is wide and",
        "chunks": 5 + 3,
        "tokens": 5,
        "charged": charged(payer),
    }
    plain = run("openai_chat.mjs", "plain")["text"]
    assert run("openai_chat.mjs", "helper") == {"text": plain, "last": plain}


def test_a_stream_that_is_left_stops_the_provider(
    run: Callable[..., Any], payer: Payer, sandbox_url: str
) -> None:
    mark = f"mark-{uuid4()}"
    content = f"{mark} [[sandbox chunks=200 chunk_delay_ms=50]]"
    assert run("openai_chat.mjs", "left", content=content) == {"aborted": True}
    [seen] = Sandbox(url=sandbox_url).journal(contains=mark)
    assert seen["state"] == "client_left"
    assert settled(payer)["reason"] == "client_left"


def test_tools_are_called(run: Callable[..., Any]) -> None:
    answered = "The tool answered: 12 degrees"
    assert run("openai_chat.mjs", "tools", content="in parallel") == {
        "reason": "tool_calls",
        "calls": [["weather", SMALLEST], ["weather", SMALLEST]],
        "text": answered,
    }
    assert run("openai_chat.mjs", "runTools") == {
        "asked": ["text", "text"],
        "plain": answered,
        "streamed": answered,
        "all": 2,
    }


def test_structured_answers_are_parsed(run: Callable[..., Any]) -> None:
    assert run("openai_chat.mjs", "structured") == GUESS
    assert run("openai_responses.mjs", "structured") == GUESS


def test_our_headers_are_shown(run: Callable[..., Any], payer: Payer) -> None:
    found = run("openai_chat.mjs", "raw")
    headers = found["headers"]
    assert (found["status"], found["request_id"]) == (200, headers["x-request-id"])
    assert settled(payer)["request_id"] == UUID(found["request_id"])
    assert float(headers["x-credits-charged"]) == charged(payer)
    assert float(headers["x-credits-remaining"]) == payer.balance()[0] / 1_000_000
    assert (headers["x-ratelimit-limit"], headers["content-type"]) == ("600", "application/json")


def test_models_are_listed_and_retrieved(run: Callable[..., Any]) -> None:
    found = run("openai_chat.mjs", "models")
    assert {MODEL, "studiocore-1", "chat.default"} <= set(found["listed"])
    assert found["one"] == {"id": MODEL, "object": "model", "owned_by": "openai"}


def assert_raised(found: dict[str, Any], name: str, status: int, kind: str) -> None:
    """Check an error of the SDK's: its class, and what it says."""
    assert (found["name"], found["isApiError"], found.get("status")) == (name, True, status), found
    assert found["type"] == kind
    assert UUID(found["requestID"])


def test_refusals_are_the_sdk_s_own_errors(
    run: Callable[..., Any], node: Node, make_payer: MakePayer, payer: Payer
) -> None:
    script = "openai_errors.mjs"
    bad = run(script, "ask", body=chat_of(temperature=3))
    assert_raised(bad, "BadRequestError", 400, "invalid_request_error")
    assert bad["param"] == "temperature"
    stranger = run(script, "ask", body=chat_of(), key="gw_live_" + "A" * 60)
    assert_raised(stranger, "AuthenticationError", 401, "authentication_error")
    poor = run_as(node, make_payer(credits=0), script, "ask", body=chat_of())
    assert_raised(poor, "APIError", 402, "insufficient_credits")
    scopeless = run_as(node, make_payer(scopes=["models"]), script, "ask", body=chat_of())
    assert_raised(scopeless, "PermissionDeniedError", 403, "permission_error")
    unknown = run(script, "ask", body=chat_of(model="llama-3"))
    assert_raised(unknown, "NotFoundError", 404, "model_not_found")
    assert run(script, "model")["name"] == "NotFoundError"
    assert payer.entries() == []


def test_the_idempotency_of_a_key_is_told(
    run: Callable[..., Any], payer: Payer, sandbox_url: str
) -> None:
    mark, headers = f"mark-{uuid4()}", {"Idempotency-Key": str(uuid4())}
    body = chat_of(f"{mark} [[sandbox latency_ms=3000]]")
    sent = json.dumps(body, separators=(",", ":")).encode()
    typed = {**headers, "content-type": "application/json"}
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(payer.post, "/v1/chat/completions", data=sent, headers=typed)
        Sandbox(url=sandbox_url).send("GET", f"/_sandbox/requests?contains={mark}&at_least=1")
        twin = run("openai_errors.mjs", "ask", body=body, headers=headers)
        assert first.result().status_code == 200
    assert_raised(twin, "ConflictError", 409, "idempotency_conflict")
    assert run("openai_errors.mjs", "ask", body=body, headers=headers) == {
        "answered": "chat.completion"
    }
    other = run("openai_errors.mjs", "ask", body=chat_of("Two"), headers=headers)
    assert_raised(other, "UnprocessableEntityError", 422, "idempotency_mismatch")


def test_our_own_limit_is_a_rate_limit_error(node: Node, make_payer: MakePayer) -> None:
    tier, _ = Tier.objects.get_or_create(
        slug="sdk-one",
        defaults={
            "name": "One",
            "markup_bp": 0,
            "request_limit": 1,
            "window_s": 900,
            "concurrency_limit": 5,
            "default_max_tokens": 256,
        },
    )
    payer = make_payer(tier=tier.slug)
    script, body = "openai_errors.mjs", chat_of()
    assert run_as(node, payer, script, "ask", body=body) == {"answered": "chat.completion"}
    limited = run_as(node, payer, script, "ask", body=body)
    assert_raised(limited, "RateLimitError", 429, "rate_limit_exceeded")


@pytest.mark.parametrize(
    ("fault", "status", "kind"),
    [
        ("status=500", 502, "upstream_error"),
        ("status=429 retry_after=3", 503, "upstream_overloaded"),
    ],
)
def test_what_fails_behind_us_is_a_server_error(
    run: Callable[..., Any], payer: Payer, fault: str, status: int, kind: str
) -> None:
    body = chat_of(f"[[sandbox {fault}]]")
    for case in ("ask", "stream"):
        found = run("openai_errors.mjs", case, body=body)
        assert_raised(found, "InternalServerError", status, kind)
    assert payer.balance() == (1_000_000_000, 0)


@pytest.mark.parametrize("fault", ["status=500", "status=429 retry_after=0", "drop"])
@pytest.mark.parametrize("api", ["chat", "responses"])
def test_the_sdk_s_own_retries_are_charged_once(
    run: Callable[..., Any], payer: Payer, fault: str, api: str
) -> None:
    content = f"[[sandbox {fault} times=3 tag={uuid4()}]] again"
    body = chat_of(content) if api == "chat" else {"model": MODEL, "input": content}
    found = run("openai_errors.mjs", "ask", body=body, retries=3, api=api)
    assert found == {"answered": "chat.completion" if api == "chat" else "response"}
    assert_charged_once(payer)


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_an_error_in_mid_stream_is_raised_to_the_reader(
    run: Callable[..., Any], payer: Payer, api: str
) -> None:
    content = "[[sandbox chunks=20 error_event=5]]"
    body = chat_of(content) if api == "chat" else {"model": MODEL, "input": content}
    found = run("openai_errors.mjs", "stream", body=body, api=api)
    assert (found["name"], found["isApiError"]) == ("APIError", True)
    assert found["type"] == "upstream_error"
    assert settled(payer)["status"] == "interrupted"


def test_a_response_is_answered(run: Callable[..., Any], payer: Payer) -> None:
    found = run("openai_responses.mjs", "plain")
    usage = settled(payer)
    assert found.pop("text").startswith("You said: “Hello there, gateway”.")
    assert found == {
        "model": MODEL,
        "status": "completed",
        "usage": [usage["input_tokens"], usage["output_tokens"]],
        "store": False,
    }
    raw = run("openai_responses.mjs", "raw")
    assert (raw["status"], raw["same"]) == (200, True)
    assert float(raw["charged"]) > 0


def test_a_response_is_streamed(run: Callable[..., Any], payer: Payer) -> None:
    found = run("openai_responses.mjs", "stream", content="[[sandbox chunks=5]]")
    assert found == {
        "kinds": [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.completed",
        ],
        "text": " the sea is wide and",
        "status": "completed",
        "charged": charged(payer),
    }
    assert run("openai_responses.mjs", "helper", content="[[sandbox chunks=5]]") == {
        "text": " the sea is wide and",
        "status": "completed",
        "deltas": 5,
    }


def test_a_response_calls_tools(run: Callable[..., Any]) -> None:
    calls = [["function_call", "weather", SMALLEST]] * 2
    assert run("openai_responses.mjs", "tools") == {
        "calls": calls,
        "text": "The tool answered: 12 degrees",
    }
    assert run("openai_responses.mjs", "helperTools") == {"pieces": SMALLEST * 2, "calls": calls}


def test_what_a_response_cannot_have_is_named(run: Callable[..., Any], payer: Payer) -> None:
    body = {"model": MODEL, "input": "Hi", "previous_response_id": "resp_1"}
    found = run("openai_errors.mjs", "ask", body=body, api="responses")
    assert_raised(found, "BadRequestError", 400, "invalid_request_error")
    assert found["param"] == "previous_response_id"
    assert payer.entries() == []


def test_speech_is_read_whole_and_as_it_comes(run: Callable[..., Any], payer: Payer) -> None:
    speech = {"model": "tts-1", "voice": "nova", "input": "Welcome aboard, and mind the gap."}
    assert run("openai_speech.mjs", "whole", **speech) == {"type": "audio/wav", "begins": "RIFF"}
    assert run("openai_speech.mjs", "streamed", **speech) == {"type": "audio/mpeg", "several": True}
    assert [entry["kind"] for entry in payer.entries()] == ["usage", "usage"]


def test_embeddings_are_unpacked(run: Callable[..., Any]) -> None:
    assert run("openai_embeddings.mjs", "packed", model=EMBEDDING) == {
        "model": EMBEDDING,
        "usage": {"prompt_tokens": 6, "total_tokens": 6},
        "far": False,
        "lengths": [1536, 1536],
        "plain": [1536, 1536],
    }
    assert run("openai_embeddings.mjs", "short", model=EMBEDDING) == [256]


@pytest.fixture
def message(node: Node, payer: Payer) -> Callable[..., Any]:
    """Run a case of Anthropic's SDK, whose base URL has no `/v1`, as the payer."""
    return lambda case, **given: run_as(
        node, payer, "anthropic_messages.mjs", case, base_url=payer.url, **given
    )


@pytest.mark.parametrize("model", [MODEL, CLAUDE])
def test_a_message_is_answered(message: Callable[..., Any], payer: Payer, model: str) -> None:
    found = message("plain", model=model)
    usage = settled(payer)
    assert "Hello there, gateway" in found["text"]
    assert (found["model"], found["reason"]) == (model, "end_turn")
    assert found["usage"] == [usage["input_tokens"], usage["output_tokens"]]
    raw = message("raw", model=model)
    assert (raw["status"], raw["same"], raw["text"]) == (200, True, found["text"])
    assert float(raw["charged"]) > 0
    assert message("count", model=model)["input_tokens"] > 0


@pytest.mark.parametrize("model", [MODEL, CLAUDE])
def test_a_message_is_streamed(message: Callable[..., Any], model: str) -> None:
    plain = message("plain", model=model)["text"]
    streamed = message("stream", model=model)
    kinds = [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert [kind for kind in streamed["kinds"] if kind != "ping"] == kinds
    assert streamed["text"] == plain
    assert message("helper", model=model) == {"text": plain, "last": plain, "reason": "end_turn"}


@pytest.mark.parametrize("model", [MODEL, CLAUDE])
def test_a_message_calls_tools(message: Callable[..., Any], model: str) -> None:
    assert message("tools", model=model, content="Weather?") == {
        "reason": "tool_use",
        "calls": [["tool_use", "weather", {"city": "text"}]],
        "text": "The tool answered: 12 degrees",
    }


def test_refusals_are_anthropic_s_sdk_s_own_errors(
    message: Callable[..., Any], node: Node, make_payer: MakePayer, payer: Payer
) -> None:
    script = "anthropic_messages.mjs"
    poor, scopeless = make_payer(credits=0), make_payer(scopes=["models"])
    found = {
        400: message("ask", body={"temperature": 3}),
        401: message("ask", key="gw_live_" + "A" * 60),
        402: run_as(node, poor, script, "ask", base_url=payer.url),
        403: run_as(node, scopeless, script, "ask", base_url=payer.url),
        404: message("ask", model="llama-3"),
        502: message("ask", content="[[sandbox status=500]]"),
    }
    names = [(error["name"], error["type"]) for error in found.values()]
    assert names == [
        ("BadRequestError", "invalid_request_error"),
        ("AuthenticationError", "authentication_error"),
        ("PaymentRequiredError", "billing_error"),
        ("PermissionDeniedError", "permission_error"),
        ("NotFoundError", "not_found_error"),
        ("InternalServerError", "api_error"),
    ]
    assert [error["status"] for error in found.values()] == list(found)
    assert all(error["isApiError"] and UUID(error["requestID"]) for error in found.values())
    assert payer.balance() == (1_000_000_000, 0)
    broken = message("broken", content="[[sandbox chunks=20 error_event=5]]")
    assert (broken["isApiError"], broken["type"]) == (True, "api_error")


def test_anthropic_s_sdk_retries_and_is_charged_once(
    message: Callable[..., Any], payer: Payer
) -> None:
    content = f"[[sandbox status=500 times=3 tag={uuid4()}]] again"
    assert message("ask", content=content, retries=3) == {"answered": "message"}
    assert_charged_once(payer)

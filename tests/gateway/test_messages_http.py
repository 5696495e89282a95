"""The messages surface from outside, without an SDK: refusals, replays, browsers, other providers.

What holds for every chat (money, limits, kills) is proved on `/v1/chat`; the walk is the same.
"""

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
import requests

from tests.databases import rows
from tests.gateway.conftest import Payer
from tests.gateway.message_bodies import REFUSED, TOOL, WITHOUT_A_PLACE, body_of
from tests.sandbox.caller import Caller as Sandbox

JSON = {"content-type": "application/json"}
PATHS = ("/v1/messages", "/v1/messages/count_tokens")


def send(payer: Payer, text: str = "Hello", **fields: Any) -> requests.Response:
    """Send one message; `headers` beside the fields of its body."""
    headers = {**JSON, **fields.pop("headers", {})}
    body = body_of(messages=[{"role": "user", "content": text}], **fields)
    return payer.post("/v1/messages", data=body, headers=headers)


def assert_nothing_moved(payer: Payer) -> None:
    """After a refusal: the whole balance is there, nothing is held, no call, no entry."""
    assert payer.balance() == (1_000_000_000, 0)
    assert payer.entries() == []
    assert rows("SELECT id FROM gateway_call WHERE workspace_id = %s", payer.workspace_id) == []


def error_of(response: requests.Response) -> Any:
    """Give the error of a refusal, after checking its envelope and that it names the request."""
    body = response.json()
    assert set(body) == {"type", "error", "request_id"}
    assert body["type"] == "error"
    assert body["request_id"] == response.headers["request-id"] == response.headers["x-request-id"]
    UUID(body["request_id"])
    return body["error"]


def events_of(body: bytes) -> list[Any]:
    """Read the data of all events, comments left out."""
    lines = [line for line in body.split(b"\n") if line.startswith(b"data: ")]
    return [json.loads(line[6:]) for line in lines]


def test_what_cannot_be_carried_is_400_in_the_envelope_and_holds_nothing(payer: Payer) -> None:
    bodies = [*(body for body, _ in REFUSED.values()), *WITHOUT_A_PLACE.values()]
    for body in bodies:
        response = payer.post("/v1/messages", data=body, headers=JSON)
        assert response.status_code == 400, body
        assert error_of(response)["type"] == "invalid_request_error"
    assert_nothing_moved(payer)


def test_a_count_refuses_what_a_message_refuses(payer: Payer) -> None:
    for body in (b"", b"[]", body_of(), body_of(messages=[])):
        response = payer.post(PATHS[1], data=body, headers=JSON)
        assert response.status_code == 400, body
        assert error_of(response)["type"] == "invalid_request_error"
    assert_nothing_moved(payer)


@pytest.mark.parametrize("path", PATHS)
def test_refusals_before_the_body_is_read(
    payer: Payer, make_payer: Callable[..., Payer], path: str
) -> None:
    typed = payer.post(path, data=body_of(), headers={"content-type": "text/plain"})
    assert (typed.status_code, error_of(typed)["type"]) == (415, "invalid_request_error")
    long = payer.post(path, data=b" " * (2 * 1024 * 1024 + 1), headers=JSON)
    assert (long.status_code, error_of(long)["type"]) == (413, "request_too_large")
    got = payer.get(path)
    assert (got.status_code, got.headers["allow"]) == (405, "POST")
    assert error_of(got)["details"] == {"error_code": "method_not_allowed"}
    unknown = payer.get("/v1/messages/batches")
    assert (unknown.status_code, error_of(unknown)["type"]) == (404, "not_found_error")
    scopeless = make_payer(scopes=["models"])
    refused = scopeless.post(path, data=body_of(), headers=JSON)
    assert (refused.status_code, error_of(refused)["type"]) == (403, "permission_error")
    assert_nothing_moved(payer)


@pytest.mark.parametrize("stream", [False, True])
def test_a_replay_gives_the_same_bytes_from_one_call(
    payer: Payer, sandbox_url: str, stream: bool
) -> None:
    mark, key = f"mark-{uuid4()}", {"idempotency-key": str(uuid4())}
    first = send(payer, mark, stream=stream, headers=key)
    again = send(payer, mark, stream=stream, headers=key)
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.content == first.content
    assert again.headers["content-type"] == first.headers["content-type"]
    assert again.headers["idempotent-replayed"] == "true"
    assert first.content.count(b"message_stop") == 2 * stream
    assert len(Sandbox(url=sandbox_url).journal(contains=mark)) == 1
    assert len(payer.usage()) == len(payer.entries()) == 1


def test_a_stream_ends_without_done_and_with_the_charge(payer: Payer) -> None:
    response = send(payer, "[[sandbox chunks=40 split_bytes=7]]", stream=True)
    assert response.headers["content-type"] == "text/event-stream"
    assert float(response.headers["x-credits-held"]) > 0
    assert b"[DONE]" not in response.content
    assert response.content.count(b"event: content_block_delta\n") == 40
    charged = events_of(response.content)[-2]["usage"]["credits_charged"]
    assert round(charged * 1_000_000) == payer.usage()[0]["charge_ucr"]


def test_a_stream_that_breaks_off_ends_with_an_error_event_and_charges_what_came(
    payer: Payer,
) -> None:
    response = send(payer, "[[sandbox chunks=64 cut_at=6000]] hello", stream=True)
    assert response.status_code == 200
    name, data = response.content.decode().rstrip("\n").split("\n\n")[-1].split("\n")
    error = json.loads(data.removeprefix("data: "))
    assert name == "event: error"
    assert error["error"]["type"] == "api_error"
    assert error["request_id"] == response.headers["request-id"]
    assert b"message_stop" not in response.content
    usage = payer.usage()[0]
    assert (usage["status"], usage["usage_source"]) == ("interrupted", "counted")
    assert payer.balance() == (1_000_000_000 - usage["charge_ucr"], 0)


@pytest.mark.parametrize("fault", ["usage=-5", "usage=null", "missing_usage"])
def test_an_answer_without_usage_tells_what_is_charged(payer: Payer, fault: str) -> None:
    told = send(payer, f"[[sandbox {fault}]] hello").json()["usage"]
    usage = payer.usage()[0]
    assert usage["usage_source"] == "counted"
    assert told["input_tokens"] == usage["input_tokens"]
    assert told["output_tokens"] == usage["output_tokens"]


@pytest.mark.parametrize("model", ["chat.default", "claude-sonnet-5-5"])
@pytest.mark.parametrize("stream", [False, True])
def test_what_a_cache_gave_and_took_is_no_part_of_the_input_tokens(
    payer: Payer, model: str, stream: bool
) -> None:
    text = "[[sandbox cached=3 cache_write=2]] hello there"
    response = send(payer, text, model=model, stream=stream)
    told = events_of(response.content)[-2]["usage"] if stream else response.json()["usage"]
    usage = payer.usage()[0]
    assert told["cache_read_input_tokens"] == usage["cached_input_tokens"] == 3
    assert told["cache_creation_input_tokens"] == usage["cache_write_tokens"] == 2
    assert told["input_tokens"] == usage["input_tokens"] - 5
    assert told["output_tokens"] == usage["output_tokens"]


def test_the_key_is_taken_as_x_api_key_on_every_surface(payer: Payer) -> None:
    key = {"x-api-key": payer.key}
    for path, body in (("/v1/messages", body_of()), ("/v1/chat", body_of(max_tokens=9))):
        response = requests.post(payer.url + path, data=body, headers={**JSON, **key}, timeout=30)
        assert response.status_code == 200, response.text
    for path in ("/v1/models", "/v1/credits"):
        assert requests.get(payer.url + path, headers=key, timeout=30).status_code == 200
    wrong = requests.post(
        payer.url + "/v1/messages", headers={"x-api-key": "sk-ant-somebody-s"}, timeout=30
    )
    assert (wrong.status_code, error_of(wrong)["type"]) == (401, "authentication_error")


def test_two_keys_of_different_callers_are_401(make_payer: Callable[..., Payer]) -> None:
    one, other = make_payer(), make_payer()
    response = one.post("/v1/messages", data=body_of(), headers={**JSON, "x-api-key": other.key})
    assert response.status_code == 401
    same = one.post("/v1/messages", data=body_of(), headers={**JSON, "x-api-key": one.key})
    assert same.status_code == 200
    assert_nothing_moved(other)


def test_a_browser_may_send_what_anthropic_s_sdk_sends(gateway_url: str) -> None:
    asked = (
        "anthropic-beta, anthropic-dangerous-direct-browser-access, anthropic-version, x-api-key, "
        "x-stainless-helper-method"
    )
    headers = {
        "origin": "https://app.example.com",
        "access-control-request-method": "POST",
        "access-control-request-headers": asked,
    }
    response = requests.options(f"{gateway_url}/v1/messages", headers=headers, timeout=10)
    assert response.status_code == 204
    allowed = response.headers["access-control-allow-headers"].split(", ")
    assert set(asked.split(", ")) <= set(allowed)
    assert "Request-Id" in response.headers["access-control-expose-headers"].split(", ")


def test_hints_for_other_providers_do_not_reach_openai(payer: Payer, sandbox_url: str) -> None:
    mark = f"mark-{uuid4()}"
    call = {"type": "tool_use", "id": "call_1", "name": "time", "input": {}}
    turns = [
        {"role": "user", "content": mark},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm", "signature": "c2ln"},
                {"type": "thinking", "thinking": "Hm", "signature": ""},
                {**call, "extra_content": {"google": {"thought_signature": "c2ln"}}},
            ],
        },
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": "12:00"}],
        },
    ]
    cached = {"cache_control": {"type": "ephemeral"}}
    body = body_of(
        messages=turns,
        system=[{"type": "text", "text": "Be kind.", **cached}],
        tools=[{**TOOL, **cached}],
        thinking={"type": "adaptive"},
        top_k=5,
        **cached,
    )
    response = payer.post("/v1/messages", data=body, headers=JSON)
    assert response.status_code == 200, response.text
    [seen] = Sandbox(url=sandbox_url).journal(contains=mark)
    for word in ("cache_control", "thinking", "top_k", "reasoning_content", "extra_content"):
        assert word not in seen["body"]

"""Bad input: a 4xx in the surface's own envelope, nothing held, nothing charged, no provider
called, no 5xx.
"""

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
import requests

from tests.databases import rows
from tests.gateway.conftest import CHAT, Payer
from tests.sandbox.caller import Caller as Sandbox

MESSAGES_TEXT = "messages array is required and must not be empty"

BAD_BODIES: dict[str, bytes] = {
    "empty": b"",
    "not json": b"hello",
    "half": b'{"messages": [',
    "array": b"[]",
    "string": b'"messages"',
    "null": b"null",
    "number": b"1",
    "nan": b'{"messages":[{"role":"user","content":"x"}],"temperature":NaN}',
    "infinity": b'{"messages":[{"role":"user","content":"x"}],"temperature":1e999}',
    "deep": b'{"messages":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep objects": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "not utf-8": b'{"messages":[{"role":"user","content":"\xff\xfe"}]}',
    "lone surrogate": b'{"messages":[{"role":"user","content":"\\ud800"}]}',
    "nul in content": b'{"messages":[{"role":"user","content":"a\\u0000b"}]}',
    "nul in kind": b'{"kind":"a\\u0000b","messages":[{"role":"user","content":"x"}]}',
    "huge integer": b'{"messages":[{"role":"user","content":"x"}],"max_tokens":'
    + b"9" * 5000
    + b"}",
    "negative maximum": b'{"messages":[{"role":"user","content":"x"}],"max_tokens":-1}',
    "zero choices": b'{"messages":[{"role":"user","content":"x"}],"n":0}',
    "too many choices": b'{"messages":[{"role":"user","content":"x"}],"n":129}',
    "hot": b'{"messages":[{"role":"user","content":"x"}],"temperature":2.5}',
    "text temperature": b'{"messages":[{"role":"user","content":"x"}],"temperature":"1"}',
    "unknown field": b'{"messages":[{"role":"user","content":"x"}],"colour":"red"}',
    "unknown role": b'{"messages":[{"role":"boss","content":"x"}]}',
    "content of a wrong type": b'{"messages":[{"role":"user","content":7}]}',
    "byte order mark": b'\xef\xbb\xbf{"messages":[]}',
    "api base smuggled in": b'{"messages":[{"role":"user","content":"x"}],"api_base":"http://evil"}',
    "api key smuggled in": b'{"messages":[{"role":"user","content":"x"}],"api_key":"sk-1"}',
}


def assert_nothing_moved(payer: Payer) -> None:
    """After a refusal: the whole balance is there, nothing is held, no call, no entry."""
    assert payer.balance() == (1_000_000_000, 0)
    assert payer.entries() == []
    assert rows("SELECT id FROM gateway_call WHERE workspace_id = %s", payer.workspace_id) == []


@pytest.mark.parametrize(
    "path", ["/v1/chat", "/v1/chat/completions", "/v1/messages", "/v1/responses"]
)
@pytest.mark.parametrize("name", BAD_BODIES)
def test_a_bad_body_is_400_in_the_surface_s_envelope(payer: Payer, path: str, name: str) -> None:
    response = payer.post(path, data=BAD_BODIES[name], headers={"content-type": "application/json"})
    assert response.status_code == 400, response.text
    error = response.json()["error"]
    if path == "/v1/chat":
        assert isinstance(error, str)
        assert error
    elif path == "/v1/messages":
        assert error["type"] == "invalid_request_error"
        assert response.json()["request_id"] == response.headers["request-id"]
    else:
        assert set(error) == {"type", "message", "code", "param"}
        assert (error["type"], error["code"]) == ("invalid_request_error", 400)
    assert_nothing_moved(payer)


@pytest.mark.parametrize("messages", [None, [], "hello", {}, 7])
def test_missing_messages_get_the_seed_s_text(payer: Payer, messages: Any) -> None:  # noqa: ANN401
    body: dict[str, Any] = {"kind": "chat.default"}
    if messages is not None:
        body["messages"] = messages
    response = payer.post(json=body)
    assert (response.status_code, response.json()) == (400, {"error": MESSAGES_TEXT})


def test_a_body_over_two_megabytes_is_413(payer: Payer) -> None:
    response = payer.say("x" * (2 * 1024 * 1024 + 1))
    assert response.status_code == 413
    assert_nothing_moved(payer)


def test_another_media_type_is_415(payer: Payer) -> None:
    response = payer.post(data=json.dumps(CHAT), headers={"content-type": "text/plain"})
    assert response.status_code == 415
    assert_nothing_moved(payer)


def test_an_unknown_kind_is_500_with_the_seed_s_text_for_studio_and_404_for_core(
    payer: Payer,
) -> None:
    messages = CHAT["messages"]
    studio = payer.post(json={"kind": "invalid", "messages": messages})
    text = 'Model kind "invalid" not found in channel "stable" or stable fallback'
    assert (studio.status_code, studio.json()) == (500, {"error": text})
    core = payer.post(json={"model": "invalid", "messages": messages})
    assert core.status_code == 404
    assert core.json()["error"]["type"] == "model_not_found"
    assert core.json()["error"]["code"] == 404
    assert_nothing_moved(payer)


def test_an_unknown_channel_is_400_and_beta_is_experimental(payer: Payer) -> None:
    assert payer.post(json=CHAT, headers={"x-model-channel": "nope"}).status_code == 400
    assert_nothing_moved(payer)
    assert payer.post(json=CHAT, headers={"x-model-channel": "beta"}).status_code == 200
    assert payer.usage()[0]["channel"] == "experimental"


@pytest.mark.parametrize("path", ["/v1/chat", "/v1/models", "/v1/credits", "/v1/validate"])
def test_no_credential_is_401_with_the_seed_s_text(gateway_url: str, path: str) -> None:
    send = requests.get if path in ("/v1/models", "/v1/credits") else requests.post
    response = send(gateway_url + path, timeout=10)
    text = "Authentication required: provide Bearer token or x-app-key header"
    assert (response.status_code, response.json()) == (401, {"error": text})


@pytest.mark.parametrize(
    "headers",
    [
        {"x-app-key": "wrong"},
        {"x-app-key": "gw_live_" + "A" * 60},
        {"authorization": "Bearer gw_live_" + "A" * 60},
    ],
)
def test_a_wrong_key_is_401_invalid_app_key(gateway_url: str, headers: dict[str, str]) -> None:
    response = requests.post(gateway_url + "/v1/chat", json=CHAT, headers=headers, timeout=10)
    assert response.status_code == 401
    assert response.json() == {"error": "Invalid app key"}


def test_a_label_that_is_not_printable_text_is_400(payer: Payer) -> None:
    for value in (b"x" * 201, b"\xff\xfe"):
        assert payer.post(json=CHAT, headers={"x-app-id": value}).status_code == 400
    assert_nothing_moved(payer)


def test_a_foreign_host_header_is_400(payer: Payer) -> None:
    for path in ("/v1/chat", "/v1/models"):
        assert payer.post(path, json=CHAT, headers={"host": "evil.example"}).status_code == 400


def test_unknown_paths_and_methods_answer_in_the_surface_s_envelope(payer: Payer) -> None:
    unknown = payer.get("/v1/nothing-here")
    assert unknown.status_code == 404
    assert isinstance(unknown.json()["error"], str)
    for path in ("/v1/chat", "/v1/validate"):
        wrong = payer.get(path)
        assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
        assert isinstance(wrong.json()["error"], str)
    core = payer.get("/v1/chat/completions")
    assert core.json()["error"]["code"] == 405


def test_a_key_without_the_scope_is_403(make_payer: Callable[..., Payer]) -> None:
    payer = make_payer(scopes=["models"])
    assert payer.post(json=CHAT).status_code == 403
    assert payer.get("/v1/models").status_code == 200
    assert payer.get("/v1/credits").status_code == 403


def test_refused_requests_are_counted_and_not_billed(payer: Payer) -> None:
    for _ in range(3):
        payer.post(json={"kind": "chat.default"})
    counted = eventually(payer)
    assert (counted["status"], counted["reason"]) == ("refused", "invalid_request_error")
    assert (counted["billing"], counted["charge_ucr"], counted["request_count"]) == ("none", 0, 3)


def eventually(payer: Payer) -> dict[str, Any]:
    """Wait until the gateway has written its counts (it does so every few seconds)."""
    found: list[dict[str, Any]] = []
    for _ in range(60):
        found = payer.usage()
        if found:
            break
        requests.get(payer.url + "/health", timeout=10)
        rows("SELECT pg_sleep(0.25)::text")
    assert len(found) == 1
    return found[0]


def test_a_key_over_its_limits_reaches_no_provider(
    make_payer: Callable[..., Payer], sandbox_url: str
) -> None:
    payer = make_payer(tier="free")
    mark = f"mark-{uuid4()}"
    statuses = [payer.say(mark).status_code for _ in range(105)]
    assert statuses.count(200) == 100
    assert statuses[100:] == [429] * 5
    assert len(Sandbox(url=sandbox_url).journal(contains=mark)) == 100
    refused = payer.say(mark)
    assert int(refused.headers["retry-after"]) >= 1
    assert refused.headers["x-ratelimit-remaining"] == "0"

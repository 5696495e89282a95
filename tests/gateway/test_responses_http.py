"""`/v1/responses` from outside, without an SDK: refusals, replays, money, broken streams.

What holds for every chat (limits, kills, races) is proved on `/v1/chat`; the walk is the same.
"""

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
import requests
from openai.types.responses import Response

from tests.databases import rows
from tests.gateway.conftest import Payer
from tests.gateway.response_bodies import NOWHERE, REFUSED, WEATHER, body_of
from tests.gateway.response_events import events_of
from tests.gateway.test_streams import settled
from tests.sandbox.caller import Caller as Sandbox

PATH = "/v1/responses"
JSON = {"content-type": "application/json"}


def send(payer: Payer, text: str = "Hello", **fields: Any) -> requests.Response:
    """Send one request; `headers` beside the fields of its body."""
    headers = {**JSON, **fields.pop("headers", {})}
    return payer.post(PATH, data=body_of(input=text, **fields), headers=headers)


def assert_nothing_moved(payer: Payer) -> None:
    """After a refusal: the whole balance is there, nothing is held, no call, no entry."""
    assert payer.balance() == (1_000_000_000, 0)
    assert payer.entries() == []
    assert rows("SELECT id FROM gateway_call WHERE workspace_id = %s", payer.workspace_id) == []


def error_of(response: requests.Response) -> Any:
    """Give the error of a refusal, after checking its envelope."""
    error = response.json()["error"]
    assert set(error) == {"type", "message", "code", "param"}
    assert error["code"] == response.status_code
    return error


def test_an_answer_is_paid_for_like_a_chat(payer: Payer) -> None:
    answer = send(payer, instructions="Be brief.", max_output_tokens=300)
    assert answer.status_code == 200
    found = answer.json()
    Response.model_validate(found)
    [usage] = payer.usage()
    assert (usage["surface"], usage["operation"], usage["status"]) == ("core", "chat", "succeeded")
    assert (usage["input_tokens"], usage["output_tokens"]) == (
        found["usage"]["input_tokens"],
        found["usage"]["output_tokens"],
    )
    assert payer.balance() == (1_000_000_000 - usage["charge_ucr"], 0)
    assert float(answer.headers["x-credits-charged"]) * 1_000_000 == usage["charge_ucr"]
    assert UUID(answer.headers["x-request-id"]) == usage["request_id"]


def test_what_the_provider_is_asked_is_a_chat(payer: Payer, sandbox_url: str) -> None:
    mark = f"mark-{uuid4()}"
    assert send(payer, mark, instructions="Be brief.", metadata={"a": "b"}).status_code == 200
    [seen] = Sandbox(url=sandbox_url).journal(contains=mark)
    asked = json.loads(seen["body"])
    assert seen["path"].endswith("/chat/completions")
    assert asked["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": mark},
    ]
    assert {"input", "instructions", "metadata", "store"}.isdisjoint(asked)


def test_a_stream_says_its_charge_in_its_last_event(payer: Payer) -> None:
    answer = send(payer, "[[sandbox chunks=5]] hello", stream=True)
    assert answer.headers["content-type"] == "text/event-stream"
    events = events_of(answer.content)
    assert [event["type"] for event in events].count("response.output_text.delta") == 5
    final = events[-1]["response"]
    assert final["status"] == "completed"
    usage = settled(payer)
    assert final["usage"]["output_tokens"] == usage["output_tokens"] == 5
    assert round(final["usage"]["credits_charged"] * 1_000_000) == usage["charge_ucr"] > 0
    assert float(answer.headers["x-credits-held"]) > 0


@pytest.mark.parametrize("text", ["Hello", "in parallel"])
def test_plain_and_streamed_are_the_same_response(payer: Payer, text: str) -> None:
    fields = {"tools": [WEATHER]} if "parallel" in text else {"top_logprobs": 2}
    plain = send(payer, text, **fields).json()
    streamed = events_of(send(payer, text, stream=True, **fields).content)[-1]["response"]

    def bare(response: dict[str, Any]) -> Any:  # noqa: ANN401  JSON
        """Drop what differs from call to call."""
        digits = response["id"].removeprefix("resp_")
        text = json.dumps(response["output"]).replace(digits, "")
        calls = [item.get("call_id", "") for item in response["output"]]
        for number, call_id in enumerate(calls):
            text = text.replace(call_id or "-", f"call-{number}")
        return text

    assert bare(streamed) == bare(plain)
    assert streamed["usage"].pop("credits_charged") > 0
    assert streamed["usage"] == plain["usage"]


@pytest.mark.parametrize("stream", [False, True])
def test_the_same_key_and_body_get_the_stored_answer(
    payer: Payer, sandbox_url: str, stream: bool
) -> None:
    mark = f"mark-{uuid4()}"
    headers = {"idempotency-key": str(uuid4())}
    fields = {"stream": stream, "metadata": {"order": "7"}, "tools": [WEATHER]}
    first = send(payer, f"{mark} parallel", headers=headers, **fields)
    again = send(payer, f"{mark} parallel", headers=headers, **fields)
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.content == first.content
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["content-type"] == first.headers["content-type"]
    assert len(Sandbox(url=sandbox_url).journal(contains=mark)) == 1
    assert len(payer.entries()) == 1
    other = send(payer, mark, headers=headers)
    assert (other.status_code, error_of(other)["type"]) == (422, "idempotency_mismatch")


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("cut_at=6000", "upstream_error"),
        ("error_event=8", "upstream_error"),
        ("wrong_json=8", "upstream_invalid_response"),
        ("invalid_utf8=8", "upstream_invalid_response"),
    ],
)
def test_a_broken_stream_ends_with_failed_and_charges_what_came(
    payer: Payer, fault: str, code: str
) -> None:
    answer = send(payer, f"[[sandbox chunks=64 {fault}]] hello", stream=True)
    assert answer.status_code == 200
    events = events_of(answer.content)
    assert (events[-1]["type"], events[-2]["code"]) == ("response.failed", code)
    usage = settled(payer)
    assert usage["status"] == "interrupted"
    assert payer.balance() == (1_000_000_000 - usage["charge_ucr"], 0)
    assert usage["charge_ucr"] > 0


@pytest.mark.parametrize("fault", ["crlf", "comments", "split_bytes=7", "no_done", "missing_usage"])
def test_other_line_ends_splits_and_ends_change_nothing(payer: Payer, fault: str) -> None:
    answer = send(payer, f"[[sandbox chunks=20 {fault}]] tell me", stream=True)
    events = events_of(answer.content)
    assert [event["type"] for event in events].count("response.output_text.delta") == 20
    assert events[-1]["response"]["status"] == "completed"
    assert events[-1]["response"]["usage"]["output_tokens"] == settled(payer)["output_tokens"]


@pytest.mark.parametrize(("fault", "status"), [("status=429 retry_after=7", 503), ("drop", 502)])
@pytest.mark.parametrize("stream", [False, True])
def test_what_never_began_costs_nothing_and_is_an_http_error(
    payer: Payer, fault: str, status: int, stream: bool
) -> None:
    answer = send(payer, f"[[sandbox {fault}]] hello", stream=stream)
    assert (answer.status_code, error_of(answer)["code"]) == (status, status)
    assert settled(payer)["charge_ucr"] == 0
    assert payer.balance() == (1_000_000_000, 0)


@pytest.mark.parametrize("fault", ["usage=-5", "usage=1.5", "usage=null", "usage=text"])
def test_usage_that_is_no_count_is_not_shown(payer: Payer, fault: str) -> None:
    answer = send(payer, f"[[sandbox {fault}]] hello")
    assert (answer.status_code, answer.json()["usage"]) == (200, None)
    assert settled(payer)["usage_source"] == "counted"


def test_what_cannot_be_carried_is_400_named_and_holds_nothing(payer: Payer) -> None:
    for body, param in REFUSED.values():
        error = error_of(payer.post(PATH, data=body, headers=JSON))
        assert (error["type"], error["code"], error["param"]) == (
            "invalid_request_error",
            400,
            param,
        )
    for body in NOWHERE.values():
        assert error_of(payer.post(PATH, data=body, headers=JSON))["code"] == 400
    tiers = send(payer, service_tier="priority")
    assert (tiers.status_code, error_of(tiers)["param"]) == (400, "service_tier")
    assert_nothing_moved(payer)


def test_refusals_before_the_body_is_read(payer: Payer, make_payer: Callable[..., Payer]) -> None:
    typed = payer.post(PATH, data=body_of(), headers={"content-type": "text/plain"})
    assert (typed.status_code, error_of(typed)["type"]) == (415, "unsupported_media_type")
    long = payer.post(PATH, data=b" " * (2 * 1024 * 1024 + 1), headers=JSON)
    assert (long.status_code, error_of(long)["type"]) == (413, "request_too_large")
    got = payer.get(PATH)
    assert (got.status_code, got.headers["allow"]) == (405, "POST")
    for path in (f"{PATH}/resp_1", f"{PATH}/resp_1/input_items"):
        assert error_of(payer.get(path))["type"] == "not_found"
    scopeless = make_payer(scopes=["models"])
    refused = scopeless.post(PATH, data=body_of(), headers=JSON)
    assert (refused.status_code, error_of(refused)["type"]) == (403, "permission_error")
    unknown = send(payer, model="llama-3")
    assert (unknown.status_code, error_of(unknown)["type"]) == (404, "model_not_found")
    assert_nothing_moved(payer)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": "Hi [[sandbox reject=messages]]"}, "input"),
        ({"text": {"format": {"type": "json_object"}}}, "input"),
        (
            {"input": "Hi [[sandbox reject=verbosity]]", "text": {"verbosity": "low"}},
            "text.verbosity",
        ),
        ({"model": "claude-sonnet-5-5", "top_logprobs": 2}, "top_logprobs"),
    ],
)
def test_what_a_chat_is_refused_for_is_named_as_the_caller_knows_it(
    payer: Payer, fields: dict[str, Any], param: str
) -> None:
    answer = payer.post(PATH, data=body_of(**fields), headers=JSON)
    assert (answer.status_code, error_of(answer)["param"]) == (400, param)
    assert payer.balance() == (1_000_000_000, 0)

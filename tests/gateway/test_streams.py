"""Streams that end badly: who pays what, who hears of it, and nothing is retried after the first
byte.
"""

import json
import socket
import time
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from tests.databases import rows
from tests.gateway.conftest import CHAT, Payer
from tests.sandbox.caller import Caller as Sandbox

STREAM = {"stream": True}


def chunks_of(body: bytes) -> list[dict[str, Any]]:
    """Read the data events of an SSE body, without `[DONE]`."""
    lines = [line[6:] for line in body.splitlines() if line.startswith(b"data: ")]
    return [json.loads(line) for line in lines if line != b"[DONE]"]


def text_of(body: bytes) -> str:
    """Join the text of the first choice."""
    parts = [
        chunk["choices"][0]["delta"].get("content") or ""
        for chunk in chunks_of(body)
        if chunk.get("choices")
    ]
    return "".join(parts)


def settled(payer: Payer) -> dict[str, Any]:
    """Wait for the call to be settled and give its usage row."""
    for _ in range(80):
        if usage := payer.usage():
            return usage[0]
        rows("SELECT pg_sleep(0.1)::text")
    raise AssertionError("the call was not settled within 8 s")


def test_a_client_that_leaves_stops_the_provider_and_pays_for_what_it_got(
    payer: Payer, sandbox_url: str
) -> None:
    mark = f"mark-{uuid4()}"
    address = urlsplit(payer.url)
    body = json.dumps(
        {
            **CHAT,
            "stream": True,
            "messages": [
                {"role": "user", "content": f"{mark} [[sandbox chunks=200 chunk_delay_ms=50]]"}
            ],
        }
    ).encode()
    head = (
        f"POST /v1/chat HTTP/1.1\r\nHost: {address.netloc}\r\nx-app-key: {payer.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    assert address.hostname is not None
    with socket.create_connection((address.hostname, address.port or 80), timeout=10) as client:
        client.sendall(head.encode() + body)
        received = b""
        while received.count(b"data: ") < 10:
            received += client.recv(65536)
        left_at = time.time()
    usage = settled(payer)
    assert (usage["status"], usage["reason"]) == ("cancelled", "client_left")
    assert usage["usage_source"] == "counted"
    assert 8 <= usage["output_tokens"] < 100
    assert usage["charge_ucr"] > 0
    assert payer.balance() == (1_000_000_000 - usage["charge_ucr"], 0)
    [seen] = Sandbox(url=sandbox_url).journal(contains=mark)
    assert seen["state"] == "client_left"
    assert seen["ended_at"] - left_at < 1


@pytest.mark.parametrize(
    "fault", ["status=429", "status=500", "status=503", "drop", "wrong_json=0", "html"]
)
def test_a_stream_that_never_began_costs_nothing(payer: Payer, fault: str) -> None:
    response = payer.say(f"[[sandbox {fault}]] hello", body=STREAM)
    usage = settled(payer)
    assert usage["status"] == "failed"
    assert usage["charge_ucr"] == 0
    assert payer.balance() == (1_000_000_000, 0)
    if response.status_code == 200:
        assert "error" in chunks_of(response.content)[-1]
    else:
        assert response.status_code in (502, 503)
        assert isinstance(response.json()["error"], str)


def test_a_stream_cut_in_the_middle_ends_with_an_error_event_and_charges_what_came(
    payer: Payer,
) -> None:
    response = payer.say("[[sandbox chunks=64 cut_at=6000]] hello", body=STREAM)
    assert response.status_code == 200
    last = chunks_of(response.content)[-1]
    assert set(last["error"]) >= {"type", "message", "code"}
    usage = settled(payer)
    assert usage["status"] == "interrupted"
    assert usage["usage_source"] == "counted"
    assert 0 < usage["output_tokens"] <= 64
    assert payer.balance() == (1_000_000_000 - usage["charge_ucr"], 0)


def test_a_stream_without_usage_is_charged_by_our_own_count(payer: Payer) -> None:
    response = payer.say("[[sandbox chunks=40 missing_usage]] hello", body=STREAM)
    assert response.content.endswith(b"data: [DONE]\n\n")
    usage = settled(payer)
    assert (usage["status"], usage["usage_source"]) == ("succeeded", "counted")
    assert 30 <= usage["output_tokens"] <= 80
    assert usage["charge_ucr"] > 0


def test_a_stream_without_done_is_charged_and_ended_properly(payer: Payer) -> None:
    response = payer.say("[[sandbox chunks=10 no_done]] hello", body=STREAM)
    assert response.content.endswith(b"data: [DONE]\n\n")
    assert settled(payer)["charge_ucr"] > 0


def test_an_error_event_inside_the_stream_reaches_the_caller(payer: Payer) -> None:
    response = payer.say("[[sandbox chunks=10 error_event]] hello", body=STREAM)
    assert "error" in chunks_of(response.content)[-1]
    assert settled(payer)["status"] in ("failed", "interrupted")
    assert payer.balance()[1] == 0


def test_a_line_of_ten_megabytes_ends_the_stream_within_bounds(payer: Payer) -> None:
    response = payer.say("[[sandbox chunks=10 huge_line_bytes=10000000]] hello", body=STREAM)
    assert len(response.content) < 3_000_000
    assert settled(payer)["status"] in ("failed", "interrupted")
    assert payer.balance()[1] == 0


@pytest.mark.parametrize("fault", ["crlf", "comments", "split_bytes=7"])
def test_other_line_ends_comments_and_splits_change_nothing(payer: Payer, fault: str) -> None:
    plain = payer.say("[[sandbox chunks=20]] tell me", body=STREAM)
    odd = payer.say(f"[[sandbox chunks=20 {fault}]] tell me", body=STREAM)
    assert odd.content.endswith(b"data: [DONE]\n\n")
    assert len(text_of(odd.content)) > 0
    assert len(chunks_of(odd.content)) == len(chunks_of(plain.content))
    one, other = payer.usage()
    assert other["output_tokens"] == one["output_tokens"]


@pytest.mark.parametrize("fault", ["usage=-5", "usage=1.5", "usage=null", "usage=text"])
def test_usage_that_is_no_count_never_reaches_the_ledger(payer: Payer, fault: str) -> None:
    response = payer.say(f"[[sandbox {fault}]] hello")
    assert response.status_code == 200
    usage = settled(payer)
    assert usage["usage_source"] == "counted"
    assert usage["charge_ucr"] > 0
    assert payer.balance() == (1_000_000_000 - usage["charge_ucr"], 0)


def test_an_answer_with_nan_in_it_is_no_json_and_costs_nothing(payer: Payer) -> None:
    response = payer.say("[[sandbox usage=NaN]] hello")
    assert response.status_code == 502
    usage = settled(payer)
    assert (usage["status"], usage["reason"]) == ("failed", "upstream_invalid_response")
    assert payer.balance() == (1_000_000_000, 0)


def test_a_stream_with_nan_in_its_usage_is_charged_by_our_own_count(payer: Payer) -> None:
    response = payer.say("[[sandbox chunks=20 usage=NaN]] hello", body=STREAM)
    assert "error" in chunks_of(response.content)[-1]
    usage = settled(payer)
    assert (usage["status"], usage["usage_source"]) == ("interrupted", "counted")
    assert 20 <= usage["output_tokens"] <= 30
    assert usage["charge_ucr"] > 0


def test_usage_beyond_the_hold_is_charged_and_never_overdraws(payer: Payer) -> None:
    response = payer.say("[[sandbox usage=100000000]] hello")
    assert response.status_code == 200
    available_ucr, held_ucr = payer.balance()
    assert (available_ucr, held_ucr) == (0, 0)
    [wallet] = rows("SELECT owed FROM ledger.wallet WHERE id = %s", payer.workspace_id)
    charge_ucr = settled(payer)["charge_ucr"]
    assert wallet["owed"] == charge_ucr - 1_000_000_000
    assert payer.say("more").status_code == 402


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ("status=400", 400),
        ("status=429 retry_after=7", 503),
        ("status=500", 502),
        ("status=502", 502),
        ("status=503", 502),
        ("status=529", 503),
        ("wrong_json", 502),
        ("html", 502),
        ("empty", 502),
        ("drop", 502),
        ("cut_at=40", 502),
    ],
)
def test_a_failing_provider_costs_nothing_and_shows_nothing_of_itself(
    payer: Payer, fault: str, status: int
) -> None:
    response = payer.say(f"[[sandbox {fault}]] hello")
    assert response.status_code == status, response.text
    text = response.text.lower()
    assert "127.0.0.1" not in text
    assert "bearer" not in text
    usage = settled(payer)
    assert (usage["status"], usage["charge_ucr"]) == ("failed", 0)
    assert payer.balance() == (1_000_000_000, 0)
    if "retry_after" in fault:
        assert response.headers["retry-after"] == "7"

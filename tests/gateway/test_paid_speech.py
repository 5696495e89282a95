"""Speech is paid for by what was relayed, once, rounded as providers bill; and by whoever may."""

import json
import socket
import time
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.databases import Database, rows
from tests.gateway.conftest import Payer, own_violations
from tests.gateway.speech_calls import (
    GRANTED_UCR,
    audio,
    charge_of,
    new_text,
    settled,
    voice,
)
from tests.sandbox.caller import Caller as Sandbox

SLOW = "[[sandbox chunks=60 chunk_delay_ms=100]]"


def leave_after(payer: Payer, body: dict[str, Any], path: str, received_bytes: int) -> float:
    """Ask, read so much of the answer, and hang up. Returns: when, in Unix seconds."""
    address = urlsplit(payer.url)
    sent = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {address.netloc}\r\nx-app-key: {payer.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(sent)}\r\n\r\n"
    )
    assert address.hostname is not None
    with socket.create_connection((address.hostname, address.port or 80), timeout=20) as client:
        client.sendall(head.encode() + sent)
        received = 0
        while received < received_bytes:
            received += len(client.recv(65536))
        return time.time()


def test_who_leaves_stops_the_provider_and_pays_for_the_text_that_was_begun(
    payer: Payer, sandbox_url: str
) -> None:
    text = f"{SLOW} {new_text()}"
    left_at = leave_after(payer, {"text": text}, "/v1/voice?stream=true", 4000)
    [usage] = settled(payer)
    assert (usage["status"], usage["reason"]) == ("cancelled", "client_left")
    assert (usage["character_count"], usage["usage_source"]) == (len(text), "counted")
    assert usage["charge_ucr"] == charge_of(len(text), 40)
    assert payer.balance() == (GRANTED_UCR - usage["charge_ucr"], 0)
    [seen] = Sandbox(url=sandbox_url).journal(contains=text[-20:])
    assert seen["state"] == "client_left"
    assert seen["ended_at"] - left_at < 1


def leave_at_once(payer: Payer, text: str, query: str) -> None:
    """Send a text and leave while the provider is still silent."""
    body = json.dumps({"text": text}).encode()
    address = urlsplit(payer.url)
    assert address.hostname is not None
    head = (
        f"POST /v1/voice{query} HTTP/1.1\r\nHost: {address.netloc}\r\nx-app-key: {payer.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((address.hostname, address.port or 80), timeout=20) as client:
        client.sendall(head.encode() + body)
        while not rows(
            "SELECT pg_sleep(0.2)::text FROM gateway_call WHERE workspace_id = %s",
            payer.workspace_id,
        ):
            pass


def test_who_leaves_a_stream_before_its_first_sound_pays_nothing(
    payer: Payer, sandbox_url: str
) -> None:
    text = f"[[sandbox latency_ms=4000]] {new_text()}"
    leave_at_once(payer, text, "?stream=true")
    [usage] = settled(payer)
    assert (usage["status"], usage["reason"]) == ("cancelled", "client_left")
    assert (usage["charge_ucr"], usage["character_count"]) == (0, 0)
    assert payer.balance() == (GRANTED_UCR, 0)
    [seen] = Sandbox(url=sandbox_url).journal(contains=text[-20:])
    assert seen["state"] == "client_left"


def test_who_leaves_a_whole_answer_pays_for_it_and_finds_it_the_next_time(payer: Payer) -> None:
    text = f"[[sandbox latency_ms=1500]] {new_text()}"
    leave_at_once(payer, text, "")
    [usage] = settled(payer)
    assert (usage["status"], usage["character_count"]) == ("succeeded", len(text))
    assert usage["charge_ucr"] == charge_of(len(text), 40)
    while not rows(
        "SELECT pg_sleep(0.1)::text FROM gateway_spokentext WHERE workspace_id = %s",
        payer.workspace_id,
    ):
        pass
    again = voice(payer, text)
    assert (again.status_code, again.headers["x-cache"]) == (200, "hit")
    assert payer.balance() == (GRANTED_UCR - usage["charge_ucr"], 0)


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ("status=500", 502),
        ("status=429", 429),
        ("drop", 502),
        ("empty", 502),
        ("html", 502),
        ("status=401 code=quota_exceeded", 429),
    ],
)
@pytest.mark.parametrize("query", ["", "?stream=true"])
def test_a_sound_that_never_came_costs_nothing(
    make_payer: Callable[..., Payer], fault: str, status: int, query: str
) -> None:
    payer = make_payer()
    own = {"x-user-elevenlabs-key": f"key-{uuid.uuid4().hex}"}  # so that our circuit stays closed
    answer = voice(payer, f"[[sandbox {fault}]] {new_text()}", query, headers=own)
    assert answer.status_code == status, answer.text
    assert isinstance(answer.json()["error"], str)
    [usage] = settled(payer)
    assert (usage["status"], usage["charge_ucr"], usage["billing"]) == ("failed", 0, "byok")
    assert payer.balance() == (GRANTED_UCR, 0)


def test_a_failure_releases_the_whole_hold(payer: Payer) -> None:
    answer = voice(payer, f"[[sandbox html]] {new_text()}", body={"kind": "voice.flash"})
    assert answer.status_code == 502
    [usage] = payer.usage()
    assert (usage["status"], usage["charge_ucr"]) == ("failed", 0)
    assert payer.balance() == (GRANTED_UCR, 0)
    assert [entry["kind"] for entry in payer.entries()] == ["void"]


def test_a_sound_cut_in_the_middle_breaks_off_and_is_paid(payer: Payer) -> None:
    text = f"[[sandbox cut_at=9000]] {new_text()}"
    with pytest.raises(requests.exceptions.RequestException):
        voice(payer, text, "?stream=true")
    [usage] = settled(payer)
    assert usage["status"] == "interrupted"
    assert usage["charge_ucr"] == charge_of(len(text), 40)


def test_a_sound_cut_in_the_middle_is_no_answer_and_costs_nothing(payer: Payer) -> None:
    answer = voice(payer, f"[[sandbox cut_at=9000]] {new_text()}")
    assert answer.status_code == 502
    [usage] = payer.usage()
    assert (usage["status"], usage["charge_ucr"]) == ("failed", 0)
    assert usage["cost_ucr"] > 0
    assert payer.balance() == (GRANTED_UCR, 0)


def test_a_provider_that_fails_once_is_asked_once_more(payer: Payer) -> None:
    text = f"[[sandbox status=503 times=1 tag={uuid.uuid4()}]] {new_text()}"
    answer = voice(payer, text, body={"kind": "voice.multilingual"})
    assert answer.status_code == 200
    assert answer.headers["x-studio-attempts"] == "2"
    [usage] = payer.usage()
    assert usage["attempts"] == 2
    assert json.loads(usage["attempt_log"])[0]["status"] == 503
    assert usage["charge_ucr"] == charge_of(len(text), 80)


def test_a_model_that_bills_tokens_is_charged_by_the_provider_s_count(payer: Payer) -> None:
    answer = audio(payer, new_text(), body={"model": "gpt-4o-mini-tts"})
    assert answer.status_code == 200
    [usage] = settled(payer)
    assert usage["usage_source"] == "provider"
    assert usage["input_tokens"] > 0
    assert usage["output_tokens"] > 0
    numerator = (usage["input_tokens"] * 600 + usage["output_tokens"] * 12_000) * 12
    assert usage["charge_ucr"] == -(-numerator // 10)


def test_who_leaves_a_model_that_bills_tokens_pays_for_the_sound_that_came(payer: Payer) -> None:
    text = f"{SLOW} {new_text('A long way to the harbour, and back again. ' * 4)}"
    leave_after(
        payer,
        {"model": "gpt-4o-mini-tts", "voice": "alloy", "input": text},
        "/v1/audio/speech",
        9000,
    )
    [usage] = settled(payer)
    assert (usage["status"], usage["usage_source"]) == ("cancelled", "counted")
    assert usage["output_tokens"] == max(1, usage["media_ms"] * 20 // 1000)
    numerator = (usage["input_tokens"] * 600 + usage["output_tokens"] * 12_000) * 12
    assert usage["charge_ucr"] == -(-numerator // 10)


def test_the_same_idempotency_key_is_answered_and_charged_once(payer: Payer) -> None:
    headers = {"idempotency-key": uuid.uuid4().hex, "cache-control": "no-store"}
    text = new_text()
    first, second = (voice(payer, text, headers=headers) for _ in range(2))
    assert first.content == second.content
    assert second.headers["idempotent-replayed"] == "true"
    assert voice(payer, new_text(), headers=headers).status_code == 422
    assert len(payer.usage()) == 1


def test_a_streamed_sound_is_kept_under_its_idempotency_key(payer: Payer) -> None:
    headers = {"idempotency-key": uuid.uuid4().hex, "cache-control": "no-store"}
    text = new_text()
    first = voice(payer, text, "?stream=true", headers=headers)
    settled(payer)
    second = voice(payer, text, "?stream=true", headers=headers)
    assert first.content == second.content
    assert second.headers["content-type"] == "audio/mpeg"
    assert second.headers["idempotent-replayed"] == "true"
    assert len(payer.usage()) == 1


def test_a_wallet_that_cannot_pay_is_402(make_payer: Callable[..., Payer]) -> None:
    payer = make_payer(credits=0.001)
    answer = voice(payer, new_text())
    assert answer.status_code == 402
    assert payer.usage() == []
    assert payer.balance() == (1000, 0)


def test_a_user_s_own_key_costs_no_credits(make_payer: Callable[..., Payer]) -> None:
    payer = make_payer(tier="byok", credits=0)
    assert voice(payer, new_text()).status_code == 402
    headers = {"x-user-elevenlabs-key": f"key-{uuid.uuid4().hex}"}
    text = new_text()
    answer = voice(payer, text, headers=headers)
    assert answer.status_code == 200
    assert "x-cache" not in answer.headers
    [usage] = payer.usage()
    assert (usage["billing"], usage["charge_ucr"], usage["character_count"]) == (
        "byok",
        0,
        len(text),
    )
    assert payer.entries() == []


def test_nothing_disagrees_afterwards(payer: Payer, gateway_database: Database) -> None:
    voice(payer, new_text())
    assert own_violations(payer) == []

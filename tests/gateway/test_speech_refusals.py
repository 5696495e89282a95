"""The speech API refusing, failing, waiting; keys of the user's own; health, status, voices."""

import socket
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.conftest import StartGateway
from tests.databases import Database, rows
from tests.gateway.conftest import MakePayer, Payer, new_payer
from tests.gateway.test_speech_http import (
    GRANTED_UCR,
    answer_aloud,
    charged_ucr,
    error_of,
    new_text,
    nothing_moved,
    speak,
)

ORPHEUS = ["tara", "leah", "jess", "leo", "dan", "mia", "zac", "zoe"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"text": ""}, "text"),
        ({"text": "  \n"}, "text"),
        ({"text": "a" * 5001}, "text"),
        ({}, "text"),
        ({"text": 3}, "text"),
        ({"text": "Hello.", "voice": "nova"}, "voice"),
        ({"text": "Hello.", "voice": "nobody"}, "voice"),
        ({"text": "Hello.", "emotion": "hungry"}, "emotion"),
        ({"text": "Hello.", "precision": "FP4"}, "precision"),
        ({"text": "Hello.", "speed": 0.2}, "speed"),
        ({"text": "Hello.", "speed": 4.5}, "speed"),
        ({"text": "Hello.", "format": "wav"}, "format"),
    ],
)
def test_a_bad_request_names_its_field_and_moves_nothing(
    payer: Payer, body: dict[str, Any], param: str
) -> None:
    answer = payer.post("/speech/generate", json=body)
    error = error_of(answer)
    assert (answer.status_code, error["code"]) == (400, "BAD_REQUEST")
    assert error["details"]["param"] == param
    assert nothing_moved(payer)


def test_an_unknown_emotion_is_told_the_known_ones_before_anything_is_paid(payer: Payer) -> None:
    for answer in (speak(payer, "Hello.", emotion="blue"), answer_aloud(payer, "Hi", emotion="x")):
        message = error_of(answer)["message"]
        assert answer.status_code == 400
        assert "happy" in message
        assert "sad" in message
    assert nothing_moved(payer)


def test_a_message_of_blanks_is_refused_before_anything_is_paid(payer: Payer) -> None:
    answer = answer_aloud(payer, " \n")
    assert (answer.status_code, error_of(answer)["details"]) == (400, {"param": "message"})
    assert nothing_moved(payer)


def test_without_a_credential_it_is_an_auth_error(gateway_url: str) -> None:
    for key in ("", "nobody's"):
        answer = requests.post(
            f"{gateway_url}/speech/generate",
            json={"text": "Hello."},
            headers={"x-app-key": key, "x-openai-key": "sk-mine"} if key else {},
            timeout=10,
        )
        assert answer.status_code == 401
        assert error_of(answer)["code"] == "AUTH_ERROR"
        assert error_of(answer)["details"] == {"service": "studio"}


def test_a_key_without_the_scope_is_forbidden(make_payer: MakePayer) -> None:
    payer = make_payer(scopes=["chat"])
    for answer in (speak(payer, "Hello."), answer_aloud(payer, "Hello.")):
        assert (answer.status_code, error_of(answer)["code"]) == (403, "FORBIDDEN")
    assert nothing_moved(payer)


def test_a_thin_wallet_is_told_what_it_would_cost(make_payer: MakePayer) -> None:
    payer = make_payer(credits=0.001)
    answer = speak(payer, new_text())
    assert (answer.status_code, error_of(answer)["code"]) == (402, "BAD_REQUEST")
    assert payer.balance() == (1000, 0)


def test_a_failing_provider_costs_nothing_and_is_named(payer: Payer) -> None:
    answer = speak(payer, "[[sandbox status=500]] Hello.")
    error = error_of(answer)
    assert (answer.status_code, error["code"]) == (500, "INTERNAL_ERROR")
    assert error["details"]["service"] == "baseten"
    assert payer.balance() == (GRANTED_UCR, 0)
    [usage] = payer.usage()
    assert (usage["status"], usage["charge_ucr"]) == ("failed", 0)


def test_own_keys_pay_for_their_own_provider_alone(payer: Payer) -> None:
    answer = answer_aloud(payer, new_text("Hello there."), headers={"X-OpenAI-Key": "sk-mine"})
    assert answer.status_code == 200, answer.text
    chat, speech = payer.usage()
    assert (chat["billing"], chat["charge_ucr"]) == ("byok", 0)
    assert speech["billing"] == "credits"
    assert charged_ucr(answer) == speech["charge_ucr"] > 0
    own = speak(payer, new_text(), headers={"X-Baseten-Key": "mine"})
    assert own.status_code == 200
    assert [usage["billing"] for usage in payer.usage()][2:] == ["byok"]
    assert payer.balance() == (GRANTED_UCR - speech["charge_ucr"], 0)


def test_a_key_that_a_provider_refuses_is_an_auth_error_of_that_service(payer: Payer) -> None:
    told = {}
    for header, service in (("X-OpenAI-Key", "openai"), ("X-Baseten-Key", "baseten")):
        headers = {header: "an-invalid-key", "Idempotency-Key": str(uuid.uuid4())}
        call = answer_aloud if service == "openai" else speak
        answer = call(payer, new_text(), headers=headers)
        assert answer.status_code == 401, answer.text
        told[service] = error_of(answer)
    assert {name: error["code"] for name, error in told.items()} == dict.fromkeys(
        told, "AUTH_ERROR"
    )
    assert {name: error["details"]["service"] for name, error in told.items()} == {
        "openai": "openai",
        "baseten": "baseten",
    }
    assert payer.balance() == (GRANTED_UCR, 0)


@pytest.mark.parametrize(
    "headers",
    [
        {"X-OpenAI-Key": "a b"},
        {"X-OpenAI-Key": "x" * 513},
        {"X-OpenAI-Key": "sk-one", "x-user-openai-key": "sk-two"},
    ],
)
def test_a_key_that_is_none_or_one_of_two_is_refused(payer: Payer, headers: dict[str, str]) -> None:
    answer = answer_aloud(payer, "Hello.", headers=headers)
    assert (answer.status_code, error_of(answer)["code"]) == (400, "BAD_REQUEST")
    assert nothing_moved(payer)


def test_the_voices_are_listed_and_described(payer: Payer) -> None:
    voices = payer.get("/speech/voices").json()["voices"]
    assert [voice["name"] for voice in voices] == ORPHEUS
    assert set(voices[0]) == {"name", "gender", "archetype", "characteristics"}
    tara = payer.get("/speech/voices/Tara").json()
    assert set(tara) == {*voices[0], "example_text", "supported_emotions"}
    assert {name: tara[name] for name in voices[0]} == voices[0]
    assert {"happy", "sad", "excited"} <= set(tara["supported_emotions"])
    assert (tara["gender"], type(tara["characteristics"])) == ("female", list)
    missing = payer.get("/speech/voices/rachel")
    assert (missing.status_code, error_of(missing)["code"]) == (404, "NOT_FOUND")


def test_health_is_for_everybody(gateway_url: str) -> None:
    for headers in ({}, {"x-app-key": "wrong"}):
        answer = requests.get(f"{gateway_url}/speech/health", headers=headers, timeout=10)
        body = answer.json()
        assert answer.status_code == 200
        assert set(body) == {"status", "version", "uptime", "api_status"}
        assert body["status"] == "healthy"
        assert body["api_status"] == {"openai": "connected", "baseten": "connected"}
        assert isinstance(body["uptime"], int)


def test_health_says_what_is_not_configured(
    start_gateway: StartGateway, gateway_database: Database
) -> None:
    url = start_gateway(gateway_database, SANDBOX_URL="").url
    body = requests.get(f"{url}/speech/health", timeout=10).json()
    assert body["api_status"] == {"openai": "connected", "baseten": "not_configured"}
    assert body["status"] == "healthy"


def test_status_counts_the_caller_s_own_calls(payer: Payer, make_payer: MakePayer) -> None:
    before = payer.get("/speech/status").json()
    assert set(before) == {
        *("active_requests", "cache_size", "memory_usage", "cpu_usage", "api_usage")
    }
    nothing = {"requests": 0, "tokens": 0}
    assert before["api_usage"] == {"openai": nothing, "baseten": nothing}
    answer_aloud(payer, new_text("Hello."))
    text = new_text()
    speak(payer, text)
    speak(make_payer(), new_text())
    after = payer.get("/speech/status").json()
    chat, first, second = payer.usage()
    assert after["api_usage"]["openai"] == {
        "requests": 1,
        "tokens": chat["input_tokens"] + chat["output_tokens"],
    }
    assert after["api_usage"]["baseten"] == {
        "requests": 2,
        "tokens": first["character_count"] + second["character_count"],
    }
    assert (after["active_requests"], after["cache_size"]) == (0, 2)
    assert int(after["memory_usage"].removesuffix("MB")) > 20
    assert 0 <= int(after["cpu_usage"].removesuffix("%")) <= 1000


def test_status_sees_a_call_that_is_under_way(payer: Payer) -> None:
    text = new_text("[[sandbox latency_ms=6000]] Slowly.")
    with ThreadPoolExecutor(1) as pool:
        speaking = pool.submit(speak, payer, text)
        seen = 0
        while not seen and not speaking.done():
            seen = payer.get("/speech/status").json()["active_requests"]
        assert seen == 1
        assert speaking.result().status_code == 200
    assert payer.get("/speech/status").json()["active_requests"] == 0


def test_status_is_for_callers_alone(gateway_url: str) -> None:
    answer = requests.get(f"{gateway_url}/speech/status", timeout=10)
    assert (answer.status_code, error_of(answer)["code"]) == (401, "AUTH_ERROR")


@pytest.fixture
def paced(
    open_database: None, start_gateway: StartGateway, gateway_database: Database
) -> Iterator[list[Payer]]:
    """One workspace at two gateways that keep one pace, and the key that it is counted by."""
    pace = {"PROVIDER_PACES": "baseten=2/min"}
    urls = [start_gateway(gateway_database, **pace).url for _ in range(2)]
    first = new_payer(url=urls[0])
    yield [
        first,
        Payer(
            workspace_id=first.workspace_id,
            app_key_id=first.app_key_id,
            key=first.key,
            url=urls[1],
        ),
    ]


def test_gateways_keep_a_provider_s_pace_together(paced: list[Payer]) -> None:
    mine = {"X-Baseten-Key": f"mine-{uuid.uuid4()}"}
    one, other = paced
    assert speak(one, new_text(), headers=mine).status_code == 200
    assert speak(other, new_text(), headers=mine).status_code == 200
    refused = speak(one, new_text(), headers=mine)
    error = error_of(refused)
    assert (refused.status_code, error["code"]) == (429, "RATE_LIMIT")
    assert 10 < error["details"]["retry_after"] <= 60
    assert refused.headers["Retry-After"] == str(error["details"]["retry_after"])
    assert len(one.usage()) == 2
    assert one.balance() == (GRANTED_UCR, 0)


def test_each_part_of_a_long_text_counts_towards_the_pace(paced: list[Payer]) -> None:
    mine = {"X-Baseten-Key": f"mine-{uuid.uuid4()}"}
    long_text = "The keeper lit the lamp again. " * 70 + new_text()
    assert speak(paced[0], long_text, headers=mine, speed=4).status_code == 200
    assert speak(paced[0], new_text(), headers=mine).status_code == 429


def test_calls_beyond_the_pace_wait_and_who_leaves_is_never_called_for(
    open_database: None, start_gateway: StartGateway, gateway_database: Database
) -> None:
    url = start_gateway(gateway_database, PROVIDER_PACES="baseten=1/s").url
    payer = new_payer(url=url)
    mine = {"X-Baseten-Key": f"mine-{uuid.uuid4()}"}
    assert speak(payer, new_text(), headers=mine).status_code == 200
    leave_at_once(payer, mine)
    assert speak(payer, new_text(), headers=mine).status_code == 200
    calls = rows("SELECT id FROM gateway_call WHERE workspace_id = %s", payer.workspace_id)
    assert (len(calls), len(payer.usage())) == (2, 2)


def leave_at_once(payer: Payer, headers: dict[str, str]) -> None:
    """Ask for speech and close the connection while the gateway has nothing to say yet."""
    prepared = requests.Request(
        "POST",
        f"{payer.url}/speech/generate",
        json={"text": new_text()},
        headers={"x-app-key": payer.key, "Connection": "close", **headers},
    ).prepare()
    where = urlsplit(payer.url)
    lines = [f"POST {prepared.path_url} HTTP/1.1", f"Host: {where.netloc}"]
    lines += [f"{name}: {value}" for name, value in prepared.headers.items()]
    assert isinstance(prepared.body, bytes)
    with socket.create_connection((where.hostname or "", where.port or 0), timeout=10) as sent:
        sent.sendall("\r\n".join([*lines, "", ""]).encode() + prepared.body)

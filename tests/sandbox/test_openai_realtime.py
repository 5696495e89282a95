"""The double's secrets for realtime sessions, by the official SDK and byte by byte."""

import json
import time
from typing import Any

import openai
import pytest

from tests.sandbox.caller import Answer, Caller

MODEL = "gpt-realtime-2.1"


def ask(caller: Caller, **fields: Any) -> Answer:
    """Ask for a secret without an SDK."""
    body = {"session": {"type": "realtime", "model": MODEL}, **fields}
    path = "/openai/v1/realtime/client_secrets"
    return caller.send("POST", path, body=json.dumps(body).encode())


def test_the_sdk_gets_a_secret_with_its_session(client: openai.OpenAI) -> None:
    before = int(time.time())
    given = client.realtime.client_secrets.create(
        expires_after={"anchor": "created_at", "seconds": 60},
        session={"type": "realtime", "model": MODEL, "audio": {"output": {"voice": "marin"}}},
    )
    assert given.value.startswith("ek_")
    assert before + 60 <= given.expires_at <= int(time.time()) + 60
    assert given.session.type == "realtime"
    assert given.session.model == MODEL
    assert given.session.audio is not None
    assert given.session.audio.output is not None
    assert given.session.audio.output.voice == "marin"


def test_each_secret_is_another(caller: Caller) -> None:
    assert ask(caller).json()["value"] != ask(caller).json()["value"]


def test_a_secret_lives_ten_minutes_unless_told(caller: Caller) -> None:
    before = int(time.time())
    assert before + 600 <= ask(caller).json()["expires_at"] <= int(time.time()) + 600


@pytest.mark.parametrize(
    "fields",
    [
        {"expires_after": {"seconds": 9}},
        {"expires_after": {"seconds": 7201}},
        {"expires_after": "soon"},
        {"session": None},
        {"session": {"model": MODEL}},
        {"session": {"type": "realtime", "model": "gpt-5"}},
        {"session": {"type": "realtime"}},
    ],
)
def test_what_openai_refuses_is_refused(caller: Caller, fields: dict[str, Any]) -> None:
    answer = ask(caller, **fields)
    assert answer.status == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_the_voice_asks_for_faults(caller: Caller) -> None:
    session = {"type": "realtime", "model": MODEL}
    output = {"output": {"voice": "[[sandbox status=500]]"}}
    assert ask(caller, session={**session, "audio": output}).status == 500

"""A route that fails before its first byte is followed by the next: one hold, one charge by the
route that answered, and a record of what failed.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django import DjangoDbBlocker

from gateway.operations.chat import ChatUsage
from tests.databases import WORKER, Facts, rows
from tests.gateway.conftest import Payer
from tests.gateway.route_stage import (
    GRANTED_UCR,
    Stage,
    charge_of,
    new_mark,
    only_usage,
    price_of,
    staged,
    strike,
)

PAIR = {"kind": "chat.pair"}
LONE = {"kind": "chat.lone"}
STREAM = {"stream": True, "stream_options": {"include_usage": True}}
BEFORE_THE_FIRST_BYTE = [
    ("status=500", "upstream_error", 500),
    ("status=502", "upstream_error", 502),
    ("status=503", "upstream_error", 503),
    ("status=504", "upstream_timeout", 504),
    ("status=529", "upstream_overloaded", 529),
    ("status=429", "upstream_overloaded", 429),
    ("status=429 retry_after=30", "upstream_overloaded", 429),
    ("status=429 code=insufficient_quota", "upstream_quota", 429),
    ("status=401", "upstream_error", 401),
    ("status=404", "upstream_error", 404),
    ("drop", "upstream_error", None),
    ("html", "upstream_invalid_response", None),
    ("empty", "upstream_invalid_response", None),
    ("wrong_json=0", "upstream_invalid_response", None),
]


@pytest.fixture(scope="module")
def stage(
    server_facts: Facts,
    gateway_environment: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Stage]:
    """One gateway whose providers are all the sandbox's."""
    directory = tmp_path_factory.mktemp("failover")
    name = f"studio_test_{WORKER}_failover"
    with (
        django_db_blocker.unblock(),
        staged(server_facts, name, directory, gateway_environment) as made,
    ):
        yield made


@pytest.fixture
def payer(stage: Stage) -> Payer:
    """A payer with 1 000 credits, and room in the budget for trying again."""
    stage.fill()
    return stage.payer()


def last_usage_chunk(body: bytes) -> dict[str, Any]:
    """Give the chunk of a stream that tells the usage."""
    lines = [line[6:] for line in body.splitlines() if line.startswith(b"data: ")]
    assert lines[-1] == b"[DONE]"
    chunk: dict[str, Any] = json.loads(lines[-2])
    return chunk


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize(("fault", "code", "status"), BEFORE_THE_FIRST_BYTE)
def test_what_fails_before_the_first_byte_is_answered_by_the_next_route_at_its_price(
    stage: Stage, payer: Payer, *, fault: str, code: str, status: int | None, stream: bool
) -> None:
    mark = new_mark()
    response = payer.say(strike(fault, mark), body=PAIR | (STREAM if stream else {}))
    assert response.status_code == 200, response.text
    if stream:
        assert last_usage_chunk(response.content)["model"] == "grok-4.3"
    else:
        assert response.json()["model"] == "grok-4.3"
    assert stage.sent(mark) == ["openai", "xai"]

    usage = only_usage(payer)
    assert (usage["provider"], usage["model"]) == ("xai", "grok-4.3")
    assert (usage["status"], usage["reason"], usage["attempts"]) == ("succeeded", "", 2)
    [failed] = json.loads(usage["attempt_log"])
    assert failed.pop("after_ms") >= 0
    assert failed == {"provider": "openai", "model": "gpt-5.5", "code": code, "status": status}

    assert usage["charge_ucr"] == charge_of(usage) > 0
    [entry] = payer.entries()
    assert (entry["kind"], entry["amount"]) == ("usage", usage["charge_ucr"])
    assert payer.balance() == (GRANTED_UCR - usage["charge_ucr"], 0)
    [call] = rows("SELECT * FROM gateway_call WHERE workspace_id = %s", payer.workspace_id)
    assert (call["state"], call["model"], call["attempts"]) == ("succeeded", "grok-4.3", 2)


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_a_silent_route_is_left_after_the_kinds_patience(
    stage: Stage, payer: Payer, *, stream: bool
) -> None:
    mark = new_mark()
    body = {"kind": "chat.impatient", **(STREAM if stream else {})}
    response = payer.say(strike("hang", mark), body=body)
    assert response.status_code == 200
    assert stage.sent(mark) == ["openai", "xai"]
    usage = only_usage(payer)
    [failed] = json.loads(usage["attempt_log"])
    assert (failed["code"], failed["status"]) == ("upstream_timeout", None)
    assert failed["after_ms"] >= 300
    assert usage["charge_ucr"] == charge_of(usage) > 0


def test_what_a_lost_attempt_may_have_cost_is_our_cost_and_nobody_s_charge(
    stage: Stage, payer: Payer
) -> None:
    mark = new_mark()
    assert payer.say(strike("drop", mark), body=PAIR).status_code == 200
    assert payer.say(strike("status=500", new_mark()), body=PAIR).status_code == 200
    lost, refused = payer.usage()
    [call, _] = rows(
        "SELECT input_estimate FROM gateway_call WHERE workspace_id = %s ORDER BY id",
        payer.workspace_id,
    )
    used = ChatUsage(input_tokens=call["input_estimate"], output_tokens=0)
    lost_ucr = price_of("openai", "gpt-5.5").cost_ucr(used)
    assert lost_ucr > 0
    own_ucr = {row["request_id"]: row["cost_ucr"] for row in (lost, refused)}
    assert own_ucr[lost["request_id"]] - lost_ucr > 0
    assert lost["charge_ucr"] == charge_of(lost)
    assert refused["charge_ucr"] == charge_of(refused)
    # What xAI says a call costs is its tokens at its own price, here as in the book.
    for row, extra_ucr in ((lost, lost_ucr), (refused, 0)):
        tokens = ChatUsage(input_tokens=row["input_tokens"], output_tokens=row["output_tokens"])
        assert row["cost_ucr"] == price_of("xai", "grok-4.3").cost_ucr(tokens) + extra_ucr


def test_an_error_as_a_streams_first_word_is_met_by_the_next_route(
    stage: Stage, payer: Payer
) -> None:
    mark = new_mark()
    response = payer.say(strike("error_event=0", mark), body=PAIR | STREAM)
    assert last_usage_chunk(response.content)["model"] == "grok-4.3"
    assert b'"error"' not in response.content
    assert stage.sent(mark) == ["openai", "xai"]
    assert only_usage(payer)["attempts"] == 2


def test_nothing_is_tried_again_after_the_first_output(stage: Stage, payer: Payer) -> None:
    mark = new_mark()
    text = strike("chunks=20 error_event=8 chunk_delay_ms=5", mark)
    response = payer.say(text, body=PAIR | STREAM)
    assert b'"error"' in response.content
    assert stage.sent(mark) == ["openai"]
    usage = only_usage(payer)
    assert (usage["status"], usage["attempts"], usage["attempt_log"]) == ("interrupted", 1, None)
    assert usage["charge_ucr"] == charge_of(usage) > 0


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_a_refusal_is_the_callers_and_is_not_tried_elsewhere(
    stage: Stage, payer: Payer, *, stream: bool
) -> None:
    mark = new_mark()
    body = PAIR | (STREAM if stream else {})
    assert payer.say(strike("status=400", mark), body=body).status_code == 400
    assert stage.sent(mark) == ["openai"]
    usage = only_usage(payer)
    assert (usage["status"], usage["attempts"], usage["attempt_log"]) == ("failed", 1, None)
    assert payer.balance() == (GRANTED_UCR, 0)


def test_when_every_route_fails_the_last_failure_is_told_and_nothing_moves(
    stage: Stage, payer: Payer
) -> None:
    mark = new_mark()
    response = payer.say(strike("status=503 retry_after=7", mark, times=9), body=PAIR)
    assert response.status_code == 502
    assert response.headers["retry-after"] == "7"
    assert stage.sent(mark) == ["openai", "xai"]
    usage = only_usage(payer)
    assert (usage["status"], usage["provider"], usage["attempts"]) == ("failed", "xai", 2)
    assert [attempt["provider"] for attempt in json.loads(usage["attempt_log"])] == ["openai"]
    assert (usage["charge_ucr"], usage["cost_ucr"]) == (0, 0)
    assert payer.balance() == (GRANTED_UCR, 0)
    assert [entry["kind"] for entry in payer.entries()] == ["void"]


def test_at_most_four_routes_are_tried(stage: Stage, payer: Payer) -> None:
    stage.fill()
    stage.fill()
    mark = new_mark()
    response = payer.say(strike("status=500", mark, times=9), body={"kind": "chat.many"})
    assert response.status_code == 502
    assert stage.sent(mark) == ["openai"] * 4
    usage = only_usage(payer)
    logged = [attempt["model"] for attempt in json.loads(usage["attempt_log"])]
    assert [*logged, usage["model"]] == ["gpt-5.5", "gpt-5.4", "gpt-5.2", "gpt-5.1"]


@pytest.mark.parametrize("fault", ["status=500", "status=529", "status=429 retry_after=0"])
def test_the_only_route_is_asked_once_more_where_it_did_nothing(
    stage: Stage, payer: Payer, fault: str
) -> None:
    mark = new_mark()
    assert payer.say(strike(fault, mark), body=LONE).status_code == 200
    assert stage.sent(mark) == ["openai", "openai"]
    usage = only_usage(payer)
    assert (usage["attempts"], usage["charge_ucr"]) == (2, charge_of(usage))
    stage.fill()
    other = new_mark()
    assert payer.say(strike(fault, other, times=9), body=LONE).status_code in (502, 503)
    assert stage.sent(other) == ["openai", "openai"]


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ("drop", 502),
        ("html", 502),
        ("status=429 retry_after=9", 503),
        ("status=503 retry_after=9", 502),
        ("status=429 code=insufficient_quota", 503),
        ("status=504", 504),
    ],
)
def test_the_only_route_is_not_asked_again_where_it_may_have_worked_or_said_later(
    stage: Stage, payer: Payer, fault: str, status: int
) -> None:
    mark = new_mark()
    response = payer.say(strike(fault, mark), body=LONE)
    assert response.status_code == status
    assert stage.sent(mark) == ["openai"]
    if "retry_after" in fault:
        assert response.headers["retry-after"] == "9"
    assert payer.balance() == (GRANTED_UCR, 0)


def test_the_hold_covers_the_dearest_route_and_the_charge_is_the_cheap_one_s(
    payer: Payer,
) -> None:
    body = {"kind": "chat.thrifty", "max_tokens": 1000, **STREAM}
    dear = price_of("openai", "gpt-6-astra")
    with payer.say("Hello!", body=body, stream=True) as response:
        held_ucr = round(float(response.headers["x-credits-held"]) * 1_000_000)
        assert response.content.endswith(b"data: [DONE]\n\n")
    assert dear.ceiling_ucr(1, 1000, 2000) < held_ucr < dear.ceiling_ucr(200, 1000, 2000)
    usage = only_usage(payer)
    assert usage["model"] == "gpt-6-luna"
    assert usage["charge_ucr"] == charge_of(usage) < held_ucr // 100
    assert payer.balance() == (GRANTED_UCR - usage["charge_ucr"], 0)


def test_a_wallet_too_thin_for_the_dear_route_is_served_by_the_cheap_one(stage: Stage) -> None:
    payer = stage.payer(credits=20)
    body = {"kind": "chat.thrifty", "max_tokens": 1000}
    assert payer.say("Hello!", body=body).status_code == 200
    assert only_usage(payer)["model"] == "gpt-6-luna"
    mark = new_mark()
    assert payer.say(strike("status=500", mark, times=9), body=body).status_code == 502
    assert set(stage.sent(mark)) == {"openai"}
    models = [row["model"] for row in payer.usage()]
    assert models == ["gpt-6-luna", "gpt-6-luna"]
    poor = stage.payer(credits=0.01)
    assert poor.say("Hello!", body=body).status_code == 402
    assert poor.balance() == (10_000, 0)

"""Idempotency-Key: one provider call, one charge, the same bytes again; other bodies and twins are
told apart.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

from tests.gateway.conftest import CHAT, Payer
from tests.sandbox.caller import Caller as Sandbox


def test_the_same_key_and_body_get_the_stored_answer_from_one_provider_call(
    payer: Payer, sandbox_url: str
) -> None:
    mark = f"mark-{uuid4()}"
    headers = {"idempotency-key": str(uuid4())}
    first = payer.say(mark, headers=headers)
    again = payer.say(mark, headers=headers)
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.content == first.content
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert len(Sandbox(url=sandbox_url).journal(contains=mark)) == 1
    assert len(payer.entries()) == 1
    assert len(payer.usage()) == 1


def test_a_streamed_answer_is_replayed_byte_for_byte(payer: Payer) -> None:
    headers = {"idempotency-key": str(uuid4())}
    first = payer.say("stream me", headers=headers, body={"stream": True})
    again = payer.say("stream me", headers=headers, body={"stream": True})
    assert first.content.endswith(b"data: [DONE]\n\n")
    assert again.content == first.content
    assert again.headers["content-type"] == "text/event-stream"
    assert len(payer.entries()) == 1


def test_another_body_or_path_under_the_same_key_is_422_and_does_nothing(payer: Payer) -> None:
    headers = {"idempotency-key": str(uuid4())}
    assert payer.say("one", headers=headers).status_code == 200
    assert payer.say("two", headers=headers).status_code == 422
    other_path = payer.post("/v1/chat/completions", json=CHAT, headers=headers)
    assert other_path.status_code == 422
    assert other_path.json()["error"]["type"] == "idempotency_mismatch"
    assert len(payer.entries()) == 1


def test_concurrent_twins_make_one_call_and_one_charge(payer: Payer, sandbox_url: str) -> None:
    mark = f"mark-{uuid4()}"
    headers = {"idempotency-key": str(uuid4())}
    text = f"{mark} [[sandbox latency_ms=400]]"
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: payer.say(text, headers=headers), range(8)))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses.count(200) >= 1
    assert set(statuses) <= {200, 409}
    refused = next(answer for answer in answers if answer.status_code == 409)
    assert refused.headers["retry-after"] == "2"
    assert len({answer.content for answer in answers if answer.status_code == 200}) == 1
    assert len(Sandbox(url=sandbox_url).journal(contains=mark)) == 1
    assert len(payer.entries()) == 1
    assert payer.balance()[1] == 0


def test_a_failure_releases_the_key_so_that_a_retry_really_retries(
    payer: Payer, sandbox_url: str
) -> None:
    mark = uuid4()
    headers = {"idempotency-key": str(uuid4())}
    text = f"[[sandbox html times=1 tag={mark}]] hello"
    lone = {"kind": None, "model": "gpt-5.5"}  # no other route, and none that is asked twice
    assert payer.say(text, headers=headers, body=lone).status_code == 502
    assert payer.say(text, headers=headers, body=lone).status_code == 200
    assert [usage["status"] for usage in payer.usage()] == ["failed", "succeeded"]
    assert payer.usage()[0]["charge_ucr"] == 0


def test_half_an_answer_is_paid_once_whoever_asks_again(payer: Payer, sandbox_url: str) -> None:
    mark = f"mark-{uuid4()}"
    headers = {"idempotency-key": str(uuid4())}
    text = f"{mark} [[sandbox chunks=12 cut_at=1500]]"
    broken = payer.say(text, headers=headers, body={"stream": True})
    assert broken.status_code == 200
    assert b'"error"' in broken.content
    again = payer.say(text, headers=headers, body={"stream": True})
    assert again.status_code == 409
    assert "broke off" in again.json()["error"]
    assert len(Sandbox(url=sandbox_url).journal(contains=mark)) == 1
    [entry] = payer.entries()
    assert entry["kind"] == "usage"


def test_a_refusal_stores_nothing(make_payer: Callable[..., Payer]) -> None:
    payer = make_payer()
    headers = {"idempotency-key": str(uuid4())}
    assert payer.post(json={"kind": "chat.default"}, headers=headers).status_code == 400
    assert payer.say("hello", headers=headers).status_code == 200


def test_another_workspace_does_not_meet_the_key(make_payer: Callable[..., Payer]) -> None:
    headers = {"idempotency-key": "shared"}
    one, other = make_payer(), make_payer()
    assert one.say("hello", headers=headers).status_code == 200
    answer = other.say("hello", headers=headers)
    assert answer.status_code == 200
    assert "idempotent-replayed" not in answer.headers
    assert len(other.entries()) == 1


def test_an_unreadable_key_is_400(payer: Payer) -> None:
    for key in ("x" * 256, "caf\xe9"):
        response = payer.say("hello", headers={"idempotency-key": key.encode("latin-1")})
        assert response.status_code == 400
    assert payer.entries() == []

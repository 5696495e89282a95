"""Providers that fail are left alone, as callers of running gateways see it."""

import json
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
from pytest_django import DjangoDbBlocker

from studio.supervisor.processes import free_port
from tests.databases import WORKER, Facts, rows
from tests.gateway.conftest import Payer
from tests.gateway.route_stage import Stage, new_mark, staged
from tests.running import Gateway, run_gateway

PAIR = {"kind": "chat.pair"}
LONE = {"kind": "chat.lone"}
OTHER = {"kind": "chat.grok"}


@dataclass(frozen=True, kw_only=True)
class Providers:
    """Starts gateways whose providers are no sandbox to them, so that their breakers open."""

    stage: Stage
    start: Callable[..., Gateway]

    def gateway(self, **environment: str) -> Gateway:
        """Start one. Its keys are new, so that its circuits are its own."""
        return self.start(self.keys() | environment)

    def keys(self) -> dict[str, str]:
        """Make a set of keys and addresses."""
        url, run = self.stage.sandbox_url, uuid.uuid4().hex[:8]
        return {
            "SANDBOX_URL": "",
            "OPENAI_API_KEY": f"sk-{run}",
            "OPENAI_BASE_URL": f"{url}/openai/v1",
            "XAI_API_KEY": f"xai-{run}",
            "XAI_BASE_URL": f"{url}/xai/v1",
        }

    def payer(self, gateway: Gateway) -> Payer:
        """Make a payer of this gateway."""
        made = self.stage.payer(tier="vip_founder", credits=50_000)
        return Payer(**{**vars(made), "url": gateway.url})


@pytest.fixture(scope="module")
def stage(
    server_facts: Facts,
    gateway_environment: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Stage]:
    """One database with the kinds of these tests."""
    directory = tmp_path_factory.mktemp("breaker")
    name = f"studio_test_{WORKER}_breaker"
    with (
        django_db_blocker.unblock(),
        staged(server_facts, name, directory, gateway_environment) as made,
    ):
        yield made


@pytest.fixture
def providers(
    stage: Stage, gateway_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Providers]:
    """Start gateways and stop them afterwards."""
    started: list[Gateway] = []

    def start(environment: dict[str, str]) -> Gateway:
        urls = {
            "DATABASE_URL": stage.database.app_url,
            "DATABASE_OWNER_URL": stage.database.owner_url,
        }
        directory = tmp_path_factory.mktemp("gateway")
        started.append(run_gateway(directory, gateway_environment | urls | environment))
        return started[-1]

    yield Providers(stage=stage, start=start)
    for gateway in started:
        gateway.stop()


def wait_until(is_so: Callable[[], bool], within_s: int = 15) -> None:
    """Ask again until it is so."""
    for _ in range(within_s * 5):
        if is_so():
            return
        rows("SELECT pg_sleep(0.2)::text")
    raise AssertionError(f"not so within {within_s} s")


def brown_out(payer: Payer, calls: int = 60) -> list[int]:
    """Call a single route from many sides while every second call fails."""

    def ask(number: int) -> int:
        text = "[[sandbox status=500]] x" if number % 2 else "Hello!"
        return payer.say(text, body=LONE).status_code

    with ThreadPoolExecutor(12) as pool:
        return list(pool.map(ask, range(calls)))


def test_a_brown_out_opens_it_others_go_on_and_it_recovers(providers: Providers) -> None:
    payer = providers.payer(providers.gateway())
    statuses = brown_out(payer)
    assert {200, 502, 503} == set(statuses)
    refused = payer.say("Hello!", body=LONE)
    assert (refused.status_code, refused.json()["error"][:9]) == (503, "The provi")
    assert 1 <= int(refused.headers["retry-after"]) <= 5
    assert payer.say("Hello!", body=OTHER).status_code == 200
    assert payer.say("Hello!", body=PAIR).json()["model"] == "grok-4.3"
    wait_until(lambda: payer.say("Hello!", body=LONE).status_code == 200)
    assert payer.say("Hello!", body=PAIR).json()["model"] == "gpt-5.5"
    assert payer.balance()[1] == 0


def test_two_processes_share_it(providers: Providers) -> None:
    keys = providers.keys()
    one, other = (providers.payer(providers.start(keys)) for _ in range(2))
    assert other.say("Hello!", body=LONE).status_code == 200
    brown_out(one)
    wait_until(lambda: other.say("Hello!", body=LONE).status_code == 503, within_s=3)
    assert other.say("Hello!", body=PAIR).json()["model"] == "grok-4.3"
    wait_until(lambda: other.say("Hello!", body=LONE).status_code == 200)
    wait_until(lambda: one.say("Hello!", body=LONE).status_code == 200)


def test_a_provider_that_cannot_be_connected_is_left_alone_after_five_calls(
    providers: Providers,
) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}/v1"
    payer = providers.payer(providers.gateway(OPENAI_BASE_URL=nowhere))
    answers = [payer.say("Hello!", body=PAIR) for _ in range(7)]
    assert [answer.json()["model"] for answer in answers] == ["grok-4.3"] * 7
    assert [row["attempts"] for row in payer.usage()] == [2] * 5 + [1] * 2
    assert {row["cost_ucr"] > 0 for row in payer.usage()} == {True}
    alone = payer.say("Hello!", body=LONE)
    assert alone.status_code == 503


def test_a_spent_quota_is_met_once_and_not_again_for_a_minute(
    providers: Providers,
) -> None:
    keys = providers.keys() | {"OPENAI_API_KEY": f"sk-quota-{uuid.uuid4().hex[:8]}"}
    one, other = (providers.payer(providers.start(keys)) for _ in range(2))
    for _ in range(3):
        assert one.say("Hello!", body=PAIR).json()["model"] == "grok-4.3"
    first, *later = one.usage()
    [failed] = json.loads(first["attempt_log"])
    assert (failed["code"], failed["status"]) == ("upstream_quota", 429)
    assert [(row["attempts"], row["attempt_log"]) for row in later] == [(1, None)] * 2
    refused = one.say("Hello!", body=LONE)
    assert (refused.status_code, 55 < int(refused.headers["retry-after"]) <= 60) == (503, True)
    # The other process meets it too, unless it has heard of it: a word takes half a second.
    wait_until(lambda: _attempts(other) == 1, within_s=3)


def test_a_rate_limit_lets_the_model_rest_for_as_long_as_was_said(providers: Providers) -> None:
    payer = providers.payer(providers.gateway())
    mark = new_mark()
    text = f"[[sandbox status=429 retry_after=3 times=1 tag={mark}]] {mark}"
    assert payer.say(text, body=PAIR).json()["model"] == "grok-4.3"
    assert payer.say(mark, body=PAIR).json()["model"] == "grok-4.3"
    assert payer.say(mark, body={"kind": "chat.default"}).status_code == 200
    refused = payer.say("Hello!", body=LONE)
    assert (refused.status_code, int(refused.headers["retry-after"]) <= 3) == (503, True)
    assert providers.stage.sent(mark)[:3] == ["openai", "xai", "xai"]
    wait_until(lambda: payer.say("Hello!", body=PAIR).json()["model"] == "gpt-5.5")


def test_refused_credentials_of_ours_are_not_tried_again_for_a_minute(
    providers: Providers,
) -> None:
    payer = providers.payer(providers.gateway(OPENAI_API_KEY="sk-invalid-" + new_mark()))
    answers = [payer.say("Hello!", body=PAIR) for _ in range(3)]
    assert [answer.json()["model"] for answer in answers] == ["grok-4.3"] * 3
    assert [row["attempts"] for row in payer.usage()] == [2, 1, 1]


def test_a_user_s_spent_key_opens_nothing(providers: Providers) -> None:
    payer = providers.payer(providers.gateway())
    for _ in range(3):
        answer = payer.say("Hello!", body=LONE, headers={"x-user-openai-key": "sk-quota"})
        assert answer.status_code == 429
    assert payer.say("Hello!", body=LONE).status_code == 200


def _attempts(payer: Payer) -> int:
    assert payer.say("Hello!", body=PAIR).status_code == 200
    last: dict[str, Any] = payer.usage()[-1]
    attempts: int = last["attempts"]
    return attempts

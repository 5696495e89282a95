"""Providers that fail are left alone: when, for how long, by whom, and who tries them again."""

import json
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
import redis.asyncio
from pytest_django import DjangoDbBlocker
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from gateway.breaker import Breaker, Circuit
from gateway.providers import find_provider
from gateway.transport import Upstream
from studio.supervisor.processes import free_port
from tests.databases import WORKER, Facts
from tests.gateway.conftest import Payer, rows
from tests.gateway.route_stage import Stage, new_mark, staged
from tests.running import Gateway, run_gateway

PAIR = {"kind": "chat.pair"}
LONE = {"kind": "chat.lone"}
OTHER = {"kind": "chat.grok"}
MODEL = "gpt-5.5"


Make = Callable[[Callable[[], float]], Breaker]


@dataclass
class Clock:
    """A clock that tests move."""

    now_s: float = 1000.0

    def __call__(self) -> float:
        return self.now_s


def circuit_at(clock: Clock, *, trips: bool = True, alone: bool = True) -> Circuit:
    """Make a circuit that nobody else decides about."""
    return Circuit("openai:test", trips=trips, alone=alone, clock=clock)


def fail(circuit: Circuit, times: int, *, connecting: bool = False) -> None:
    """Let calls fail one after the other."""
    for _ in range(times):
        circuit.failed(connecting=connecting)


def alternate(circuit: Circuit, calls: int) -> None:
    """Let every second call fail, the last one too."""
    for number in range(calls):
        if number % 2:
            circuit.failed()
        else:
            circuit.succeeded()


def test_half_of_twenty_calls_within_ten_seconds_open_it() -> None:
    clock = Clock()
    circuit = circuit_at(clock)
    alternate(circuit, 18)
    assert (circuit.is_open, circuit.wait_s(MODEL)) == (False, 0)
    alternate(circuit, 2)
    assert (circuit.is_open, circuit.wait_s(MODEL)) == (True, 5)
    assert not circuit.enter(MODEL)


def test_failures_of_more_than_ten_seconds_ago_are_forgotten() -> None:
    clock = Clock()
    circuit = circuit_at(clock)
    alternate(circuit, 18)
    clock.now_s += 10
    alternate(circuit, 18)
    assert not circuit.is_open


def test_fewer_failures_than_half_do_not_open_it() -> None:
    circuit = circuit_at(Clock())
    for _ in range(10):
        for _ in range(5):
            circuit.succeeded()
        fail(circuit, 4)
    assert not circuit.is_open


@pytest.mark.parametrize(("connecting", "times"), [(True, 5), (False, 10)])
def test_failures_in_a_row_open_it_and_a_success_between_them_does_not(
    *, connecting: bool, times: int
) -> None:
    circuit = circuit_at(Clock())
    fail(circuit, times - 1, connecting=connecting)
    circuit.succeeded()
    fail(circuit, times - 1, connecting=connecting)
    assert not circuit.is_open
    fail(circuit, 1, connecting=connecting)
    assert circuit.is_open


def test_after_five_seconds_one_call_tries_and_its_success_closes_it() -> None:
    clock = Clock()
    circuit = circuit_at(clock)
    fail(circuit, 10)
    clock.now_s += 4.9
    assert not circuit.enter(MODEL)
    clock.now_s += 0.1
    assert circuit.wait_s(MODEL) == 0
    assert circuit.enter(MODEL)
    assert not circuit.enter(MODEL)
    circuit.succeeded()
    assert (circuit.is_open, circuit.enter(MODEL)) == (False, True)
    fail(circuit, 9)
    assert not circuit.is_open


def test_a_try_that_fails_keeps_it_open_for_another_five_seconds() -> None:
    clock = Clock()
    circuit = circuit_at(clock)
    fail(circuit, 10)
    clock.now_s += 5
    assert circuit.enter(MODEL)
    clock.now_s += 1
    circuit.failed()
    assert circuit.wait_s(MODEL) == 5


def test_a_try_that_nobody_hears_of_again_makes_way_for_another() -> None:
    clock = Clock()
    circuit = circuit_at(clock)
    fail(circuit, 10)
    clock.now_s += 5
    assert circuit.enter(MODEL)
    clock.now_s += 4.9
    assert not circuit.enter(MODEL)
    clock.now_s += 0.1
    assert circuit.enter(MODEL)


@pytest.mark.parametrize(("told_s", "wait_s"), [(None, 60), (7, 60), (300, 300), (10**6, 3600)])
def test_a_spent_quota_opens_it_for_a_minute_or_as_long_as_was_said(
    told_s: int | None, wait_s: int
) -> None:
    circuit = circuit_at(Clock())
    circuit.open_for(told_s)
    assert circuit.wait_s(MODEL) == wait_s


def test_retry_after_lets_one_model_rest_for_a_minute_at_most() -> None:
    clock = Clock()
    circuit = circuit_at(clock)
    circuit.rest(MODEL, 7)
    assert (circuit.wait_s(MODEL), circuit.wait_s("gpt-5.4")) == (7, 0)
    assert (circuit.enter(MODEL), circuit.enter("gpt-5.4")) == (False, True)
    clock.now_s += 7
    assert circuit.enter(MODEL)
    circuit.rest(MODEL, 3600)
    assert circuit.wait_s(MODEL) == 60


def test_the_sandbox_s_never_opens() -> None:
    circuit = circuit_at(Clock(), trips=False)
    fail(circuit, 100, connecting=True)
    circuit.open_for(60)
    circuit.rest(MODEL, 60)
    assert (circuit.is_open, circuit.wait_s(MODEL)) == (False, 0)


def upstream(*, key: str, sandbox: bool = False, user_key: bool = False) -> Upstream:
    """Name OpenAI by a key."""
    provider = find_provider("openai")
    assert provider is not None
    return Upstream(
        provider=provider, base_url="https://x", key=key, sandbox=sandbox, user_key=user_key
    )


@pytest.fixture
async def breakers(server_facts: Facts) -> AsyncIterator[Make]:
    """Make breakers as two processes have them, on one Redis."""
    made: list[Breaker] = []

    def make(clock: Callable[[], float] = time.monotonic) -> Breaker:
        client = redis.asyncio.Redis.from_url(server_facts.redis_url)
        made.append(Breaker(client, clock=clock))
        return made[-1]

    yield make
    for breaker in made:
        await breaker.close()


async def two_circuits(
    make: Make, clock: Callable[[], float] = time.monotonic
) -> tuple[list[Breaker], list[Circuit]]:
    """Make the same circuit in two processes that have heard of each other, the first's time told
    by `clock`.
    """
    pair = [make(clock), make(time.monotonic)]
    ours = upstream(key=f"sk-{uuid.uuid4()}")
    circuits = [breaker.circuit(ours) for breaker in pair]
    for breaker in pair:
        await breaker.sync()
    return pair, circuits


async def test_what_one_process_opens_is_open_for_the_other_after_one_word_each(
    breakers: Make,
) -> None:
    (one, other), (mine, theirs) = await two_circuits(breakers)
    fail(mine, 10)
    await one.sync()
    await other.sync()
    assert theirs.is_open
    assert 4 < theirs.wait_s(MODEL) <= 5


async def test_failures_of_several_processes_count_together(
    breakers: Make,
) -> None:
    (one, other), (mine, theirs) = await two_circuits(breakers)
    for circuit in (mine, theirs):
        fail(circuit, 5)
        for _ in range(5):
            circuit.succeeded()
    assert (mine.is_open, theirs.is_open) == (False, False)
    await one.sync()
    await other.sync()
    await one.sync()
    assert (mine.is_open, theirs.is_open) == (True, True)


async def test_one_process_alone_may_try_and_its_success_closes_it_for_both(
    breakers: Make,
) -> None:
    clock = Clock()
    (one, other), (mine, theirs) = await two_circuits(breakers, clock)
    fail(mine, 10)
    clock.now_s += 5
    await one.sync()
    await other.sync()
    assert not theirs.enter(MODEL)
    while not mine.enter(MODEL):  # what is left of the five seconds is a millisecond
        await one.sync()
    await other.sync()
    assert (mine.enter(MODEL), theirs.enter(MODEL)) == (False, False)
    mine.succeeded()
    await one.sync()
    await other.sync()
    assert (mine.is_open, theirs.is_open) == (False, False)
    assert theirs.enter(MODEL)


async def test_a_rest_is_kept_by_both(breakers: Make) -> None:
    (one, other), (mine, theirs) = await two_circuits(breakers)
    mine.rest(MODEL, 30)
    await one.sync()
    await other.sync()
    assert 29 < theirs.wait_s(MODEL) <= 30
    assert theirs.wait_s("gpt-5.4") == 0


async def test_other_keys_and_users_own_keys_are_apart(breakers: Make) -> None:
    one, other = breakers(time.monotonic), breakers(time.monotonic)
    fail(one.circuit(upstream(key="sk-one")), 10)
    users = upstream(key="sk-user", user_key=True)
    fail(one.circuit(users), 10)
    await one.sync()
    assert not other.circuit(upstream(key="sk-other")).is_open
    await other.sync()
    assert not other.circuit(upstream(key="sk-other")).is_open
    assert one.circuit(users).is_open
    assert not one.circuit(upstream(key="sk-user-2", user_key=True)).is_open
    assert not other.circuit(users).is_open


async def test_an_emptied_redis_closes_what_it_forgot(breakers: Make, server_facts: Facts) -> None:
    (one, _), (mine, _) = await two_circuits(breakers)
    fail(mine, 10)
    await one.sync()
    async with redis.asyncio.Redis.from_url(server_facts.redis_url) as client:
        for name in await client.keys("breaker:*"):
            await client.delete(name)
    assert mine.is_open
    await one.sync()
    assert not mine.is_open


async def test_without_redis_a_process_decides_for_itself() -> None:
    away = f"redis://127.0.0.1:{free_port()}/0"
    client = redis.asyncio.Redis.from_url(away, retry=Retry(NoBackoff(), 0))
    breaker = Breaker(client)
    circuit = breaker.circuit(upstream(key="sk-ours"))
    await breaker.sync()
    fail(circuit, 10)
    await breaker.sync()
    assert circuit.is_open
    assert not circuit.enter(MODEL)
    assert circuit.alone
    await breaker.close()


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

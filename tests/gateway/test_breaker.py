"""Providers that fail are left alone: when, for how long, by whom, and who tries them again."""

import time
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from gateway.breaker import Breaker, Circuit
from gateway.providers import find_provider
from gateway.transport import Upstream
from studio.supervisor.processes import free_port
from tests.databases import Facts

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

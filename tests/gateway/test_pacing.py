"""Paces towards providers: no window ever holds more, whoever asks; refused, or given back."""

import subprocess
import sys
import uuid
from collections.abc import Iterable

import pytest
import redis.asyncio
from hypothesis import given
from hypothesis import strategies as st

from gateway.paces import Limit, PaceInvalid, operators_paces, read_paces
from gateway.pacing import Booking, CallerLeft, LocalPaces, Pacer, TooManyWaiting
from gateway.providers import find_provider
from gateway.transport import Upstream
from tests.databases import Facts

SECOND = 1_000_000
Bookings = list[tuple[int, int]]


def pace_of(words: str) -> tuple[Limit, ...]:
    return operators_paces({"somebody": words})["somebody"].limits


def keeps(bookings: Bookings, limits: Iterable[Limit]) -> bool:
    """Tell whether no window of any limit holds more than it may. Bookings are in order."""
    for limit in limits:
        window, first, used = limit.window_s * SECOND, 0, 0
        for at, tokens in bookings:
            used += limit.cost(tokens)
            while bookings[first][0] <= at - window:
                used -= limit.cost(bookings[first][1])
                first += 1
            if used > limit.most:
                return False
    return True


def upstream(key: str) -> Upstream:
    provider = find_provider("openai")
    assert provider is not None
    return Upstream(provider=provider, base_url="http://nobody", key=key, sandbox=True)


def redis_pacer(url: str, words: str, *, patience_s: float = 10) -> Pacer:
    client = redis.asyncio.Redis.from_url(url, socket_connect_timeout=1)
    return Pacer(client, {"": operators_paces({"openai": words})}, patience_s=patience_s)


@pytest.mark.parametrize("words", ["3/s 100/min", "10/s 5000t/min", "4000/s 4500t/h"])
def test_processes_together_keep_every_window(server_facts: Facts, words: str) -> None:
    name = f"test:{uuid.uuid4()}"
    command = [sys.executable, "-m", "tests.gateway.pace_walker", server_facts.redis_url, name]
    walkers = [
        subprocess.Popen([*command, words, "60"], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    printed = [walker.communicate(timeout=60)[0].split("\n")[:-1] for walker in walkers]
    each = [[tuple(map(int, line.split())) for line in lines] for lines in printed]
    assert [len(lines) for lines in each] == [60, 60, 60]
    assert all(local == 0 for lines in each for _, _, local in lines)
    assert all(lines == sorted(lines, key=lambda line: line[0]) for lines in each)
    bookings = sorted((at, tokens) for lines in each for at, tokens, _ in lines)
    assert keeps(bookings, pace_of(words))


@given(
    st.lists(st.tuples(st.integers(0, 3 * SECOND), st.integers(1, 60)), min_size=1, max_size=60),
    st.sampled_from(["3/s", "2/s 40t/s", "5/s 9/min 100t/min", "4000/s 50t/s"]),
)
def test_one_process_alone_keeps_every_window_too(steps: Bookings, words: str) -> None:
    now_s = [1.0]
    paces = LocalPaces(lambda: now_s[0])
    [pace] = operators_paces({"somebody": words}).values()
    made: Bookings = []
    for pause_us, tokens in steps:
        now_s[0] += pause_us / SECOND
        booking = paces.book("name", pace, tokens, patience_us=20 * SECOND)
        if booking.at_us:
            made.append((booking.at_us, tokens))
    assert made == sorted(made, key=lambda each: each[0])
    assert keeps(made, pace.limits)


async def test_what_fits_goes_at_once_and_what_comes_behind_waits(server_facts: Facts) -> None:
    pacer = redis_pacer(server_facts.redis_url, "2/min")
    [pace] = operators_paces({"openai": "2/min"}).values()
    name = f"test:{uuid.uuid4()}"
    first, second, third = [await pacer.book(name, pace, 1) for _ in range(3)]
    assert (first.wait_us, second.wait_us, third.at_us) == (0, 0, 0)
    assert 50 * SECOND < third.wait_us <= 60 * SECOND
    await pacer.close()


async def test_a_refused_call_books_nothing(server_facts: Facts) -> None:
    pacer = redis_pacer(server_facts.redis_url, "100t/min", patience_s=59)
    [pace] = operators_paces({"openai": "100t/min"}).values()
    name = f"test:{uuid.uuid4()}"
    assert (await pacer.book(name, pace, 60)).wait_us == 0
    assert (await pacer.book(name, pace, 60)).at_us == 0
    assert (await pacer.book(name, pace, 40)).wait_us == 0
    await pacer.close()


async def test_more_tokens_than_there_are_wait_for_all_of_them(server_facts: Facts) -> None:
    pacer = redis_pacer(server_facts.redis_url, "100t/min")
    [pace] = operators_paces({"openai": "100t/min"}).values()
    name = f"test:{uuid.uuid4()}"
    assert (await pacer.book(name, pace, 5000)).wait_us == 0
    assert (await pacer.book(name, pace, 1)).at_us == 0
    await pacer.close()


async def test_the_last_moment_may_be_given_back(server_facts: Facts) -> None:
    pacer = redis_pacer(server_facts.redis_url, "1/s", patience_s=100)
    [pace] = operators_paces({"openai": "1/s 100t/h"}).values()
    name = f"test:{uuid.uuid4()}"
    first, second, third = [await pacer.book(name, pace, 10) for _ in range(3)]
    await pacer.give_back(name, pace, 10, second)
    assert (await pacer.book(name, pace, 10)).at_us == third.at_us + SECOND
    fourth = Booking(third.at_us + SECOND, 0)
    await pacer.give_back(name, pace, 10, fourth)
    await pacer.give_back(name, pace, 10, third)
    assert (await pacer.book(name, pace, 10)).at_us == third.at_us
    assert second.at_us == first.at_us + SECOND
    await pacer.close()


async def test_keys_are_counted_apart_and_surfaces_together(server_facts: Facts) -> None:
    pacer = redis_pacer(server_facts.redis_url, "1/min")
    one, other = upstream(f"key-{uuid.uuid4()}"), upstream(f"key-{uuid.uuid4()}")
    await pacer.keep("speech", one, tokens=1, client_left=None)
    await pacer.keep("speech", other, tokens=1, client_left=None)
    with pytest.raises(TooManyWaiting) as refused:
        await pacer.keep("studio", one, tokens=1, client_left=None)
    assert 50 <= int(refused.value.headers["Retry-After"]) <= 60
    assert str(refused.value.details["retry_after"]) == refused.value.headers["Retry-After"]
    await pacer.close()


async def test_who_leaves_waits_no_longer_and_gives_the_moment_back(server_facts: Facts) -> None:
    pacer = redis_pacer(server_facts.redis_url, "1/min", patience_s=100)
    key = upstream(f"key-{uuid.uuid4()}")

    async def left() -> None:
        return

    await pacer.keep("speech", key, tokens=1, client_left=None)
    for _ in range(3):
        with pytest.raises(CallerLeft):
            await pacer.keep("speech", key, tokens=1, client_left=left)
    await pacer.close()


async def test_without_redis_each_process_counts_alone() -> None:
    pacer = redis_pacer("redis://127.0.0.1:1/0", "2/min")
    key = upstream("somebody's")
    await pacer.keep("speech", key, tokens=1, client_left=None)
    await pacer.keep("speech", key, tokens=1, client_left=None)
    with pytest.raises(TooManyWaiting):
        await pacer.keep("speech", key, tokens=1, client_left=None)
    await pacer.close()


async def test_who_has_no_pace_never_waits() -> None:
    pacer = Pacer(
        redis.asyncio.Redis.from_url("redis://127.0.0.1:1/0"),
        {**read_paces(), "": operators_paces({"openai": ""})},
    )
    for _ in range(50):
        await pacer.keep("speech", upstream("ours"), tokens=10**6, client_left=None)
    await pacer.close()


def test_the_file_has_the_limits_of_the_speech_api() -> None:
    paces = read_paces()["speech"]
    written = {slug: [limit.label for limit in pace.limits] for slug, pace in paces.items()}
    assert written == {
        "openai": ["3/s", "3000/min", "200000t/min"],
        "baseten": ["10/s", "1000/min", "100000t/h"],
    }


@pytest.mark.parametrize("words", ["3", "0/s", "3/d", "t/s", "3 /s", "-1/s", "3/s,4/s"])
def test_a_pace_that_is_none_is_refused(words: str) -> None:
    with pytest.raises(PaceInvalid):
        operators_paces({"openai": words})

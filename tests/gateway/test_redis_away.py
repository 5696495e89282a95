"""Redis killed, emptied, restarted: requests are still counted and served, and every credit is where it belongs."""

from collections.abc import Iterator
from decimal import Decimal

import pytest
import redis
import requests

from bench.torture.checking import check
from bench.torture.stage import Account, Stage, kill, running_stage, start_again

GRANTED_UCR = 1_000_000_000
CHAT = {"messages": [{"role": "user", "content": "Hello!"}], "max_tokens": 100}
LIMIT = 4


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """Two gateways on a Valkey that may be killed."""
    with running_stage(gateways=2, celery=False) as running:
        yield running


@pytest.fixture
def account(stage: Stage) -> Account:
    """A workspace with 1 000 credits and no limits to speak of."""
    return stage.make_account(GRANTED_UCR)


@pytest.fixture
def limited(stage: Stage, account: Account) -> Account:
    """A workspace that may ask LIMIT times in 15 minutes."""
    with stage.connect() as connection:
        connection.execute(
            "INSERT INTO accounts_tier (slug, name, markup_bp, request_limit, window_s,"
            " concurrency_limit, default_max_tokens) VALUES ('few', 'Few', 2000, %s, 900, 50, 1024)"
            " ON CONFLICT DO NOTHING",
            (LIMIT,),
        )
        connection.execute(
            "UPDATE accounts_workspace SET tier_id = 'few' WHERE id = %s", (account.workspace_id,)
        )
    return account


@pytest.fixture
def redis_away(stage: Stage) -> Iterator[None]:
    """Kill Redis for as long as the test lasts."""
    kill(stage.servers.valkey.child)
    yield
    start_again(stage.servers.valkey.child, stage.answers_valkey, "Valkey")


def say(stage: Stage, account: Account, gateway: int) -> requests.Response:
    """Ask one of the gateways."""
    return requests.post(
        f"http://127.0.0.1:{stage.ports[gateway]}/v1/chat",
        json=CHAT,
        headers={"authorization": f"Bearer {account.app_key}"},
        timeout=20,
    )


def charge_ucr(answer: requests.Response) -> int:
    """Read what an answer cost."""
    return int(Decimal(answer.headers["x-credits-charged"]) * 1_000_000)


def balance(stage: Stage, account: Account) -> tuple[int, int]:
    """Give (remaining, held) of the wallet in µcr."""
    with stage.connect() as connection:
        row = connection.execute(
            "SELECT sum(remaining)::bigint, sum(held)::bigint FROM ledger.lot WHERE wallet_id = %s",
            (account.workspace_id,),
        ).fetchone()
    assert row is not None
    return row[0], row[1]


def test_without_redis_requests_are_served_and_paid_to_the_last_micro_credit(
    stage: Stage, account: Account, redis_away: None
) -> None:
    answers = [say(stage, account, number % 2) for number in range(8)]
    assert [answer.status_code for answer in answers] == [200] * 8
    charged_ucr = sum(charge_ucr(answer) for answer in answers)
    assert charged_ucr > 0
    assert balance(stage, account) == (GRANTED_UCR - charged_ucr, 0)
    assert check(stage, account, [], []).violations == []


def test_without_redis_each_process_counts_for_itself(
    stage: Stage, limited: Account, redis_away: None
) -> None:
    first = [say(stage, limited, 0).status_code for _ in range(LIMIT + 2)]
    assert first == [200] * LIMIT + [429] * 2
    other = [say(stage, limited, 1).status_code for _ in range(LIMIT + 2)]
    assert other == [200] * LIMIT + [429] * 2
    remaining, held = balance(stage, limited)
    assert (remaining < GRANTED_UCR, held) == (True, 0)


def test_a_redis_that_comes_back_empty_counts_for_all_processes_again(
    stage: Stage, limited: Account
) -> None:
    assert say(stage, limited, 0).status_code == 200
    kill(stage.servers.valkey.child)
    assert say(stage, limited, 0).status_code == 200
    start_again(stage.servers.valkey.child, stage.answers_valkey, "Valkey")
    wait_for_shared_count(stage)
    statuses = [say(stage, limited, number % 2).status_code for number in range(LIMIT + 2)]
    assert statuses == [200] * LIMIT + [429] * 2


def test_an_emptied_redis_loses_no_money_and_knows_its_callers_again(
    stage: Stage, account: Account
) -> None:
    answers = []
    with redis.Redis.from_url(stage.servers.valkey.url()) as client:
        for number in range(6):
            client.flushall()
            answers.append(say(stage, account, number % 2))
    assert [answer.status_code for answer in answers] == [200] * 6
    charged_ucr = sum(charge_ucr(answer) for answer in answers)
    assert balance(stage, account) == (GRANTED_UCR - charged_ucr, 0)


def wait_for_shared_count(stage: Stage) -> None:
    """Wait until both gateways count in Redis again; they try once a second."""
    stranger = {"authorization": "Bearer gw_nobody"}
    with redis.Redis.from_url(stage.servers.valkey.url()) as client:
        for port in stage.ports:
            client.flushall()
            for _ in range(400):
                requests.post(
                    f"http://127.0.0.1:{port}/v1/chat", json=CHAT, headers=stranger, timeout=20
                )
                if client.exists(*client.keys("rate:*") or ["rate:none"]):
                    break
                requests.get(f"http://127.0.0.1:{port}/health", timeout=20)
        client.flushall()

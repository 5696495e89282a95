"""Redis killed, emptied, restarted: requests are still counted and served, and every credit is
where it belongs.
"""

import contextlib
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest
import redis
import requests
from pytest_django import DjangoDbBlocker

from bench.torture.stage import kill, start_again
from billing.queries import read_balance
from billing.services import grant_credits
from gateway.reconcile import find_violations
from studio.accounts.models import Tier
from studio.accounts.services import create_app_key, create_workspace
from studio.supervisor.places import load_secrets, server_place
from studio.supervisor.processes import stop
from studio.supervisor.valkey import Valkey, start_valkey
from tests.databases import WORKER, Facts, cloned, django_on
from tests.running import Gateway, run_gateway

GRANTED_UCR = 1_000_000_000
CHAT = {"messages": [{"role": "user", "content": "Hello!"}], "max_tokens": 100}
LIMIT = 4
UNLIMITED = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Two gateways on one database, and a Redis that may be killed."""

    gateways: tuple[Gateway, Gateway]
    valkey: Valkey

    def take_redis_away(self) -> None:
        """Kill Redis."""
        kill(self.valkey.child)

    def bring_redis_back(self) -> None:
        """Start it again, empty, until both gateways count in it; they try now and then."""
        start_again(self.valkey.child, self._answers, "Valkey")
        for gateway in self.gateways:
            self._wait_until_counted(gateway)

    def client(self) -> redis.Redis:
        """Connect to it."""
        return redis.Redis.from_url(self.valkey.url(), socket_timeout=2)

    def _answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def _wait_until_counted(self, gateway: Gateway) -> None:
        """A request without a credential is counted too, by its address."""
        with self.client() as client:
            client.flushall()
            for _ in range(150):
                requests.post(f"{gateway.url}/v1/chat", json=CHAT, timeout=20)
                if client.dbsize():
                    return
                client.blpop(["nothing"], timeout=0.1)
        raise AssertionError("the gateway does not come back to Redis")


@dataclass(frozen=True, kw_only=True)
class Caller:
    """A workspace with 1 000 credits and one key."""

    workspace_id: int
    key: str

    def say(self, gateway: Gateway) -> requests.Response:
        """Ask one of the gateways."""
        return requests.post(
            f"{gateway.url}/v1/chat", json=CHAT, headers={"x-app-key": self.key}, timeout=20
        )

    def balance(self) -> tuple[int, int]:
        """Give (available, held) in µcr."""
        found = read_balance(self.workspace_id)
        return found.available_ucr, found.held_ucr


@pytest.fixture(scope="module")
def valkey() -> Iterator[Valkey]:
    """A Valkey of our own: other tests need theirs alive."""
    directory = Path(tempfile.mkdtemp(prefix="studio-valkey-"))
    directory.chmod(0o711)
    with contextlib.ExitStack() as undo:
        undo.callback(shutil.rmtree, directory)
        place = server_place(directory)
        if place.moved:
            undo.callback(shutil.rmtree, place.directory.parent)
        running = start_valkey(place, load_secrets(directory), directory)
        undo.callback(stop, [running.child])
        yield running


@pytest.fixture(scope="module")
def stage(
    server_facts: Facts,
    gateway_environment: dict[str, str],
    valkey: Valkey,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Stage]:
    """Start the gateways; Django of the test works on their database."""
    with cloned(server_facts, f"studio_test_{WORKER}_redis") as database:
        environment = gateway_environment | {
            "DATABASE_URL": database.app_url,
            "REDIS_URL": valkey.url(),
        }
        first, second = (
            run_gateway(tmp_path_factory.mktemp("gateway"), environment) for _ in range(2)
        )
        with django_db_blocker.unblock(), django_on(database):
            yield Stage(gateways=(first, second), valkey=valkey)
        first.stop()
        second.stop()


def make_caller(request_limit: int) -> Caller:
    """Make a workspace whose callers may ask so often in 15 minutes."""
    tier, _ = Tier.objects.get_or_create(
        slug=f"limit-{request_limit}",
        defaults={
            "name": "Test",
            "markup_bp": 2000,
            "request_limit": request_limit,
            "window_s": 900,
            "concurrency_limit": 50,
            "default_max_tokens": 1024,
        },
    )
    workspace = create_workspace(name=f"caller-{uuid.uuid4()}", tier=tier.slug)
    grant_credits(workspace_id=workspace.pk, amount_ucr=GRANTED_UCR, reason="test")
    key = create_app_key(workspace_id=workspace.pk).token
    return Caller(workspace_id=workspace.pk, key=key)


def charged_ucr(answers: list[requests.Response]) -> int:
    """Add up what answers say they cost."""
    credits = sum(Decimal(answer.headers["x-credits-charged"]) for answer in answers)
    return int(credits * 1_000_000)


def test_without_redis_requests_are_served_and_paid_to_the_last_micro_credit(stage: Stage) -> None:
    caller = make_caller(UNLIMITED)
    stage.take_redis_away()
    answers = [caller.say(stage.gateways[number % 2]) for number in range(6)]
    stage.bring_redis_back()
    answers += [caller.say(stage.gateways[number % 2]) for number in range(2)]
    assert [answer.status_code for answer in answers] == [200] * 8
    assert charged_ucr(answers) > 0
    assert caller.balance() == (GRANTED_UCR - charged_ucr(answers), 0)
    assert find_violations() == []


def test_without_redis_each_process_counts_for_itself_and_with_it_all_count_together(
    stage: Stage,
) -> None:
    caller = make_caller(LIMIT)
    one, other = stage.gateways
    assert caller.say(one).status_code == 200
    stage.take_redis_away()
    assert [caller.say(one).status_code for _ in range(LIMIT + 2)] == [200] * LIMIT + [429] * 2
    assert [caller.say(other).status_code for _ in range(LIMIT + 2)] == [200] * LIMIT + [429] * 2
    stage.bring_redis_back()
    both = [caller.say(stage.gateways[number % 2]) for number in range(LIMIT + 2)]
    assert [answer.status_code for answer in both] == [200] * LIMIT + [429] * 2
    left = [int(answer.headers["x-ratelimit-remaining"]) for answer in both[:LIMIT]]
    assert left == list(range(LIMIT - 1, -1, -1))


def test_an_emptied_redis_loses_no_money_and_knows_its_callers_again(stage: Stage) -> None:
    caller = make_caller(UNLIMITED)
    answers = []
    with stage.client() as client:
        for number in range(6):
            client.flushall()
            client.script_flush()
            answers.append(caller.say(stage.gateways[number % 2]))
    assert [answer.status_code for answer in answers] == [200] * 6
    assert caller.balance() == (GRANTED_UCR - charged_ucr(answers), 0)
    assert find_violations() == []

"""Rate and concurrency, exact over gateways; who is counted as whom; what a refusal says."""

import itertools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from uuid import uuid4

import pytest
import requests

from studio.accounts.models import Tier
from studio.accounts.services import create_app_key, set_tier
from tests.conftest import StartGateway
from tests.databases import Database, rows
from tests.gateway.conftest import CHAT, Payer
from tests.running import run_gateway
from tests.sandbox.caller import Caller as Sandbox

EFFECTIVE_WITHIN_S = 5
FOR_STRANGERS = 100
RATE_TEXT = "You've exceeded your rate limit. Please wait before retrying."
PLACES_TEXT = "Too many requests at once: wait for one of yours to finish."
MakePayer = Callable[..., Payer]
_addresses = itertools.count(1)


@pytest.fixture(scope="module")
def behind_proxy_url(
    gateway_database: Database,
    gateway_environment: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """A second gateway on the same database and Redis, behind a proxy of ours."""
    environment = gateway_environment | {
        "DATABASE_URL": gateway_database.app_url,
        "TRUSTED_PROXY_HOPS": "1",
    }
    gateway = run_gateway(tmp_path_factory.mktemp("behind-proxy"), environment)
    yield gateway.url
    gateway.stop()


@pytest.fixture
def make_tier(open_database: None) -> Callable[..., str]:
    """Make a tier of one's own. Returns: its slug."""

    def make(**limits: int) -> str:
        facts = {"request_limit": 1000, "window_s": 900, "concurrency_limit": 100, **limits}
        slug = f"tier-{uuid4().hex[:12]}"
        Tier.objects.create(slug=slug, name=slug, markup_bp=0, default_max_tokens=256, **facts)
        return slug

    return make


def new_address() -> str:
    """Give an address that no test has called from."""
    return f"2001:db8::{uuid4().hex[:4]}:{next(_addresses):x}"


def credits_status(url: str, key: str) -> int:
    """Ask something through the Django door."""
    return requests.get(f"{url}/v1/credits", headers={"x-app-key": key}, timeout=30).status_code


@contextmanager
def slow_stream(payer: Payer, mark: str = "slow") -> Iterator[None]:
    """Be in the middle of a stream of some 20 s; leave it at the end of the block."""
    text = f"{mark} [[sandbox chunks=400 chunk_delay_ms=50]]"
    with payer.say(text, body={"stream": True}, stream=True) as response:
        assert response.status_code == 200, response.text
        lines = response.iter_lines()
        next(lines)
        yield
        next(lines)


def say_until_admitted(payer: Payer) -> None:
    """Ask until a place is free again, at most for 5 s."""
    end_s = time.monotonic() + EFFECTIVE_WITHIN_S
    while payer.say("short").status_code == 429:
        assert time.monotonic() < end_s, "no place came free"
        rows("SELECT pg_sleep(0.05)::text")


def test_of_105_requests_at_once_over_four_gateways_and_both_doors_100_are_admitted(
    make_payer: MakePayer,
    make_tier: Callable[..., str],
    behind_proxy_url: str,
    gateway_database: Database,
    start_gateway: StartGateway,
) -> None:
    # A window so long that no request comes back while the test runs.
    payer = make_payer(tier=make_tier(request_limit=100, window_s=9000))
    urls = [payer.url, behind_proxy_url]
    urls += [start_gateway(gateway_database).url for _ in range(2)]

    def ask(number: int) -> requests.Response:
        url = urls[number % len(urls)]
        headers = {"x-app-key": payer.key}
        if number % 3:
            return requests.get(f"{url}/v1/credits", headers=headers, timeout=30)
        return requests.post(f"{url}/v1/chat", json=CHAT, headers=headers, timeout=30)

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ask, range(105)))
    admitted = [answer for answer in answers if answer.status_code == 200]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert (len(admitted), len(refused)) == (100, 5)
    left = sorted(int(answer.headers["x-ratelimit-remaining"]) for answer in admitted)
    assert left == list(range(100))
    assert {answer.headers["x-ratelimit-remaining"] for answer in refused} == {"0"}
    assert {answer.headers["x-ratelimit-limit"] for answer in answers} == {"100"}


def test_headers_count_down_over_both_doors_and_say_when_all_is_back(
    make_payer: MakePayer, make_tier: Callable[..., str]
) -> None:
    payer = make_payer(tier=make_tier(request_limit=10))
    answers = [payer.get("/v1/models"), payer.say("hello"), payer.post("/v1/validate")]
    answers.append(payer.post(json={"kind": "chat.default"}))
    assert [answer.status_code for answer in answers] == [200, 200, 200, 400]
    assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["9", "8", "7", "6"]
    resets = [int(answer.headers["x-ratelimit-reset"]) for answer in answers]
    assert resets == sorted(resets)
    assert time.time() < resets[-1] <= time.time() + 900


def test_a_refusal_is_429_in_each_envelope_and_says_when_to_return(
    make_payer: MakePayer, make_tier: Callable[..., str]
) -> None:
    payer = make_payer(tier=make_tier(request_limit=1, window_s=600))
    assert payer.say("hello").status_code == 200
    studio, django = payer.say("hello"), payer.get("/v1/credits")
    core = payer.post("/v1/chat/completions", json=CHAT)
    for answer in (studio, django, core):
        assert answer.status_code == 429
        assert 590 <= int(answer.headers["retry-after"]) <= 600
        assert answer.headers["x-ratelimit-remaining"] == "0"
    assert studio.json() == django.json() == {"error": RATE_TEXT}
    assert core.json()["error"] == {
        "type": "rate_limit_exceeded",
        "message": RATE_TEXT,
        "code": 429,
        "param": None,
    }
    assert len(payer.entries()) == 1


def test_two_keys_of_a_workspace_are_limited_apart_and_a_session_with_its_key(
    make_payer: MakePayer, make_tier: Callable[..., str]
) -> None:
    payer = make_payer(tier=make_tier(request_limit=2))
    token = payer.post("/v1/validate").json()["sessionToken"]
    headers = {"x-session-token": token}
    statuses = [
        requests.get(f"{payer.url}/v1/credits", headers=headers, timeout=30).status_code
        for _ in range(2)
    ]
    assert statuses == [200, 429]
    assert credits_status(payer.url, payer.key) == 429
    second = create_app_key(workspace_id=payer.workspace_id)
    assert [credits_status(payer.url, second.token) for _ in range(3)] == [200, 200, 429]


def test_places_are_taken_by_streams_and_come_free_when_the_client_leaves(
    make_payer: MakePayer, make_tier: Callable[..., str], sandbox_url: str
) -> None:
    payer, mark = make_payer(tier=make_tier(concurrency_limit=2)), f"mark-{uuid4()}"
    with ExitStack() as one, ExitStack() as other:
        one.enter_context(slow_stream(payer, mark))
        other.enter_context(slow_stream(payer, mark))
        refused = payer.say(mark)
        assert (refused.status_code, refused.json()) == (429, {"error": PLACES_TEXT})
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.headers["x-ratelimit-remaining"] == "998"
        assert payer.get("/v1/credits").status_code == 429
        one.close()
        say_until_admitted(payer)
    assert len(Sandbox(url=sandbox_url).journal(mark, at_least=2)) == 2


def test_a_place_comes_free_when_a_stream_ends(
    make_payer: MakePayer, make_tier: Callable[..., str]
) -> None:
    payer = make_payer(tier=make_tier(concurrency_limit=1))
    text = "[[sandbox chunks=10 chunk_delay_ms=50]]"
    with payer.say(text, body={"stream": True}, stream=True) as stream:
        lines = stream.iter_lines()
        next(lines)
        assert payer.say("meanwhile").status_code == 429
        assert [line for line in lines if line][-1] == b"data: [DONE]"
    say_until_admitted(payer)


def test_places_are_counted_over_gateways(
    make_payer: MakePayer, make_tier: Callable[..., str], behind_proxy_url: str
) -> None:
    payer = make_payer(tier=make_tier(concurrency_limit=1))
    with slow_stream(payer):
        assert credits_status(behind_proxy_url, payer.key) == 429


def test_a_refused_place_is_not_counted_as_a_request(
    make_payer: MakePayer, make_tier: Callable[..., str]
) -> None:
    payer = make_payer(tier=make_tier(request_limit=3, concurrency_limit=1))
    with slow_stream(payer):
        assert [credits_status(payer.url, payer.key) for _ in range(4)] == [429] * 4
    end_s = time.monotonic() + EFFECTIVE_WITHIN_S
    answer = payer.get("/v1/credits")
    while answer.status_code == 429 and time.monotonic() < end_s:
        rows("SELECT pg_sleep(0.05)::text")
        answer = payer.get("/v1/credits")
    assert (answer.status_code, answer.headers["x-ratelimit-remaining"]) == (200, "1")


def test_wrong_credentials_are_limited_by_address_and_good_ones_are_not(
    make_payer: MakePayer, behind_proxy_url: str
) -> None:
    payer, address = make_payer(), new_address()

    def guess(number: int, seen_from: str = address) -> requests.Response:
        # What the caller writes before our own proxy's word does not make it another caller.
        headers = {"x-forwarded-for": f"198.51.100.{number % 250}, {seen_from}"}
        wrong: tuple[dict[str, str], ...] = (
            {"x-app-key": f"gw_live_{number:060d}"},
            {"authorization": f"Bearer a.b.{number}"},
            {},
        )
        return requests.post(
            f"{behind_proxy_url}/v1/chat",
            json=CHAT,
            headers={**headers, **wrong[number % 3]},
            timeout=30,
        )

    with ThreadPoolExecutor(12) as pool:
        statuses = [answer.status_code for answer in pool.map(guess, range(FOR_STRANGERS + 6))]
    assert (statuses.count(401), statuses.count(429)) == (FOR_STRANGERS, 6)
    refused = guess(0)
    assert (refused.status_code, refused.json()) == (429, {"error": RATE_TEXT})
    assert int(refused.headers["retry-after"]) >= 1
    assert guess(0, new_address()).status_code == 401
    good = {"x-forwarded-for": address, "x-app-key": payer.key}
    assert requests.post(f"{behind_proxy_url}/v1/chat", json=CHAT, headers=good, timeout=30).ok


def test_another_tier_is_in_force_on_every_gateway_within_five_seconds(
    make_payer: MakePayer, behind_proxy_url: str
) -> None:
    payer = make_payer(tier="free")
    urls = (payer.url, behind_proxy_url)

    def limits() -> set[str]:
        headers = {"x-app-key": payer.key}
        answers = [requests.get(f"{url}/v1/models", headers=headers, timeout=30) for url in urls]
        return {answer.headers["x-ratelimit-limit"] for answer in answers}

    assert limits() == {"100"}
    set_tier(workspace_id=payer.workspace_id, tier="vip_founder")
    end_s = time.monotonic() + EFFECTIVE_WITHIN_S
    while (seen := limits()) != {"1200"}:
        assert time.monotonic() < end_s, seen
        rows("SELECT pg_sleep(0.2)::text")
    payer.say("hello")
    assert payer.usage()[0]["markup_bp"] == 0

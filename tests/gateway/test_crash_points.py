"""`kill -9` at each point of the walk, and where money moves otherwise: it moves once or never.

The long version is `manage.py torture web-points`: every point and kind again and again, under
load, with the real worker and beat. Here the leases of the dead are ended by the test.
"""

import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests

from bench.torture.aftermath import (
    check_probe,
    check_retried,
    count_asked,
    full_charges,
    read_violations,
)
from bench.torture.gates import Side, Stop, http_gate
from bench.torture.hands import Hands
from bench.torture.payments import WEBHOOK_SECRET, environment
from bench.torture.points import KINDS, Kind, Point, Probe, make_probes
from bench.torture.scene import Scene
from bench.torture.stage import running_stage
from tests.billing.stripe.double import Double, signed

GRANTED_UCR = 10**12
STRIPE_KEY = "sk_test_of_crash_points"
PACK_UCR = 10_000 * 10**6
MOVE_LEASES = """
UPDATE gateway_call SET lease_until = now() - interval '11 seconds' WHERE state = 'open'
"""
# Within 15 s of its start the resolver takes nothing: here the server was started an hour ago.
OLD_SERVER = """
CREATE FUNCTION public.pg_postmaster_start_time() RETURNS timestamptz LANGUAGE sql
AS $$ SELECT now() - interval '1 hour' $$;
ALTER DATABASE studio_torture SET search_path = public, pg_catalog;
"""
MONEY = """
SELECT sum(remaining)::bigint, sum(held)::bigint,
       (SELECT sum(CASE p.account WHEN 'wallet' THEN p.amount END)::bigint
        FROM ledger.ledger_posting p WHERE p.wallet_id = l.wallet_id)
FROM ledger.lot l WHERE wallet_id = %s GROUP BY wallet_id
"""
MOVED = (
    "SELECT coalesce(sum(amount), 0)::bigint FROM ledger.entry WHERE wallet_id = %s AND kind = %s"
)
CHARGED_CALL = "SELECT id FROM ledger.entry WHERE wallet_id = %s AND kind = 'usage' AND amount > 9"
CORRECTED = "SELECT request_count, charge_ucr FROM usage WHERE request_id = %s ORDER BY at"
MESSAGE = "SELECT state, attempts FROM billing_outboxmessage WHERE id = %s"
COMMITTED: tuple[tuple[Side, bool], ...] = (("unsent", False), ("unanswered", True))
"""Killed before PostgreSQL heard of the commit, and before it said that it was done."""


@dataclass(frozen=True, kw_only=True)
class Walk:
    """A gateway to kill, one that lives, and who resolves what the dead leave."""

    scene: Scene
    living_port: int
    hands: Hands
    frail_hands: Hands
    full_ucr: dict[Kind, int]

    def die(self, deed: tuple[object, ...], *, side: Side, mark: str, after: str = "") -> None:
        """Let hands do something, and kill them where PostgreSQL is told, or has done, `mark`."""
        stop = self.scene.postgres.stop(Stop(side=side, marks=(mark,), after=after))
        child = self.frail_hands.begin(*deed)
        stop.wait()
        os.kill(child, signal.SIGKILL)
        self.scene.postgres.fall()

    def resolve(self) -> None:
        """Let the time of leases pass, and resolve."""
        with self.scene.stage.connect() as connection:
            connection.execute(MOVE_LEASES)
        self.hands.do("resolve")

    def ask_again(self, probe: Probe) -> None:
        """Repeat a call at the gateway that lives."""
        probe.ask(self.living_port, self.scene.account.app_key)


@pytest.fixture(scope="module")
def walk() -> Iterator[Walk]:
    """Servers, two gateways and a workspace, for all points."""
    more = partial(environment, STRIPE_KEY)
    with running_stage(gateways=1, celery=False, more=more) as stage:
        with stage.connect() as connection:
            connection.execute(OLD_SERVER)
        account = stage.make_account(GRANTED_UCR)
        scene = Scene(stage, account)
        hands, frail_hands = Hands(stage, stage.environment), Hands(stage, scene.environment)
        yield Walk(
            scene=scene,
            living_port=stage.ports[0],
            hands=hands,
            frail_hands=frail_hands,
            full_ucr=full_charges(scene, KINDS, stage.ports[0]),
        )
        hands.end()
        frail_hands.end()
        scene.close()


@pytest.mark.parametrize(
    ("point", "kinds"),
    [
        ("hold-unsent", KINDS),
        ("hold-unanswered", ("embedding", "byok")),
        ("call-unsent", KINDS),
        ("call-unanswered", KINDS),
        ("answer-half", KINDS),
        ("settle-unsent", KINDS),
        ("settle-under-way", ("embedding", "byok")),
        ("settle-broken-off", ("stream", "byok")),
        ("settle-unanswered", ("keyed", "byok")),
        ("answered", KINDS),
    ],
)
def test_a_call_whose_process_is_killed_is_charged_once_or_not_at_all(
    walk: Walk, point: Point, kinds: tuple[Kind, ...]
) -> None:
    probes = make_probes(kinds)
    walk.scene.stage.read_journal()
    walk.scene.strike(point, probes)
    keyed = [probe for probe in probes if probe.kind == "keyed"]
    if walk.scene.open_calls(keyed):
        heard = (keyed[0].status, keyed[0].whole)
        walk.ask_again(keyed[0])
        assert keyed[0].status == 409
        keyed[0].status, keyed[0].whole = heard
    walk.resolve()
    asked = count_asked(walk.scene.stage.read_journal())
    wrong: list[str] = []
    for probe in probes:
        full_ucr = walk.full_ucr[probe.kind]
        wrong += check_probe(walk.scene, point, probe, asked=asked[probe.tag], full_ucr=full_ucr)
    for probe in keyed:
        walk.ask_again(probe)
        wrong += check_retried(walk.scene, point, probe, full_ucr=walk.full_ucr["keyed"])
    assert wrong == []
    assert read_violations(walk.scene) == []
    [(remaining, held, moved)] = walk.scene.rows(MONEY, walk.scene.account.workspace_id)
    assert (remaining, held) == (moved, 0)


@pytest.mark.parametrize(("side", "committed"), COMMITTED)
def test_a_payment_is_credited_once_when_its_webhook_is_killed_around_the_commit(
    walk: Walk, side: Side, committed: bool
) -> None:
    scene = walk.scene
    event = pay(walk)
    before = moved(walk, "topup")
    scene.raise_victim()
    stop = scene.postgres.stop(Stop(side=side, marks=("COMMIT",), after="ledger_credit"))
    thread = threading.Thread(target=deliver, args=(scene.port, event), daemon=True)
    thread.start()
    stop.wait()
    scene.kill_victim()
    scene.postgres.fall()
    thread.join()
    assert moved(walk, "topup") == before + committed * PACK_UCR
    assert deliver(walk.living_port, event) == 200
    assert deliver(walk.living_port, event) == 200
    assert moved(walk, "topup") == before + PACK_UCR
    assert read_violations(scene) == []


@pytest.mark.parametrize(("side", "committed"), COMMITTED)
def test_a_money_request_is_executed_once_when_its_process_is_killed_around_the_commit(
    walk: Walk, side: Side, committed: bool
) -> None:
    workspace_id, before = walk.scene.account.workspace_id, moved(walk, "grant")
    grant = ("grant", workspace_id, side)
    walk.die(grant, side=side, mark="COMMIT", after="ledger_credit")
    assert moved(walk, "grant") == before + committed * 10**6
    assert walk.hands.do(*grant) == ("repeated" if committed else "executed")
    assert walk.hands.do(*grant) == "repeated"
    assert moved(walk, "grant") == before + 10**6
    assert read_violations(walk.scene) == []


@pytest.mark.parametrize(("side", "committed"), COMMITTED)
def test_a_refund_reaches_usage_once_when_its_writer_is_killed_around_the_commit(
    walk: Walk, side: Side, committed: bool
) -> None:
    workspace_id = walk.scene.account.workspace_id
    call_id = walk.scene.rows(CHARGED_CALL, workspace_id)[committed][0]
    [charged] = walk.scene.rows(CORRECTED, call_id)
    assert walk.hands.do("refund", workspace_id, call_id, side) == "executed"
    walk.die(("correct",), side=side, mark="COMMIT", after="ledger_take_corrections")
    assert walk.scene.rows(CORRECTED, call_id)[1:] == [(0, -1)] * committed
    assert walk.hands.do("correct") == str(int(not committed))
    assert walk.scene.rows(CORRECTED, call_id) == [charged, (0, -1)]
    assert read_violations(walk.scene) == []


@pytest.mark.parametrize(("side", "heard"), COMMITTED)
def test_a_message_whose_sender_is_killed_leaves_again_under_the_same_id(
    walk: Walk, side: Side, heard: bool
) -> None:
    with Sink() as sink:
        gate = http_gate(sink.server_port)
        allowed = {"WEBHOOK_ALLOWED_ORIGINS": f"http://127.0.0.1:{gate.port}"}
        hands = Hands(walk.scene.stage, {**walk.scene.stage.environment, **allowed})
        url = f"{allowed['WEBHOOK_ALLOWED_ORIGINS']}/hook"
        message_id = hands.do("enqueue", walk.scene.account.workspace_id, url)
        stop = gate.stop(Stop(side=side, marks=("/hook",)))
        child = hands.begin("send")
        stop.wait()
        os.kill(child, signal.SIGKILL)
        gate.fall()
        assert sink.ids == [message_id] * heard
        assert walk.scene.rows(MESSAGE, message_id) == [("pending", 1)]
        assert hands.do("send") == "0"
        with walk.scene.stage.connect() as connection:
            connection.execute("UPDATE billing_outboxmessage SET next_at = now()")
        assert hands.do("send") == "1"
        assert walk.scene.rows(MESSAGE, message_id) == [("delivered", 2)]
        assert sink.ids == [message_id] * (1 + heard)
        hands.end()
        gate.close()


class Sink(ThreadingHTTPServer):
    """A receiver of webhooks, which keeps their ids."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Receiver)
        self.ids: list[str] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __exit__(self, *error: object) -> None:
        self.shutdown()
        self.server_close()


class _Receiver(BaseHTTPRequestHandler):
    server: Sink

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.server.ids.append(self.headers["webhook-id"])
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def pay(walk: Walk) -> dict[str, Any]:
    """Order a pack and pay for it at the double. Returns: the event that says so."""
    scene = walk.scene
    double = Double(
        sandbox_url=f"http://127.0.0.1:{scene.stage.sandbox_port}", secret_key=STRIPE_KEY
    )
    order = requests.post(
        f"http://127.0.0.1:{walk.living_port}/v1/credits/checkout",
        json={
            "pack": "starter",
            "success_url": "https://a.test/done",
            "cancel_url": "https://a.test/no",
        },
        headers={"x-app-key": scene.account.app_key},
        timeout=30,
    )
    assert order.status_code == 200, order.text
    double.control("pay", session=order.json()["url"].rsplit("/", 1)[1])
    return double.events("checkout.session.completed")[-1]


def deliver(port: int, event: dict[str, Any]) -> int:
    """Deliver an event, signed. Returns: the status, 0 if nobody answered."""
    body, headers = signed(event, secret=WEBHOOK_SECRET)
    url = f"http://127.0.0.1:{port}/v1/stripe/webhook"
    try:
        return requests.post(url, data=body, headers=headers, timeout=60).status_code
    except requests.ConnectionError:
        return 0


def moved(walk: Walk, kind: str) -> int:
    """Give what a kind of entries has moved, in µcr."""
    return int(walk.scene.rows(MOVED, walk.scene.account.workspace_id, kind)[0][0])

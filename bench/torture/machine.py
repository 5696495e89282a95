"""A Hypothesis state machine over the real services and the real PostgreSQL: every step beside the
oracle, every invariant after each.

The suite runs it shortly (tests/billing/test_money_machine.py), `manage.py torture ledger` for
hours, chapter by chapter, each on a database and in a process of its own.
"""

import sys
from pathlib import Path
from typing import ClassVar, TypeVar

import msgspec
from django.db import connection
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from bench.torture import moves, staff_moves
from bench.torture.compared import complain, complain_of_leftovers
from bench.torture.oracle import PAST
from bench.torture.plans import MachinePlan, Tally, add_counts
from bench.torture.steps import (
    ALONE_UCR,
    EXPIRY_DAYS,
    TIERS,
    Account,
    Step,
    Walker,
    two_people,
)
from studio.accounts.models import Workspace
from studio.core.ids import new_id_text

T = TypeVar("T")

_AMOUNTS = st.integers(1, 2 * ALONE_UCR)
_PLACES = st.integers(0, 10**6)
_MOST_FREEZES = 3
_PEOPLE = st.integers(0, 1)
_CRASHES = st.sampled_from(["", "", "", "", "before", "after"])
_STATEMENTS = st.integers(1, 6)


class MoneyMachine(RuleBasedStateMachine):
    """One workspace's money, in any order of events."""

    owner_url: ClassVar[str]
    tally: ClassVar[Tally]

    def __init__(self) -> None:
        super().__init__()
        workspace = Workspace.objects.create(name=f"machine {new_id_text()}", tier_id="managed")
        self.account = Account(workspace.pk, two_people(), self.owner_url)
        self.account.markup_bp = workspace.tier.markup_bp
        self.walker = Walker(self.account)
        self.tally.histories += 1

    @initialize(amount=_AMOUNTS)
    def begin(self, amount: int) -> None:
        """Most workspaces have paid for something."""
        self.walker.take(moves.top_up(self.account, 4 * amount))

    # --- calls ---

    @rule(amount=_AMOUNTS, crash=_CRASHES, statements=_STATEMENTS)
    def hold(self, amount: int, crash: str, statements: int) -> None:
        """A call begins."""
        self._take(moves.hold(self.account, amount), crash, statements)

    @precondition(lambda self: self.account.wallet.calls)
    @rule(place=_PLACES, share=st.integers(0, 300), crash=_CRASHES, statements=_STATEMENTS)
    def settle(self, place: int, share: int, crash: str, statements: int) -> None:
        """A call ends: at nothing, below its hold, at it or far above."""
        call_id = _pick(self._unrecorded_calls() or list(self.account.wallet.calls), place)
        price = self.account.wallet.calls[call_id].held * share // 100
        self._take(moves.settle(self.account, call_id, price), crash, statements)

    @precondition(lambda self: not self.account.wallet.frozen)
    @rule(amount=_AMOUNTS, share=st.integers(1, 300), crash=_CRASHES, statements=_STATEMENTS)
    def call(self, amount: int, share: int, crash: str, statements: int) -> None:
        """A call begins and ends."""
        step = moves.hold(self.account, amount)
        if self.walker.take(step) == "held":
            call_id = list(self.account.wallet.calls)[-1]
            price = max(1, amount * share // 100)
            self._take(moves.settle(self.account, call_id, price), crash, statements)

    @precondition(lambda self: self._open_calls())
    @rule(place=_PLACES)
    def lapse(self, place: int) -> None:
        """Nobody comes back for a call."""
        self._take(moves.lapse(self.account, _pick(self._open_calls(), place)))

    # --- credit and time ---

    @rule(amount=_AMOUNTS, crash=_CRASHES, statements=_STATEMENTS)
    def top_up(self, amount: int, crash: str, statements: int) -> None:
        """Somebody pays."""
        self._take(moves.top_up(self.account, amount), crash, statements)

    @rule(
        amount=_AMOUNTS,
        days=st.sampled_from([0, *EXPIRY_DAYS]),
        priority=st.sampled_from([10, 50, 100, 100]),
        crash=_CRASHES,
    )
    def promo(self, amount: int, days: int, priority: int, crash: str) -> None:
        """A programme gives."""
        self._take(moves.promo(self.account, amount, days, priority), crash)

    @precondition(lambda self: self._live_lots())
    @rule(place=_PLACES)
    def expire(self, place: int) -> None:
        """A lot expires, whether a call holds it or not."""
        self._take(moves.expire(self.account, _pick(self._live_lots(), place)))

    @rule(crash=_CRASHES, statements=_STATEMENTS)
    def sweep(self, crash: str, statements: int) -> None:
        """Celery rings."""
        self._take(moves.sweep(self.account), crash, statements)
        complain_of_leftovers(self.account.workspace_id)

    # --- people ---

    @precondition(lambda self: self._charged_calls())
    @rule(place=_PLACES, staff=_PEOPLE, share=st.integers(1, 110), crash=_CRASHES, n=_STATEMENTS)
    def refund(self, place: int, staff: int, share: int, crash: str, n: int) -> None:
        """Staff refunds a call: a part, all of it, too much."""
        call_id = _pick(self._charged_calls(), place)
        amount = max(1, self.account.wallet.calls[call_id].charge * share // 100)
        self._take(staff_moves.refund(self.account, staff, call_id, amount), crash, n)

    @rule(amount=_AMOUNTS, staff=_PEOPLE, crash=_CRASHES, n=_STATEMENTS)
    def grant(self, amount: int, staff: int, crash: str, n: int) -> None:
        """Staff gives."""
        self._take(staff_moves.grant(self.account, staff, amount), crash, n)

    @rule(
        amount=_AMOUNTS,
        down=st.booleans(),
        paid=st.booleans(),
        staff=_PEOPLE,
        crash=_CRASHES,
        n=_STATEMENTS,
    )
    def adjust(  # noqa: PLR0913, PLR0917  drawn by name
        self, amount: int, down: bool, paid: bool, staff: int, crash: str, n: int
    ) -> None:
        """Staff corrects."""
        signed = -amount if down else amount
        self._take(staff_moves.adjust(self.account, staff, signed, paid=paid), crash, n)

    @rule(place=_PLACES, staff=_PEOPLE, share=st.integers(1, 110), crash=_CRASHES, n=_STATEMENTS)
    def pay_out(self, place: int, staff: int, share: int, crash: str, n: int) -> None:
        """Staff pays out a top-up: a part, all of it, too much."""
        top_up_id, amount = self._part_of_a_top_up(place, share)
        self._take(staff_moves.pay_out(self.account, staff, top_up_id, amount), crash, n)

    @precondition(lambda self: self.account.requests)
    @rule(place=_PLACES, staff=_PEOPLE, crash=_CRASHES, n=_STATEMENTS)
    def approve(self, place: int, staff: int, crash: str, n: int) -> None:
        """Somebody approves."""
        key = _pick(self._requests(), place)
        self._take(staff_moves.approve(self.account, staff, key), crash, n)

    @precondition(lambda self: self.account.requests)
    @rule(place=_PLACES, staff=_PEOPLE)
    def reject(self, place: int, staff: int) -> None:
        """Somebody rejects."""
        key = _pick(self._requests(), place)
        self._take(staff_moves.reject(self.account, staff, key))

    # --- disputes, freezes, the operator ---

    @precondition(lambda self: len(self.account.disputes) < _MOST_FREEZES)
    @rule(place=_PLACES, share=st.integers(1, 105), crash=_CRASHES, n=_STATEMENTS)
    def dispute(self, place: int, share: int, crash: str, n: int) -> None:
        """A payer disputes a payment or a part of it."""
        top_up_id, amount = self._part_of_a_top_up(place, share)
        self._take(staff_moves.open_dispute(self.account, top_up_id, amount), crash, n)

    @precondition(lambda self: self.account.disputes)
    @rule(place=_PLACES, state=st.sampled_from(["won", "lost"]), crash=_CRASHES, n=_STATEMENTS)
    def close_dispute(self, place: int, state: str, crash: str, n: int) -> None:
        """A dispute is decided."""
        reference = _pick(list(self.account.disputes), place)
        self._take(staff_moves.close_dispute(self.account, reference, state), crash, n)

    @precondition(lambda self: len(self.account.wallet.freezes) < _MOST_FREEZES)
    @rule(crash=_CRASHES)
    def freeze(self, crash: str) -> None:
        """Staff freezes."""
        self._take(staff_moves.freeze(self.account), crash)

    @precondition(lambda self: self.account.wallet.freezes)
    @rule(place=_PLACES, crash=_CRASHES)
    def lift(self, place: int, crash: str) -> None:
        """Staff lifts a freeze."""
        key = _pick(sorted(self.account.wallet.freezes, key=self._is_lifted), place // 2)
        self._take(staff_moves.lift(self.account, key), crash)

    @precondition(lambda self: self.account.wallet.frozen)
    @rule()
    def wake(self) -> None:
        """Every reason to freeze goes away, so that calls go on."""
        for key, stands in self.account.wallet.freezes.items():
            if stands:
                self._take(staff_moves.lift(self.account, key))
        self._take(moves.set_status(self.account, active=True))

    @rule(what=st.sampled_from([*TIERS, "", *TIERS]))
    def operate(self, what: str) -> None:
        """The operator changes the tier, or now and then freezes the workspace."""
        if what:
            self._take(moves.change_tier(self.account, what))
        else:
            self._take(moves.set_status(self.account, active=False))

    @rule(place=_PLACES)
    def repeat(self, place: int) -> None:
        """Anything that was done is asked for again."""
        self.walker.repeat(place)

    # --- always ---

    @invariant()
    def everything_adds_up(self) -> None:
        """Every row is what the oracle says, and no invariant is broken."""
        self.walker.compare()
        complain()

    def teardown(self) -> None:
        """End what is open, so that it is nobody's later."""
        add_counts(self.tally.steps, self.walker.taken)
        add_counts(self.tally.crashes, self.walker.crashes)
        for call_id, call in list(self.account.wallet.calls.items()):
            if not call.recorded:
                self.walker.take(moves.settle(self.account, call_id, 0))
        self.walker.compare()

    def _take(self, step: Step, crash: str = "", statements: int = 1) -> None:
        self.walker.take(step, crash=crash, statements=statements)

    def _open_calls(self) -> list[str]:
        calls = self.account.wallet.calls
        return [call_id for call_id, call in calls.items() if call.state == "open"]

    def _unrecorded_calls(self) -> list[str]:
        """Give the calls that the gateway has not come back for: open, or lapsed."""
        calls = self.account.wallet.calls
        return [call_id for call_id, call in calls.items() if not call.recorded]

    def _charged_calls(self) -> list[str]:
        calls = self.account.wallet.calls
        return [call_id for call_id, call in calls.items() if call.charge]

    def _live_lots(self) -> list[int]:
        lots = self.account.wallet.lots
        return [place for place, lot in enumerate(lots) if lot.remaining and lot.expires != PAST]

    def _requests(self) -> list[str]:
        """Give the requests, those that wait first and twice."""
        waiting = [key for key, kept in self.account.requests.items() if kept.state == "waiting"]
        return waiting + list(self.account.requests)

    def _is_lifted(self, key: str) -> bool:
        return not self.account.wallet.freezes[key]

    def _part_of_a_top_up(self, place: int, share: int) -> tuple[str, int]:
        top_up_id = _pick(list(self.account.wallet.top_ups), place)
        return top_up_id, max(1, self.account.wallet.top_ups[top_up_id].amount * share // 100)


def _pick(choices: list[T], place: int) -> T:
    return choices[place % len(choices)]


def run(plan: MachinePlan) -> Tally:
    """Run the machine on the database that Django is set up for.

    Raises: whatever was found wrong, with the shortest history that shows it.
    """
    tally = Tally()
    attributes = {"owner_url": plan.owner_url, "tally": tally}
    machine = seed(plan.seed)(type("SeededMachine", (MoneyMachine,), attributes))
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=plan.histories,
            stateful_step_count=plan.steps,
            deadline=None,
            database=None,
            print_blob=False,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )
    return tally


def main() -> None:
    """Run the plan that a file holds, and print the tally as JSON."""
    plan = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=MachinePlan)
    tally = run(plan)
    connection.close()
    print(msgspec.json.encode(tally).decode())

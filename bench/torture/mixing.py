"""One process of the ledger's load: some workspaces, steps by chance, on and on, whatever dies
under it. Each workspace has an oracle here, so every row can be compared at any time.

Runs until SIGTERM, ends what is open, compares all, and prints a `MixTally` as JSON.
"""

import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import msgspec
from django.db import connection

from bench.torture import moves, staff_moves
from bench.torture.compared import Different
from bench.torture.oracle import PAST
from bench.torture.plans import MixPlan, MixTally, add_counts
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

_WORKSPACES = 3
_OPEN_FOR_S = 15.0
"""A call is ended after this long: its hold lasts 75 s, and nobody sends heartbeats here."""
_COMPARE_EACH = 25
_MOST_FREEZES = 4
_CRASHES = ("", "", "", "", "", "", "before", "after")


class Mixer:
    """A workspace and what may happen to it next."""

    def __init__(self, choose: random.Random, owner_url: str, name: str) -> None:
        workspace, _ = Workspace.objects.get_or_create(name=name, tier_id="managed")
        self.account = Account(workspace.pk, two_people(), owner_url)
        self.account.markup_bp = workspace.tier.markup_bp
        self.walker = Walker(self.account, patient=True)
        self._choose = choose
        self._steps: list[tuple[int, Callable[[], Step | None]]] = [
            (30, self._hold),
            (30, self._settle),
            (2, self._lapse),
            (8, self._top_up),
            (5, self._promo),
            (2, self._expire),
            (4, lambda: moves.sweep(self.account)),
            (10, self._refund),
            (3, lambda: staff_moves.grant(self.account, self._person(), self._amount())),
            (4, self._adjust),
            (4, self._pay_out),
            (6, self._decide),
            (2, self._dispute),
            (3, self._close_dispute),
            (1, self._freeze),
            (4, self._wake),
            (3, lambda: moves.change_tier(self.account, self._choose.choice(TIERS))),
        ]

    def act(self) -> None:
        """Let something happen."""
        if late := self._late_call():
            self.walker.take(moves.settle(self.account, late, self._choose.randrange(ALONE_UCR)))
            return
        if self._choose.random() < 0.1:
            self.walker.repeat(self._choose.randrange(10**6))
            return
        weights = [weight for weight, _ in self._steps]
        [(_, make)] = self._choose.choices(self._steps, weights)
        step = make()
        if step is not None:
            crash = self._choose.choice(_CRASHES)
            self.walker.take(step, crash=crash, statements=self._choose.randrange(1, 7))

    def finish(self) -> None:
        """End what is open, and compare every row."""
        for call_id, call in list(self.account.wallet.calls.items()):
            if not call.recorded:
                self.walker.take(moves.settle(self.account, call_id, 0))
        self.walker.take(moves.sweep(self.account))
        self.walker.compare()

    def _amount(self) -> int:
        return self._choose.randrange(1, 2 * ALONE_UCR)

    def _person(self) -> int:
        return self._choose.randrange(2)

    def _late_call(self) -> str | None:
        before = time.monotonic() - _OPEN_FOR_S
        for call_id, call in self.account.wallet.calls.items():
            if not call.recorded and self.account.opened_at[call_id] < before:
                return call_id
        return None

    def _call(self, *, charged: bool = False) -> str | None:
        calls = self.account.wallet.calls
        found = [
            id for id, call in calls.items() if (call.charge if charged else not call.recorded)
        ]
        return self._choose.choice(found[-20:]) if found else None

    def _top_up_id(self) -> str | None:
        found = list(self.account.wallet.top_ups)
        return self._choose.choice(found) if found else None

    def _hold(self) -> Step:
        return moves.hold(self.account, self._amount() // 4 + 1)

    def _settle(self) -> Step | None:
        call_id = self._call()
        if call_id is None:
            return None
        share = self._choose.choice([0, 30, 60, 83, 100, 250])
        held = self.account.wallet.calls[call_id].held
        return moves.settle(self.account, call_id, held * share // 100)

    def _lapse(self) -> Step | None:
        open_ones = [
            call_id for call_id, call in self.account.wallet.calls.items() if call.state == "open"
        ]
        return moves.lapse(self.account, self._choose.choice(open_ones)) if open_ones else None

    def _top_up(self) -> Step:
        return moves.top_up(self.account, 2 * self._amount())

    def _promo(self) -> Step:
        days = self._choose.choice([0, *EXPIRY_DAYS])
        priority = self._choose.choice([10, 50, 100])
        return moves.promo(self.account, self._amount(), days, priority)

    def _expire(self) -> Step | None:
        lots = self.account.wallet.lots
        live = [place for place, lot in enumerate(lots) if lot.remaining and lot.expires != PAST]
        return moves.expire(self.account, self._choose.choice(live)) if live else None

    def _refund(self) -> Step | None:
        call_id = self._call(charged=True)
        if call_id is None:
            return None
        charge = self.account.wallet.calls[call_id].charge
        amount = max(1, charge * self._choose.randrange(1, 60) // 100)
        return staff_moves.refund(self.account, self._person(), call_id, amount)

    def _adjust(self) -> Step:
        amount = self._amount() * self._choose.choice([1, -1])
        paid = self._choose.random() < 0.5
        return staff_moves.adjust(self.account, self._person(), amount, paid=paid)

    def _pay_out(self) -> Step | None:
        top_up_id = self._top_up_id()
        if top_up_id is None:
            return None
        return staff_moves.pay_out(self.account, self._person(), top_up_id, self._amount())

    def _decide(self) -> Step | None:
        waiting = [key for key, kept in self.account.requests.items() if kept.state == "waiting"]
        if not waiting:
            return None
        decide = self._choose.choice([staff_moves.approve, staff_moves.reject, staff_moves.approve])
        return decide(self.account, self._person(), self._choose.choice(waiting))

    def _dispute(self) -> Step | None:
        top_up_id = self._top_up_id()
        standing = sum(self.account.wallet.freezes.values())
        if top_up_id is None or standing >= _MOST_FREEZES:
            return None
        return staff_moves.open_dispute(self.account, top_up_id, self._amount())

    def _close_dispute(self) -> Step | None:
        open_ones = [
            reference for reference, (*_, state) in self.account.disputes.items() if state == "open"
        ]
        if not open_ones:
            return None
        state = self._choose.choice(["won", "won", "lost"])
        return staff_moves.close_dispute(self.account, self._choose.choice(open_ones), state)

    def _freeze(self) -> Step:
        if self._choose.random() < 0.5:
            return moves.set_status(self.account, active=False)
        return staff_moves.freeze(self.account)

    def _wake(self) -> Step | None:
        if not self.account.wallet.active:
            return moves.set_status(self.account, active=True)
        standing = [key for key, stands in self.account.wallet.freezes.items() if stands]
        return staff_moves.lift(self.account, self._choose.choice(standing)) if standing else None


class _Stop:
    """Set by SIGTERM."""

    def __init__(self) -> None:
        self.asked = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.asked = True


def mix(plan: MixPlan, stop: Callable[[], bool]) -> MixTally:
    """Let things happen until told to stop, then compare everything. Finds are in the tally."""
    choose = random.Random(plan.seed)
    names = [f"mix {plan.seed} {number}" for number in range(_WORKSPACES)]
    mixers = [Mixer(choose, plan.owner_url, name) for name in names]
    tally = MixTally()
    try:
        taken = 0
        while not stop():
            mixer = choose.choice(mixers)
            mixer.act()
            taken += 1
            if taken % _COMPARE_EACH == 0:
                mixer.walker.compare()
        for mixer in mixers:
            mixer.finish()
    except Different as found:
        tally.different.append(f"{plan.seed}: {found}")
    for mixer in mixers:
        add_counts(tally.steps, mixer.walker.taken)
        add_counts(tally.crashes, mixer.walker.crashes)
    connection.close()
    return tally


def main() -> None:
    """Run the plan that a file holds."""
    plan = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=MixPlan)
    stop = _Stop()
    signal.signal(signal.SIGTERM, stop)
    tally = mix(plan, lambda: stop.asked)
    print(msgspec.json.encode(tally).decode(), flush=True)

"""A wallet in memory that does one thing after another, as docs/ledger.md tells it: what the ledger
is compared with.

It shares no code with the product. Every method does its thing and gives the ledger's word for what
came of it; a refused one changes nothing. Amounts are µcr, times are days from the beginning.
"""

from collections import Counter
from dataclasses import dataclass, field
from math import inf

NEVER = inf
PAST = -1.0
PAID_PRIORITY, GIVEN_PRIORITY = 100, 50
_REFUND_DAYS = 30.0
_SOURCES = {
    "topup": "cash",
    "reinstatement": "cash",
    "promo": "promo",
    "grant": "granted",
    "refund": "revenue",
    "adjustment": "adjustments",
}


@dataclass(eq=False, kw_only=True)
class Lot:
    """Credit that came in at once; `expires` is `PAST` when it has expired."""

    kind: str
    paid: bool
    priority: int
    expires: float
    granted: int
    remaining: int
    held: int = 0

    @property
    def free(self) -> int:
        """What may be taken of it."""
        return 0 if self.expires == PAST else self.remaining - self.held


Parts = list[tuple[Lot | None, int]]
"""How much was drawn on which lot, in order; None is what became owed."""


@dataclass(eq=False, kw_only=True)
class Call:
    """A call from its hold on; `state` is open, usage, void or lapse.

    `recorded`: the gateway came back for it, which leaves a usage row.
    """

    markup_bp: int
    parts: Parts
    state: str = "open"
    recorded: bool = False
    charged: Parts = field(default_factory=list)
    refunds: dict[str, int] = field(default_factory=dict)

    @property
    def held(self) -> int:
        """What was reserved."""
        return sum(amount for _, amount in self.parts)

    @property
    def charge(self) -> int:
        """What was charged."""
        return sum(amount for _, amount in self.charged)

    @property
    def refundable(self) -> int:
        """What is left of the charge."""
        return self.charge - sum(self.refunds.values())


@dataclass(eq=False, kw_only=True)
class TopUp:
    """A payment, what went back of it and what came again."""

    amount: int
    lots: list[Lot]
    payouts: dict[str, int] = field(default_factory=dict)
    reinstated: dict[str, int] = field(default_factory=dict)

    @property
    def gone(self) -> int:
        """What is paid out now."""
        return sum(self.payouts.values()) - sum(self.reinstated.values())


class Wallet:
    """One workspace's money."""

    def __init__(self) -> None:
        self.lots: list[Lot] = []
        self.owed = 0
        self.active = True
        self.freezes: dict[str, bool] = {}
        self.calls: dict[str, Call] = {}
        self.top_ups: dict[str, TopUp] = {}
        self.accounts: Counter[str] = Counter()

    @property
    def available(self) -> int:
        """What can be spent."""
        return sum(lot.free for lot in self.lots)

    @property
    def frozen(self) -> bool:
        """Whether it takes no holds."""
        return not self.active or any(self.freezes.values())

    @property
    def usage_rows(self) -> int:
        """How many calls the usage table has."""
        return sum(call.recorded for call in self.calls.values())

    # --- calls ---

    def hold(self, call_id: str, amount: int, markup_bp: int) -> str:
        """Reserve for a call."""
        if self.frozen:
            return "frozen"
        if amount > self.available:
            return "insufficient"
        parts: Parts = []
        for lot in self._burning():
            take = min(amount, lot.free)
            if take:
                lot.held += take
                parts.append((lot, take))
                amount -= take
        self.calls[call_id] = Call(markup_bp=markup_bp, parts=parts)
        return "held"

    def settle(self, call_id: str, kind: str, charge: int) -> str:
        """End a call: usage or void. Says which kind won, whether now, and what was charged."""
        call = self.calls[call_id]
        call.recorded = True
        if call.state != "open":
            return f"{call.state} False {call.charge}"
        call.state = kind
        rest = charge
        for lot, amount in call.parts:
            assert lot is not None
            take = min(rest, amount)
            lot.held -= amount
            lot.remaining -= take
            rest -= take
            if take:
                call.charged.append((lot, take))
        call.charged += self._take(rest, self._burning())
        self.accounts["revenue"] += charge
        return f"{kind} True {charge}"

    def lapse(self, call_id: str) -> None:
        """Nobody came back for a call in time."""
        self.settle(call_id, "lapse", 0)
        self.calls[call_id].recorded = False

    def refund(self, call_id: str, amount: int, ref: str) -> str:
        """Pay back the end of a charge."""
        call = self.calls.get(call_id)
        if call is None or call.state != "usage":
            return "unknown"
        if amount > call.refundable:
            return "too_much"
        skipped = sum(call.refunds.values())
        call.refunds[ref] = amount
        for lot, drawn in reversed(call.charged):
            passed = min(skipped, drawn)
            skipped -= passed
            part = min(amount, drawn - passed)
            amount -= part
            if part:
                self._refund_part(lot, part)
        return "refunded"

    def _refund_part(self, lot: Lot | None, amount: int) -> None:
        # Refunds come one after the other: a later one is good for a little longer.
        month = _REFUND_DAYS + len(self.lots) / 10**6
        if lot is None:
            self.add("refund", amount, paid=True, expires=NEVER)
        else:
            until = max(lot.expires, month)
            self.add("refund", amount, paid=lot.paid, expires=until, priority=lot.priority)

    # --- credit in and out ---

    def add(
        self,
        kind: str,
        amount: int,
        *,
        paid: bool,
        expires: float = NEVER,
        priority: int | None = None,
    ) -> Lot:
        """Credit comes in; what is paid repays what is owed."""
        if priority is None:
            priority = PAID_PRIORITY if paid else GIVEN_PRIORITY
        repaid = min(self.owed, amount) if paid else 0
        self.owed -= repaid
        self.accounts[_SOURCES[kind]] -= amount
        lot = Lot(
            kind=kind,
            paid=paid,
            priority=priority,
            expires=expires,
            granted=amount,
            remaining=amount - repaid,
        )
        self.lots.append(lot)
        return lot

    def top_up(self, top_up_id: str, amount: int) -> str:
        """Somebody pays."""
        lot = self.add("topup", amount, paid=True)
        self.top_ups[top_up_id] = TopUp(amount=amount, lots=[lot])
        return "credited"

    def adjust(self, amount: int, *, paid: bool) -> str:
        """Staff corrects."""
        if amount > 0:
            self.add("adjustment", amount, paid=paid)
            return "adjusted"
        lots = [lot for lot in self._burning() if lot.paid == paid]
        if -amount > sum(lot.free for lot in lots):
            return "insufficient"
        self._take(-amount, lots)
        self.accounts["adjustments"] -= amount
        return "adjusted"

    def pay_out(self, top_up_id: str, amount: int, ref: str, *, force: bool) -> str:
        """Money goes back to its payer."""
        top_up = self.top_ups.get(top_up_id)
        if top_up is None:
            return "unknown"
        if amount > top_up.amount - top_up.gone:
            return "too_much"
        own = [lot for lot in self._burning() if lot in top_up.lots]
        if not force and amount > sum(lot.free for lot in own):
            return "insufficient"
        others = [lot for lot in self._burning() if lot not in top_up.lots]
        top_up.payouts[ref] = amount
        self._take(amount, own + sorted(others, key=lambda lot: not lot.paid))
        self.accounts["cash"] += amount
        return "paid_out"

    def reinstate(self, top_up_id: str, amount: int, ref: str) -> None:
        """A payout comes back."""
        top_up = self.top_ups[top_up_id]
        assert amount <= top_up.gone
        top_up.reinstated[ref] = amount
        top_up.lots.append(self.add("reinstatement", amount, paid=True))

    def _burning(self) -> list[Lot]:
        """Give the lots in burn order."""
        order = {id(lot): place for place, lot in enumerate(self.lots)}
        return sorted(self.lots, key=lambda lot: (lot.priority, lot.expires, order[id(lot)]))

    def _take(self, amount: int, lots: list[Lot]) -> Parts:
        """Take free credit from one lot after the other, the rest is owed."""
        parts: Parts = []
        for lot in lots:
            take = min(amount, lot.free)
            if take:
                lot.remaining -= take
                amount -= take
                parts.append((lot, take))
        if amount:
            self.owed += amount
            parts.append((None, amount))
        return parts

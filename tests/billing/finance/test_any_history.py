"""Whatever happened to the ledger, every report ties and months follow on each other."""

from dataclasses import dataclass, field
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.finance.journal import journal
from billing.finance.periods import Month
from billing.finance.revenue import roll_forward
from billing.finance.snapshot import books_snapshot
from billing.finance.statements import read_figures, statement
from studio.core.ids import new_id
from tests.billing.finance.history import History
from tests.billing.ledger_client import LedgerClient, violations

DAYS = [
    "2025-01-31 23:59:59.999",
    "2025-02-01 00:00",
    "2025-02-28 23:59:59.999",
    "2025-03-01 00:00",
    "2025-03-15 12:00",
    "2025-04-01 00:00",
]
MONTHS = [Month.parse(f"2025-{number:02}") for number in range(1, 6)]
OPERATIONS = [
    "topup",
    "promo",
    "grant",
    "dead promo",
    "hold",
    "charge",
    "over-charge",
    "void",
    "refund",
    "payout",
    "dispute",
    "reinstate",
    "adjust up",
    "adjust down",
    "sweep",
]
STEPS = st.lists(
    st.tuples(st.sampled_from(OPERATIONS), st.integers(1, 500), st.booleans(), st.integers(0, 1)),
    min_size=1,
    max_size=25,
)


@dataclass(kw_only=True)
class Actor:
    """A wallet and what it may still do something about."""

    ledger: LedgerClient
    wallet: int
    top_ups: list[UUID] = field(default_factory=list)
    holds: list[tuple[UUID, int]] = field(default_factory=list)
    calls: list[UUID] = field(default_factory=list)

    def act(self, operation: str, amount: int, flag: bool) -> None:
        """Do one thing; what the ledger refuses is a history too."""
        if operation in {"hold", "charge", "over-charge", "void", "refund"}:
            self._call(operation, amount)
        elif operation in {"topup", "payout", "dispute", "reinstate"}:
            self._pay(operation, amount)
        elif operation in {"promo", "grant"}:
            self.ledger.credit(self.wallet, amount, kind=operation, priority=50 if flag else 100)
        elif operation == "dead promo":
            self.ledger.credit(self.wallet, amount, seconds=-5)
        elif operation == "sweep":
            self.ledger.sweep_lots()
        else:
            signed = amount if operation == "adjust up" else -amount
            self.ledger.adjust(self.wallet, signed, paid=flag)

    def _call(self, operation: str, amount: int) -> None:
        if operation == "refund":
            for call in self.calls[-1:]:
                self.ledger.refund(self.wallet, call, amount, ref=str(new_id()))
        elif operation == "hold":
            call = new_id()
            if self.ledger.hold(self.wallet, (call, amount))[0][0] == "held":
                self.holds.append((call, amount))
        elif self.holds:
            call, held = self.holds.pop()
            charge = {"charge": min(held, amount), "over-charge": held + amount, "void": 0}
            kind = "void" if operation == "void" else "usage"
            self.ledger.settle(self.wallet, (call, kind, charge[operation]))
            self.calls.append(call)

    def _pay(self, operation: str, amount: int) -> None:
        if operation == "topup":
            self.top_ups.append(self.ledger.topped_up(self.wallet, amount))
        for top_up in self.top_ups[-1:]:
            ref = str(new_id())
            if operation == "reinstate":
                self.ledger.reinstate(self.wallet, top_up, amount, ref)
            elif operation in {"payout", "dispute"}:
                force = operation == "dispute"
                self.ledger.pay_out(self.wallet, top_up, amount, ref, force=force)


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(parts=st.lists(STEPS, min_size=len(DAYS), max_size=len(DAYS)))
def test_any_history_ties_in_every_report(
    history: History, parts: list[list[tuple[str, int, bool, int]]]
) -> None:
    names = [str(new_id()), str(new_id())]
    actors = [Actor(ledger=history.ledger, wallet=history.workspace(name)) for name in names]
    for day, steps in zip(DAYS, parts, strict=True):
        with history.at(day):
            for operation, amount, flag, who in steps:
                actors[who].act(operation, amount, flag)
    assert violations(history.owner) == []
    closing: dict[int, int] = {}
    for month in MONTHS:
        with books_snapshot():
            found = read_figures(month)
            for figures in found:
                assert figures.opening_ucr == closing.get(figures.workspace_id, 0)
                closing[figures.workspace_id] = figures.closing_ucr
                assert figures.sum_of_kinds_ucr == figures.closing_ucr
                report = statement(month, workspace_id=figures.workspace_id)
                moved = sum(int(str(row[5])) for row in report.rows)
                assert moved == figures.closing_ucr - figures.opening_ucr
            total = [row for row in roll_forward(month).rows if row[0] == "closing"][0][-1]
            assert total == sum(closing.values())
            lines = list(journal(month).rows)
            assert sum(int(str(row[3])) for row in lines) == sum(int(str(row[5])) for row in lines)
    for actor in actors:
        query = """SELECT COALESCE(sum(remaining), 0)::bigint
                          - (SELECT owed FROM ledger.wallet WHERE id = %s)
                   FROM ledger.lot WHERE wallet_id = %s"""
        ((now,),) = history.owner.execute(query, [actor.wallet, actor.wallet]).fetchall()
        assert closing.get(actor.wallet, 0) == now

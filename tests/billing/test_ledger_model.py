"""Random batches against a model in memory that does one thing after the other."""

# ruff: noqa: S311  chance, not secrets

import random
from dataclasses import dataclass, field
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.core.ids import new_id
from tests.billing.ledger_client import Connection, LedgerClient, new_wallet, one, violations

EXPIRED_S = -5
LATER_S = 3600


@dataclass(kw_only=True)
class ModelLot:
    """A lot: its burn order, and what is left and held of it."""

    order: tuple[int, int, int]
    usable: bool
    remaining: int
    held: int = 0

    @property
    def free(self) -> int:
        """What a new hold may take."""
        return self.remaining - self.held if self.usable else 0


@dataclass(kw_only=True)
class Model:
    """A wallet as a list of lots, in burn order."""

    lots: list[ModelLot]
    holds: dict[UUID, list[tuple[ModelLot, int]]] = field(default_factory=dict)
    owed: int = 0

    @property
    def available(self) -> int:
        """What the wallet has."""
        return sum(lot.free for lot in self.lots)

    def hold(self, call: UUID, amount: int) -> tuple[str, int]:
        """Take from lot after lot."""
        if amount > self.available:
            return "insufficient", self.available
        parts: list[tuple[ModelLot, int]] = []
        for lot in self.lots:
            take = min(amount - sum(part for _, part in parts), lot.free)
            if take:
                lot.held += take
                parts.append((lot, take))
        self.holds[call] = parts
        return "held", self.available

    def settle(self, call: UUID, charge: int) -> int:
        """Release the hold and pay from it. Returns: what it did not cover."""
        for lot, part in self.holds.pop(call):
            take = min(charge, part)
            lot.held -= part
            lot.remaining -= take
            charge -= take
        return charge

    def draw(self, rest: int) -> None:
        """Pay what the hold did not cover."""
        for lot in self.lots:
            take = min(rest, lot.free)
            lot.remaining -= take
            rest -= take
        self.owed += rest


def funded(ledger: LedgerClient, wallet: int, chance: random.Random) -> Model:
    """Credit 0 to 4 lots of mixed priority and expiry, in the database and in the model."""
    lots = []
    for age in range(chance.randrange(5)):
        amount = chance.randrange(1, 300)
        priority, seconds = (
            chance.choice([10, 100]),
            chance.choice([EXPIRED_S, LATER_S, 2 * LATER_S]),
        )
        ledger.credit(wallet, amount, priority=priority, seconds=seconds)
        usable = seconds != EXPIRED_S
        lots.append(ModelLot(order=(priority, seconds, age), usable=usable, remaining=amount))
    return Model(lots=sorted(lots, key=lambda lot: lot.order))


def drawn(ledger: LedgerClient, wallet: int) -> list[tuple[int, int]]:
    """Read (remaining, held) of the wallet's lots in burn order."""
    query = """SELECT remaining, held FROM ledger.lot WHERE wallet_id = %s
               ORDER BY priority, expires_at, id"""
    return [(row[0], row[1]) for row in ledger.connection.execute(query, [wallet])]


def test_100_wallets_agree_with_the_model_batch_by_batch(
    ledger: LedgerClient, owner: Connection
) -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    for _ in range(100):
        wallet = new_wallet(owner)
        model = funded(ledger, wallet, chance)
        for _ in range(3):
            calls = [(new_id(), chance.randrange(1, 200)) for _ in range(chance.randrange(1, 12))]
            expected = [model.hold(*call) for call in calls]
            assert ledger.hold(wallet, *calls) == expected, f"seed {seed}"
            ends = [(call, chance.randrange(250)) for call in model.holds if chance.random() < 0.6]
            overs = [model.settle(call, charge) for call, charge in ends]
            for over in overs:
                model.draw(over)
            verdicts = ledger.settle(wallet, *[(call, "usage", charge) for call, charge in ends])
            assert [row[:3] for row in verdicts] == [("usage", True, end[1]) for end in ends]
            lots = [(lot.remaining, lot.held) for lot in model.lots]
            assert drawn(ledger, wallet) == lots, f"seed {seed}"
            held = sum(lot.held for lot in model.lots)
            assert ledger.balance(wallet) == (model.available, held, model.owed), f"seed {seed}"
    assert violations(owner) == []


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    lots=st.lists(
        st.tuples(st.integers(1, 50), st.sampled_from([1, 2]), st.booleans()), max_size=5
    ),
    amount=st.integers(1, 300),
)
def test_a_draw_takes_usable_credit_in_burn_order_and_owes_the_rest(
    owner: Connection, wallet: int, lots: list[tuple[int, int, bool]], amount: int
) -> None:
    ledger = LedgerClient(owner)
    with owner.transaction(force_rollback=True):
        ledger.credit(wallet, 1, priority=0)
        call = ledger.held(wallet, 1)
        ledger.settle(wallet, (call, "usage", 1))
        for size, priority, usable in lots:
            ledger.credit(wallet, size, priority=priority, seconds=LATER_S if usable else EXPIRED_S)
        query = "SELECT ledger.ledger_draw(%s, %s, 'usage', 'revenue', %s, NULL)"
        (owed,) = one(owner, query, wallet, call, amount)

        left, expected = amount, []
        for size, _, _ in sorted((lot for lot in lots if lot[2]), key=lambda lot: lot[1]):
            take = min(left, size)
            left -= take
            expected += [("usage", "wallet", "revenue", take)] if take else []
        expected += [("usage", "receivable", "revenue", left)] if left else []
        assert ledger.journal(wallet, call) == [("usage", "wallet", "revenue", 1), *expected]
        assert ledger.balance(wallet)[2] == owed == left
        assert violations(owner) == []

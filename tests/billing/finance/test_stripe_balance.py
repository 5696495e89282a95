"""Stripe's balance against the ledger: gross, fee, net, payout, and every way not to match."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from billing.finance.errors import InvoiceRefused
from billing.finance.periods import Month
from billing.finance.snapshot import books_snapshot
from billing.finance.stripe_balance import import_balance, read_payments, stripe_reconciliation
from billing.models import Quarantine, StripeBalanceLine, StripeEvent
from tests.billing.finance.history import History

MARCH = Month.parse("2025-03")
CENT = 10_000_000
HEADING = (
    "balance_transaction_id,created_utc,created,currency,gross,fee,net,reporting_category,"
    "automatic_payout_id,payment_intent_id\r\n"
)


def line(name: str, *amounts: str, category: str = "charge", payout: str = "", pi: str = "") -> str:
    at = "2025-03-31 23:59:59"
    return f"{name},{at},{at},usd,{','.join(amounts)},{category},{payout},{pi}"


def take(*lines: str) -> tuple[int, int, int]:
    taken = import_balance((HEADING + "\r\n".join(lines)).encode())
    return taken.new_count, taken.paid_out_count, taken.known_count


def paid(history: History, wallet: int, pi: str, cents: int, at: str) -> UUID:
    with history.at(at) as ledger:
        top_up = ledger.topped_up(wallet, cents * CENT)
    history.owner.execute(
        "INSERT INTO billing_payment (payment_intent_id, workspace_id, amount_cents, currency,"
        " top_up_id, credited_at, receipt_url) VALUES (%s, %s, %s, 'usd', %s, %s, '')",
        [pi, wallet, cents, top_up, f"{at}+00"],
    )
    return top_up


def test_payments_match_or_say_how_they_do_not(history: History) -> None:
    wallet = history.workspace("Ann")
    # Credited after midnight: still one payment of both months.
    paid(history, wallet, "pi_good", 1_000, "2025-04-01 00:00:02")
    top_up = paid(history, wallet, "pi_back", 500, "2025-03-05 12:00")
    paid(history, wallet, "pi_less", 300, "2025-03-05 12:00")
    with history.at("2025-03-06 12:00") as ledger:
        ledger.pay_out(wallet, top_up, 200 * CENT)
        by_bank = ledger.topped_up(wallet, 7 * CENT)
    take(
        line("txn_1", "10.00", "0.59", "9.41", payout="po_1", pi="pi_good"),
        line("txn_2", "5.00", "0.45", "4.55", payout="po_1", pi="pi_back"),
        line("txn_3", "-2.00", "0.00", "-2.00", category="refund", pi="pi_back"),
        line("txn_4", "2.99", "0.10", "2.89", pi="pi_less"),
        line("txn_5", "8.00", "0.10", "7.90", pi="pi_lost"),
        line("txn_6", "-1.25", "0.00", "-1.25", category="fee"),
    )
    with books_snapshot():
        found = read_payments(MARCH)
        report = stripe_reconciliation(MARCH)
        rows = list(report.rows)
    assert {
        p.payment: (p.state, p.gross_ucr // CENT, p.fee_ucr // CENT, p.net_ucr // CENT, p.payouts)
        for p in found
    } == {
        f"ledger {by_bank}": ("not at Stripe", 0, 0, 0, ""),
        "pi_good": ("matched", 1_000, 59, 941, "po_1"),
        "pi_back": ("matched", 500, 45, 255, "po_1"),
        "pi_less": ("differs", 299, 10, 289, ""),
        "pi_lost": ("not in the ledger", 800, 10, 790, ""),
    }
    assert {p.payment: p.difference_ucr // CENT for p in found if p.difference_ucr} == {
        f"ledger {by_bank}": -7,
        "pi_less": -1,
        "pi_lost": 800,
    }
    assert (rows[-1][1], rows[-1][3]) == ("other: fee", -125 * CENT)
    assert ("Unmatched", "3") in report.facts
    assert dict(report.totals)["net"] == (941 + 255 + 289 + 790) * CENT
    assert dict(report.totals)["difference of the unmatched"] == (800 - 1 - 7) * CENT


def test_a_quarantined_payment_says_so(history: History) -> None:
    take(line("txn_1", "10.00", "0.59", "9.41", pi="pi_odd"))
    event = StripeEvent.objects.create(
        event_id="evt_1", type="x", livemode=False, created=datetime.now(UTC), facts={}
    )
    Quarantine.objects.create(event=event, payment_intent_id="pi_odd", why="amount", detail="")
    with books_snapshot():
        (found,) = read_payments(MARCH)
    assert found.state == "quarantined"


def test_a_line_is_imported_once_and_only_ever_gets_its_payout(history: History) -> None:
    unpaid = line("txn_1", "10.00", "0.59", "9.41", pi="pi_1")
    paid_out = line("txn_1", "10.00", "0.59", "9.41", payout="po_1", pi="pi_1")
    assert take(unpaid) == (1, 0, 0)
    assert take(unpaid) == (0, 0, 1)
    assert take(paid_out) == (0, 1, 1)
    assert take(paid_out) == (0, 0, 1)
    assert take(unpaid) == (0, 0, 1)
    for other in (
        line("txn_1", "10.00", "0.60", "9.40", payout="po_1", pi="pi_1"),
        line("txn_1", "10.00", "0.59", "9.41", payout="po_2", pi="pi_1"),
    ):
        with pytest.raises(InvoiceRefused):
            take(line("txn_2", "1.00", "0.00", "1.00"), other)
    kept = StripeBalanceLine.objects.get()
    assert (kept.transaction_id, kept.payout_id, kept.fee_cents) == ("txn_1", "po_1", 59)


@pytest.mark.parametrize(
    "wrong",
    [
        line("", "1.00", "0.00", "1.00"),
        line("txn_1", "1.00", "0.00", "1.01"),
        line("txn_1", "1.001", "0.001", "1.00"),
        line("txn_1", "x", "0.00", "1.00"),
        line("txn_1", "1.00", "0.00", "1.00").replace("usd", "eur"),
        line("txn_1", "1.00", "0.00", "1.00").replace("2025-03-31", "yesterday"),
        line("txn_0", "1.00", "0.00", "1.00"),
    ],
)
def test_a_line_that_cannot_be_read_imports_nothing(history: History, wrong: str) -> None:
    with pytest.raises(InvoiceRefused, match="line 3"):
        take(line("txn_0", "1.00", "0.00", "1.00"), wrong)
    assert not StripeBalanceLine.objects.exists()

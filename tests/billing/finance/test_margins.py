"""Revenue, cost and margin by model; given credit and BYOK told apart."""

from billing.finance.margins import margins, read_margins, untied_ucr
from billing.finance.periods import Month
from billing.finance.snapshot import books_snapshot
from studio.core.ids import new_id
from tests.billing.finance.history import History

MARCH = Month.parse("2025-03")


def test_margins_are_what_was_computed_by_hand(history: History) -> None:
    history.partition("2025-03-01", "2025-04-01")
    wallet = history.workspace("Ann")
    with history.at("2025-03-05 12:00") as ledger:
        ledger.topped_up(wallet, 1_000)
        ledger.credit(wallet, 50, kind="promo", priority=1)
        first = ledger.charged(wallet, 80)
        second = ledger.charged(wallet, 20)
        lost = ledger.held(wallet, 10)
        ledger.settle(wallet, (lost, "void", 0))
    with history.at("2025-03-06 12:00") as ledger:
        ledger.refund(wallet, first, 40)
        ledger.take_corrections()
    at = "2025-03-05 12:00"
    history.used(at, wallet, first, cost=60, charge=80)
    history.used("2025-03-06 12:00", wallet, first, requests=0, charge=-40)
    history.used(at, wallet, second, provider="xai", model="grok", cost=30, charge=20)
    history.used(at, wallet, lost, cost=7)
    history.used(at, wallet, new_id(), billing="byok", requests=3)
    history.used(at, wallet, new_id(), model="gpt-5", billing="house", cost=4)
    with books_snapshot():
        found = read_margins(MARCH)
        report = margins(MARCH)
        assert untied_ucr(MARCH, found) == 0
    assert [
        (m.billing, m.provider, m.model, m.request_count, m.revenue_ucr, m.given_ucr, m.cost_ucr)
        for m in found
    ] == [
        # Of the 80, 50 were given; the refund of 40 undoes the paid 30 first, then 10 given.
        ("credits", "openai", "gpt-5", 2, 40, 40, 67),
        ("credits", "xai", "grok", 1, 20, 0, 30),
        ("house", "openai", "gpt-5", 1, 0, 0, 4),
        ("byok", "openai", "gpt-5", 3, 0, 0, 0),
    ]
    assert [(m.margin_ucr, m.margin_bp) for m in found] == [
        (-27, -6_750),
        (-10, -5_000),
        (-4, None),
        (0, None),
    ]
    totals = dict(report.totals)
    assert totals["credits: revenue"] == 60
    assert totals["credits: margin"] == -37
    assert totals["byok: revenue"] == 0
    assert totals["usage less ledger (must be 0)"] == 0


def test_a_cover_says_by_how_much_usage_and_ledger_differ(history: History) -> None:
    history.partition("2025-03-01", "2025-04-01")
    wallet = history.workspace("Ann")
    with history.at("2025-03-05 12:00") as ledger:
        ledger.topped_up(wallet, 1_000)
        call = ledger.charged(wallet, 80)
    history.used("2025-03-05 12:00", wallet, call, charge=81)
    with books_snapshot():
        report = margins(MARCH)
    assert dict(report.totals)["usage less ledger (must be 0)"] == 1

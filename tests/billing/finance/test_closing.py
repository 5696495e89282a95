"""The close of a month: by two people, only when all ties, and the same bytes for ever."""

from datetime import UTC, datetime
from io import BytesIO

import psycopg
import pytest
from django.contrib.auth.models import User

from billing.errors import AlreadyDecided, MonthNotOver, SecondPersonNeeded
from billing.finance.closing import ask_to_close, confirm_close
from billing.finance.errors import CloseNotAsked, DoesNotTie, NotReadyToClose
from billing.finance.exports import FORMATS
from billing.finance.periods import Month
from billing.finance.reports import REPORTS, STATEMENT, Order, export_report
from billing.models import ClosedMargin, ClosedMonth, ClosedStatement, MonthClose
from studio.accounts.models import Workspace
from tests.billing.finance.history import History

MARCH = Month.parse("2025-03")


@pytest.fixture
def people(history: History) -> tuple[User, User]:
    """Two of ours."""
    return User.objects.create_user("ann"), User.objects.create_user("bob")


People = tuple[User, User]


@pytest.fixture
def wallet(history: History) -> int:
    """A workspace with a purchase and a call in March."""
    wallet = history.workspace("=Acme")
    history.partition("2025-03-01", "2025-04-01")
    with history.at("2025-03-05 12:00") as ledger:
        ledger.topped_up(wallet, 1_000)
        call = ledger.charged(wallet, 300)
    history.used("2025-03-05 12:00", wallet, call, cost=200, charge=300)
    return wallet


def all_files(wallet: int) -> dict[tuple[str, str], bytes]:
    files: dict[tuple[str, str], bytes] = {}
    for name in (STATEMENT, *REPORTS):
        for form in FORMATS:
            file = BytesIO()
            order = Order(report=name, month=MARCH, form=form, workspace_id=wallet)
            export_report(order, file)
            files[name, form] = file.getvalue()
    return files


def nothing_closed() -> bool:
    kept = ClosedStatement.objects.exists() or ClosedMargin.objects.exists()
    return not kept and not ClosedMonth.objects.exists()


def test_two_people_close_a_month(history: History, wallet: int, people: People) -> None:
    ann, bob = people
    with pytest.raises(CloseNotAsked):
        confirm_close(month=MARCH, staff=bob)
    assert ask_to_close(month=MARCH, staff=ann)
    assert not ask_to_close(month=MARCH, staff=bob)
    with pytest.raises(SecondPersonNeeded):
        confirm_close(month=MARCH, staff=ann)
    assert nothing_closed()
    confirm_close(month=MARCH, staff=bob)
    (closed,) = ClosedMonth.objects.all()
    assert (closed.key, closed.closed_by, closed.confirmed_by) == ("2025-03", "ann", "bob")
    (kept,) = ClosedStatement.objects.all()
    assert (kept.workspace_id, kept.purchases_ucr, kept.charged_ucr, kept.closing_ucr) == (
        wallet,
        1_000,
        300,
        700,
    )
    for again in (confirm_close, ask_to_close):
        with pytest.raises(AlreadyDecided):
            again(month=MARCH, staff=bob)
    assert MonthClose.objects.count() == 1


def test_a_closed_month_is_the_same_bytes_whatever_happens_later(
    history: History, wallet: int, people: People
) -> None:
    ask_to_close(month=MARCH, staff=people[0])
    confirm_close(month=MARCH, staff=people[1])
    before = all_files(wallet)
    Workspace.objects.filter(pk=wallet).update(name="Renamed")
    with history.at("2025-04-02 10:00") as ledger:
        ledger.topped_up(wallet, 50)
        ledger.charged(wallet, 20)
    history.owner.execute("DROP TABLE public.usage_2025_03")
    history.workspace("Newcomer")
    assert all_files(wallet) == before
    assert b"closed" not in before["statements", "csv"]


def test_a_closed_month_that_was_changed_by_force_gives_no_file(
    history: History, wallet: int, people: People
) -> None:
    ask_to_close(month=MARCH, staff=people[0])
    confirm_close(month=MARCH, staff=people[1])
    lot = "SELECT max(id) FROM ledger.lot"
    history.owner.execute(
        f"""ALTER TABLE ledger.entry DISABLE TRIGGER USER;
            INSERT INTO ledger.entry (wallet_id, id, seq, kind, debit, credit, lot_id, amount, at)
            VALUES ({wallet}, uuidv7(), 0, 'expiry', 'wallet', 'expired', ({lot}), 1, '2025-03-09');
            UPDATE ledger.lot SET remaining = remaining - 1 WHERE id = ({lot})"""  # noqa: S608
    )
    for name in (STATEMENT, "statements", "roll-forward", "journal"):
        order = Order(report=name, month=MARCH, form="csv", workspace_id=wallet)
        with pytest.raises(DoesNotTie):
            export_report(order, BytesIO())


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE billing_closedstatement SET closing_ucr = 0",
        "DELETE FROM billing_closedstatement",
        "DELETE FROM billing_closedmargin",
        "UPDATE billing_monthclose SET requested_by_id = requested_by_id",
        "INSERT INTO billing_closedmargin (month, provider, model, billing, request_count,"
        " revenue_ucr, given_ucr, cost_ucr) VALUES ('2025-03-01', 'x', 'x', 'byok', 1, 0, 0, 0)",
    ],
)
def test_what_was_kept_at_the_close_stays(
    history: History, wallet: int, people: People, statement: str
) -> None:
    ask_to_close(month=MARCH, staff=people[0])
    confirm_close(month=MARCH, staff=people[1])
    before = all_files(wallet)
    with pytest.raises(psycopg.errors.RestrictViolation):
        history.ledger.connection.execute(statement)
    assert all_files(wallet) == before


def test_a_month_that_is_not_over_is_not_asked_for(history: History, people: People) -> None:
    now = datetime.now(UTC)
    for name in (f"{now:%Y-%m}", "2999-01"):
        with pytest.raises(MonthNotOver):
            ask_to_close(month=Month.parse(name), staff=people[0])
    assert not MonthClose.objects.exists()


def test_a_month_whose_usage_differs_from_the_ledger_is_not_closed(
    history: History, wallet: int, people: People
) -> None:
    with history.at("2025-03-06 12:00") as ledger:
        ledger.charged(wallet, 1)
    ask_to_close(month=MARCH, staff=people[0])
    with pytest.raises(DoesNotTie, match="-1 µcr"):
        confirm_close(month=MARCH, staff=people[1])
    assert nothing_closed()


def test_a_month_with_refunds_on_their_way_to_usage_is_not_closed(
    history: History, wallet: int, people: People
) -> None:
    with history.at("2025-03-07 12:00") as ledger:
        call = ledger.charged(wallet, 5)
        ledger.refund(wallet, call, 2)
    history.used("2025-03-07 12:00", wallet, call, charge=5)
    ask_to_close(month=MARCH, staff=people[0])
    with pytest.raises(NotReadyToClose, match="1 refunds"):
        confirm_close(month=MARCH, staff=people[1])
    assert nothing_closed()


def test_a_month_of_a_ledger_with_violations_is_not_closed(
    history: History, wallet: int, people: People
) -> None:
    history.owner.execute("UPDATE ledger.lot SET held = held + 1")
    ask_to_close(month=MARCH, staff=people[0])
    with pytest.raises(NotReadyToClose, match="violations"):
        confirm_close(month=MARCH, staff=people[1])
    assert nothing_closed()

"""Providers' invoices: imported whole and once, compared to the µcr, drift above 0.5 % told."""

import logging
from datetime import UTC, date, datetime

import psycopg
import pytest
from django.contrib.auth.models import User

from billing.finance.errors import InvoiceRefused
from billing.finance.invoices import import_invoice, read_matches
from billing.finance.periods import Month
from billing.models import ProviderInvoice, ProviderInvoiceLine
from billing.tasks import check_provider_invoices
from studio.core.ids import new_id
from tests.billing.finance.history import History

MARCH = Month.parse("2025-03")
HEADING = "provider,day,model,quantity,amount_usd\r\n"
USD = 10**9


@pytest.fixture
def staff(history: History) -> User:
    """One of ours."""
    return User.objects.create_user("ann")


def take(staff: User, *lines: str) -> int:
    data = (HEADING + "\r\n".join(lines)).encode()
    return import_invoice(data=data, file_name="march.csv", staff=staff).invoice_id


def test_an_invoice_is_imported_once_however_often_it_comes(history: History, staff: User) -> None:
    data = HEADING + "openai,2025-03-01,gpt-5,12.5,0.000000001\nopenai,2025-03-02,gpt-5,1,-2\n\n"
    first = import_invoice(data=data.encode(), file_name="a.csv", staff=staff)
    again = import_invoice(data=data.encode(), file_name="b.csv", staff=staff)
    assert (first.line_count, first.amount_ucr, first.repeated) == (2, 1 - 2 * USD, False)
    assert (again.invoice_id, again.line_count, again.repeated) == (first.invoice_id, 2, True)
    lines = ProviderInvoiceLine.objects.order_by("line_number")
    assert [(line.line_number, line.day, line.amount_ucr) for line in lines] == [
        (2, date(2025, 3, 1), 1),
        (3, date(2025, 3, 2), -2 * USD),
    ]


def test_every_bad_line_is_listed_and_nothing_is_imported(history: History, staff: User) -> None:
    lines = [
        "openai,2025-03-01,gpt-5,1,1.00",
        "openai,2025-02-30,gpt-5,1,1.00",
        "openai,2025-03-01,gpt-5,1,1.0000000001",
        "openai,2025-03-01,gpt-5,x,1",
        ",2025-03-01,gpt-5,1,1",
        "openai,2025-03-01,gpt-5,1,NaN",
        "openai,2025-03-01,gpt-5,1",
        "openai,2025-03-01,gpt-5,1,1e30",
        "openai,2025-03-01,gpt-5,1_0,1",
    ]
    with pytest.raises(InvoiceRefused) as refused:
        take(staff, *lines)
    assert [line.split(":")[0] for line in refused.value.lines] == [
        f"line {number}" for number in range(3, 11)
    ]
    assert not ProviderInvoice.objects.exists()
    assert not ProviderInvoiceLine.objects.exists()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"day,model\r\n1,2",
        HEADING.encode(),
        HEADING.encode() + b'openai,"',
        b"x" * 10_000_001,
    ],
)
def test_a_file_that_is_no_invoice_is_refused(history: History, staff: User, data: bytes) -> None:
    with pytest.raises(InvoiceRefused):
        import_invoice(data=data, file_name="x", staff=staff)
    assert not ProviderInvoice.objects.exists()


def test_bills_are_matched_per_day_and_model_and_drift_is_exact(
    history: History, staff: User
) -> None:
    history.partition("2025-03-01", "2025-04-01")
    wallet = history.workspace("Ann")
    recorded = [
        ("2025-03-01 00:00", "gpt-5", "credits", 199 * USD),
        ("2025-03-01 23:59:59.999999", "gpt-5", "house", 1 * USD),
        ("2025-03-01 12:00", "gpt-5", "byok", 500 * USD),
        ("2025-03-02 12:00", "gpt-5", "credits", 200 * USD),
        ("2025-03-02 12:00", "forgotten", "credits", 3 * USD),
        ("2025-03-04 12:00", "gpt-5", "credits", 9 * USD),
    ]
    for at, model, billing, cost in recorded:
        history.used(at, wallet, new_id(), model=model, billing=billing, cost=cost)
    take(
        staff,
        "openai,2025-03-01,gpt-5,10,100.5",
        "openai,2025-03-01,gpt-5,20,100.505025125",
        "openai,2025-03-02,gpt-5,5,201.005025126",
        "openai,2025-03-02,unknown,1,0.01",
    )
    found = read_matches(MARCH)
    assert [
        (m.day.day, m.model, m.billed_ucr, m.recorded_ucr, m.drift_bp, m.drifts) for m in found
    ] == [
        # One µcr makes the difference.
        (1, "gpt-5", 201_005_025_125, 200 * USD, 49, False),
        (2, "forgotten", 0, 3 * USD, None, True),
        (2, "gpt-5", 201_005_025_126, 200 * USD, 50, True),
        (2, "unknown", 10_000_000, 0, 10_000, True),
    ]
    assert (str(found[0].quantity.normalize()), found[0].request_count) == ("3E+1", 2)


def test_drift_of_these_months_is_logged_as_an_error(
    history: History, staff: User, caplog: pytest.LogCaptureFixture
) -> None:
    wallet = history.workspace("Ann")
    now = datetime.now(UTC)
    history.used(f"{now:%Y-%m-%d %H:%M:%S}", wallet, new_id(), cost=USD)
    assert check_provider_invoices() == 0
    take(staff, f"openai,{now:%Y-%m-%d},gpt-5,1,1.01")
    with caplog.at_level(logging.ERROR):
        assert check_provider_invoices() == 1
    assert f"openai gpt-5 on {now:%Y-%m-%d}: billed $1.010000000" in caplog.text


def test_an_imported_invoice_stays(history: History, staff: User) -> None:
    take(staff, "openai,2025-03-01,gpt-5,1,1")
    for statement in (
        "DELETE FROM billing_providerinvoiceline",
        "UPDATE billing_providerinvoiceline SET amount_ucr = 0",
        "UPDATE billing_providerinvoice SET sha256 = ''",
    ):
        with pytest.raises(psycopg.errors.RestrictViolation):
            history.ledger.connection.execute(statement)
    assert ProviderInvoiceLine.objects.get().amount_ucr == USD

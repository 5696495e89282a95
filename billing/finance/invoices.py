"""What providers bill us: import of their invoices, and how far they are from our recorded cost.

An invoice is a CSV file with the heading provider,day,model,quantity,amount_usd: provider and model
as in `usage`, the day in UTC, dollars with up to nine decimal places. The same bytes are imported
once.
"""

import csv
import hashlib
import io
from collections.abc import Iterator
from datetime import date
from decimal import Decimal, InvalidOperation

import msgspec
from django.contrib.auth.models import User
from django.db import transaction

from billing.finance.errors import InvoiceRefused
from billing.finance.periods import Month
from billing.finance.snapshot import read_rows
from billing.finance.tables import Column, Report, Values, money
from billing.models.finance import ProviderInvoice, ProviderInvoiceLine
from studio.core.money import BASIS_POINTS, UCR_PER_USD

DRIFT_LIMIT_BP = 50
MAX_FILE_BYTES = 10_000_000

_HEADING = ["provider", "day", "model", "quantity", "amount_usd"]
_MOST_USD = 10**8
_MOST_QUANTITY = Decimal(10) ** 20
_PLACES = Decimal("1e-9")
# Between the first and the last day that a provider has billed in the month, either side may lack a
# row: a model that was not billed, or one that we have no calls of.
_MATCHED = """
WITH billed AS (
  SELECT provider, day, model, sum(amount_ucr) AS amount, sum(quantity) AS quantity
  FROM public.billing_providerinvoiceline
  WHERE day >= %(first)s AND day < %(after)s GROUP BY 1, 2, 3
), covered AS (
  SELECT provider, min(day) AS first, max(day) AS last FROM billed GROUP BY 1
), recorded AS (
  SELECT u.provider, (u.at AT TIME ZONE 'UTC')::date AS day, u.model, sum(u.cost_ucr) AS amount,
         sum(u.request_count) AS requests
  FROM public.usage u JOIN covered c ON c.provider = u.provider
  WHERE u.at >= %(begin)s AND u.at < %(end)s AND u.billing NOT IN ('byok', 'imported')
    AND (u.at AT TIME ZONE 'UTC')::date BETWEEN c.first AND c.last
  GROUP BY 1, 2, 3 HAVING sum(u.cost_ucr) <> 0
)
SELECT provider, day, model, COALESCE(b.quantity, 0), COALESCE(r.requests, 0),
       COALESCE(b.amount, 0), COALESCE(r.amount, 0)
FROM billed b FULL JOIN recorded r USING (provider, day, model)
ORDER BY provider, day, model
"""


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice that is in; `repeated` if it was in before and nothing was written now."""

    invoice_id: int
    line_count: int
    amount_ucr: int
    repeated: bool


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """One model's day: what the provider bills, and what we recorded as its cost. µcr."""

    provider: str
    day: date
    model: str
    quantity: Decimal
    request_count: int
    billed_ucr: int
    recorded_ucr: int

    @property
    def drift_ucr(self) -> int:
        """What is billed beyond what we recorded."""
        return self.billed_ucr - self.recorded_ucr

    @property
    def drift_bp(self) -> int | None:
        """The drift in basis points of the bill, towards zero; None where nothing is billed."""
        if self.billed_ucr == 0:
            return None
        size = abs(self.drift_ucr) * BASIS_POINTS // abs(self.billed_ucr)
        return size if self.drift_ucr > 0 else -size

    @property
    def drifts(self) -> bool:
        """Tell whether the drift is above the limit, compared exactly."""
        return abs(self.drift_ucr) * BASIS_POINTS > abs(self.billed_ucr) * DRIFT_LIMIT_BP


class _Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a file that can be read."""

    line_number: int
    provider: str
    day: date
    model: str
    quantity: Decimal
    amount_ucr: int


def import_invoice(*, data: bytes, file_name: str, staff: User) -> Imported:
    """Import an invoice, whole or not at all, once however often it comes.

    Raises: InvoiceRefused with every line that cannot be read; nothing was imported.
    """
    sha256 = hashlib.sha256(data).hexdigest()
    before = ProviderInvoice.objects.filter(sha256=sha256).first()
    if before is not None:
        return _imported(before, repeated=True)
    lines = _read(data)
    with transaction.atomic(durable=True):
        invoice, fresh = ProviderInvoice.objects.get_or_create(
            sha256=sha256,
            defaults={
                "file_name": file_name[:200],
                "imported_by": staff,
                "line_count": len(lines),
                "amount_ucr": sum(line.amount_ucr for line in lines),
            },
        )
        if fresh:
            ProviderInvoiceLine.objects.bulk_create(
                [
                    ProviderInvoiceLine(invoice=invoice, **msgspec.structs.asdict(line))
                    for line in lines
                ],
                batch_size=1_000,
            )
    return _imported(invoice, repeated=not fresh)


def read_matches(month: Month) -> list[Match]:
    """Compare bills with recorded cost, for the providers and days that bills cover."""
    parameters = {
        "first": month.first,
        "after": month.after.first,
        "begin": month.begin,
        "end": month.end,
    }
    return [
        Match(
            provider=provider,
            day=day,
            model=model,
            quantity=quantity,
            request_count=int(requests),
            billed_ucr=int(billed),
            recorded_ucr=int(recorded),
        )
        for provider, day, model, quantity, requests, billed, recorded in read_rows(
            _MATCHED, parameters
        )
    ]


def invoice_drift(month: Month) -> Report:
    """Make the report of bills against recorded cost."""
    found = read_matches(month)
    return Report(
        name=f"provider-invoices-{month.name}",
        title="Provider invoices against recorded cost",
        month=month,
        facts=(
            ("Limit of drift", "0.50 % of the bill"),
            ("Rows above it", str(sum(match.drifts for match in found))),
        ),
        totals=(
            ("billed", sum(match.billed_ucr for match in found)),
            ("recorded", sum(match.recorded_ucr for match in found)),
            ("drift", sum(match.drift_ucr for match in found)),
        ),
        columns=(
            Column(name="provider"),
            Column(name="day", kind="date", width=12),
            Column(name="model", width=30),
            Column(name="quantity", width=20),
            Column(name="requests", kind="integer"),
            *money("billed"),
            *money("recorded"),
            *money("drift"),
            Column(name="drift_percent", kind="percent"),
            Column(name="above_limit", width=12),
        ),
        rows=[_row(match) for match in found],
    )


def _row(match: Match) -> Values:
    amounts = (match.billed_ucr, match.recorded_ucr, match.drift_ucr)
    return (
        match.provider,
        match.day,
        match.model,
        f"{match.quantity.normalize():f}",
        match.request_count,
        *(amount for amount in amounts for _ in range(2)),
        match.drift_bp,
        "yes" if match.drifts else "",
    )


def _imported(invoice: ProviderInvoice, *, repeated: bool) -> Imported:
    return Imported(
        invoice_id=invoice.pk,
        line_count=invoice.line_count,
        amount_ucr=invoice.amount_ucr,
        repeated=repeated,
    )


def _read(data: bytes) -> list[_Line]:
    """Read all lines. Raises: InvoiceRefused with all that is wrong."""
    if len(data) > MAX_FILE_BYTES:
        raise InvoiceRefused([f"A file has at most {MAX_FILE_BYTES} bytes"])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvoiceRefused(["The file is not UTF-8 text"]) from error
    lines: list[_Line] = []
    wrong: list[str] = []
    for number, cells in _records(text, wrong):
        try:
            lines.append(_read_line(number, cells))
        except ValueError as error:
            wrong.append(f"line {number}: {error}")
    if not lines and not wrong:
        wrong.append("The file has no lines")
    if wrong:
        raise InvoiceRefused(wrong)
    return lines


def _records(text: str, wrong: list[str]) -> Iterator[tuple[int, list[str]]]:
    """Give the records below the heading with the number of their last line."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        heading = [cell.strip().lower() for cell in next(reader, [])]
        if heading != _HEADING:
            wrong.append(f"line 1: the heading is {','.join(_HEADING)}")
            return
        for cells in reader:
            if cells:
                yield reader.line_num, cells
    except csv.Error as error:
        wrong.append(f"line {reader.line_num}: {error}")


def _read_line(number: int, cells: list[str]) -> _Line:
    """Read a record. Raises: ValueError with what is wrong."""
    if len(cells) != len(_HEADING):
        raise ValueError(f"{len(cells)} values instead of {len(_HEADING)}")
    provider, day, model, quantity, amount = (cell.strip() for cell in cells)
    for name, text in (("provider", provider), ("model", model)):
        if not text or not text.isprintable() or len(text) > 200:
            raise ValueError(f"{name} is empty, too long or not printable")
    return _Line(
        line_number=number,
        provider=provider,
        day=_read_day(day),
        model=model,
        quantity=_read_decimal("quantity", quantity, most=_MOST_QUANTITY),
        amount_ucr=int(_read_decimal("amount_usd", amount, most=Decimal(_MOST_USD)) * UCR_PER_USD),
    )


def _read_day(text: str) -> date:
    if len(text) != 10:
        raise ValueError(f"day {text[:20]!r} is not YYYY-MM-DD")
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"day {text!r} is not YYYY-MM-DD") from error


def _read_decimal(name: str, text: str, *, most: Decimal) -> Decimal:
    """Read a number of at most nine decimal places, which are as fine as a µcr."""
    try:
        number = Decimal(text) if text.isascii() and "_" not in text else Decimal("NaN")
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or abs(number) > most:
        raise ValueError(f"{name} {text[:40]!r} is no number, or too big")
    if number != number.quantize(_PLACES):
        raise ValueError(f"{name} {text[:40]!r} has more than nine decimal places")
    return number

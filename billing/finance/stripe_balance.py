"""Stripe's balance against the ledger: gross, fee, net, payout, and what does not match.

Stripe's side is its own itemised report, imported as CSV; our side is the journal. A payment
belongs to a month if either side has it then, and is compared whole, so nothing differs for
midnight alone.

Source: docs.stripe.com/reports/report-types/balance and /payout-reconciliation (November 2026): the
columns read here, `gross - fee = net`, amounts in major units, `created_utc` as YYYY-MM-DD
HH:MM:SS.
"""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec
from django.db import transaction

from billing.finance.errors import InvoiceRefused
from billing.finance.periods import Month
from billing.finance.snapshot import read_rows
from billing.finance.tables import Column, Report, Values, money
from billing.models.finance import StripeBalanceLine
from studio.core.money import UCR_PER_USD

_COLUMNS = (
    "balance_transaction_id",
    "created_utc",
    "currency",
    "gross",
    "fee",
    "net",
    "reporting_category",
    "automatic_payout_id",
    "payment_intent_id",
)
_UCR_PER_CENT = UCR_PER_USD // 100
_MOST_CENTS = 10**13
_MATCHED = """
WITH lines AS (
  SELECT payment_intent_id AS payment,
         min(created_at) AS at,
         COALESCE(sum(gross_cents) FILTER (WHERE category = 'charge'), 0) AS gross,
         COALESCE(sum(gross_cents) FILTER (WHERE category <> 'charge'), 0) AS back,
         sum(fee_cents) AS fee, sum(net_cents) AS net,
         string_agg(DISTINCT NULLIF(payout_id, ''), ' ' ORDER BY NULLIF(payout_id, '')) AS payouts
  FROM public.billing_stripebalanceline WHERE payment_intent_id <> '' GROUP BY 1
), booked AS (
  SELECT COALESCE(p.payment_intent_id, 'ledger ' || e.id) AS payment, e.wallet_id,
         min(e.at) FILTER (WHERE e.kind = 'topup') AS at,
         sum(e.amount) FILTER (WHERE e.kind = 'topup') AS bought,
         sum(CASE e.kind WHEN 'payout' THEN e.amount WHEN 'reinstatement' THEN -e.amount ELSE 0 END)
           AS back
  FROM ledger.entry e
  LEFT JOIN public.billing_payment p ON p.top_up_id = e.id AND p.workspace_id = e.wallet_id
  WHERE e.kind IN ('topup', 'payout', 'reinstatement')
  GROUP BY e.wallet_id, e.id, p.payment_intent_id
)
SELECT payment, booked.wallet_id, COALESCE(lines.gross, 0), COALESCE(lines.back, 0),
       COALESCE(lines.fee, 0), COALESCE(lines.net, 0), COALESCE(lines.payouts, ''),
       COALESCE(booked.bought, 0), COALESCE(booked.back, 0),
       lines.payment IS NOT NULL, booked.payment IS NOT NULL,
       EXISTS (SELECT FROM public.billing_quarantine q
               WHERE q.payment_intent_id = payment AND q.state IN ('open', 'proposed'))
FROM lines FULL JOIN booked USING (payment)
WHERE (lines.at >= %(begin)s AND lines.at < %(end)s)
   OR (booked.at >= %(begin)s AND booked.at < %(end)s)
ORDER BY payment
"""
_OTHER = """
SELECT category, sum(gross_cents), sum(fee_cents), sum(net_cents)
FROM public.billing_stripebalanceline
WHERE payment_intent_id = '' AND created_at >= %(begin)s AND created_at < %(end)s
GROUP BY 1 ORDER BY 1
"""


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What an import came to: new lines, lines that got their payout, lines known before."""

    new_count: int
    paid_out_count: int
    known_count: int


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """A payment on both sides. µcr; `returned` is what went back to the payer."""

    payment: str
    workspace_id: int | None
    gross_ucr: int
    stripe_returned_ucr: int
    fee_ucr: int
    net_ucr: int
    payouts: str
    bought_ucr: int
    returned_ucr: int
    state: str

    @property
    def difference_ucr(self) -> int:
        """What Stripe has beyond what the ledger has."""
        at_stripe_ucr = self.gross_ucr - self.stripe_returned_ucr
        return at_stripe_ucr - (self.bought_ucr - self.returned_ucr)


def import_balance(data: bytes) -> Taken:
    """Import Stripe's itemised report. A line that is known only ever gets its payout.

    Raises: InvoiceRefused with every line that cannot be read or contradicts what is known; nothing
    was imported.
    """
    wrong: list[str] = []
    lines = list(_read(data, wrong))
    if wrong:
        raise InvoiceRefused(wrong)
    with transaction.atomic(durable=True):
        ids = [line.transaction_id for line in lines]
        known = StripeBalanceLine.objects.select_for_update().in_bulk(ids)
        new = [line for line in lines if line.transaction_id not in known]
        paid_out: list[StripeBalanceLine] = []
        for line in lines:
            before = known.get(line.transaction_id)
            if before is None:
                continue
            if _contradicts(before, line):
                wrong.append(f"{line.transaction_id} was imported before, otherwise")
            elif line.payout_id != before.payout_id and line.payout_id:
                paid_out.append(line)
        if wrong:
            raise InvoiceRefused(wrong)
        StripeBalanceLine.objects.bulk_create(new, batch_size=1_000)
        StripeBalanceLine.objects.bulk_update(paid_out, ["payout_id"], batch_size=1_000)
    return Taken(
        new_count=len(new), paid_out_count=len(paid_out), known_count=len(lines) - len(new)
    )


def read_payments(month: Month) -> list[Payment]:
    """Compare every payment that either side has in the month."""
    return [_payment(*row) for row in read_rows(_MATCHED, _bounds(month))]


def stripe_reconciliation(month: Month) -> Report:
    """Make the report: a row per payment, then what Stripe booked without one."""
    found = read_payments(month)
    other = [
        (category, *(int(cents) * _UCR_PER_CENT for cents in amounts))
        for category, *amounts in read_rows(_OTHER, _bounds(month))
    ]
    unmatched = [each for each in found if each.state != "matched"]
    return Report(
        name=f"stripe-{month.name}",
        title="Stripe against the ledger",
        month=month,
        facts=(("Payments", str(len(found))), ("Unmatched", str(len(unmatched)))),
        totals=(
            ("gross", sum(each.gross_ucr for each in found)),
            ("fee", sum(each.fee_ucr for each in found)),
            ("net", sum(each.net_ucr for each in found)),
            ("of net: paid out", sum(each.net_ucr for each in found if each.payouts)),
            ("purchases in the ledger", sum(each.bought_ucr for each in found)),
            ("difference of the unmatched", sum(each.difference_ucr for each in unmatched)),
        ),
        columns=(
            Column(name="payment", width=40),
            Column(name="state", width=20),
            Column(name="workspace_id", kind="integer"),
            *money("gross"),
            *money("returned_at_stripe"),
            *money("fee"),
            *money("net"),
            Column(name="payouts", width=40),
            *money("purchase"),
            *money("returned_in_ledger"),
            *money("difference"),
        ),
        rows=[*map(_row, found), *(_other_row(*row) for row in other)],
    )


def _bounds(month: Month) -> dict[str, datetime]:
    return {"begin": month.begin, "end": month.end}


def _payment(*row: Any) -> Payment:  # noqa: ANN401  a row of the database
    gross, back, fee, net = (int(cents) * _UCR_PER_CENT for cents in row[2:6])
    at_stripe, in_ledger, quarantined = row[9:]
    found = Payment(
        payment=row[0],
        workspace_id=row[1],
        gross_ucr=gross,
        stripe_returned_ucr=-back,
        fee_ucr=fee,
        net_ucr=net,
        payouts=row[6],
        bought_ucr=int(row[7]),
        returned_ucr=int(row[8]),
        state="matched",
    )
    if quarantined:
        return msgspec.structs.replace(found, state="quarantined")
    if not in_ledger:
        return msgspec.structs.replace(found, state="not in the ledger")
    if not at_stripe:
        return msgspec.structs.replace(found, state="not at Stripe")
    if found.difference_ucr or found.gross_ucr != found.bought_ucr:
        return msgspec.structs.replace(found, state="differs")
    return found


def _row(each: Payment) -> Values:
    return (
        each.payment,
        each.state,
        each.workspace_id,
        *_twice(each.gross_ucr, each.stripe_returned_ucr, each.fee_ucr, each.net_ucr),
        each.payouts,
        *_twice(each.bought_ucr, each.returned_ucr, each.difference_ucr),
    )


def _other_row(category: str, gross_ucr: int, fee_ucr: int, net_ucr: int) -> Values:
    """Give a row of what belongs to no payment: Stripe's own fees, payouts, taxes."""
    amounts = _twice(gross_ucr, 0, fee_ucr, net_ucr)
    return "", f"other: {category}", None, *amounts, "", *_twice(0, 0, 0)


def _twice(*amounts_ucr: int) -> tuple[int, ...]:
    return tuple(amount for amount in amounts_ucr for _ in range(2))


def _contradicts(before: StripeBalanceLine, line: StripeBalanceLine) -> bool:
    """Tell whether a line says something else than before; one without a payout is only older."""
    other_payout = before.payout_id and line.payout_id and before.payout_id != line.payout_id
    return bool(other_payout) or _facts(before) != _facts(line)


def _facts(line: StripeBalanceLine) -> tuple[object, ...]:
    return (
        line.created_at,
        line.category,
        line.payment_intent_id,
        line.gross_cents,
        line.fee_cents,
        line.net_cents,
    )


def _read(data: bytes, wrong: list[str]) -> Iterator[StripeBalanceLine]:
    try:
        reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        missing = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            wrong.append(f"line 1: no columns {', '.join(missing)}")
            return
        seen: set[str] = set()
        for cells in reader:
            try:
                yield _read_line(cells, seen)
            except ValueError as error:
                wrong.append(f"line {reader.line_num}: {error}")
    except (UnicodeDecodeError, csv.Error) as error:
        wrong.append(f"the file is no CSV in UTF-8: {error}")


def _read_line(cells: dict[str, str], seen: set[str]) -> StripeBalanceLine:
    """Read a line. Raises: ValueError with what is wrong."""
    values = {name: (cells[name] or "").strip() for name in _COLUMNS}
    name = values["balance_transaction_id"]
    if not name or name in seen:
        raise ValueError("balance_transaction_id is empty or comes twice")
    seen.add(name)
    if values["currency"].lower() != "usd":
        raise ValueError(f"currency {values['currency'][:10]!r} is not usd")
    gross, fee, net = (_cents(word, values[word]) for word in ("gross", "fee", "net"))
    if gross - fee != net:
        raise ValueError("gross less fee is not net")
    created = datetime.strptime(values["created_utc"], "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007  next line
    return StripeBalanceLine(
        transaction_id=name,
        created_at=created.replace(tzinfo=UTC),
        category=values["reporting_category"],
        payment_intent_id=values["payment_intent_id"],
        payout_id=values["automatic_payout_id"],
        gross_cents=gross,
        fee_cents=fee,
        net_cents=net,
    )


def _cents(name: str, text: str) -> int:
    try:
        cents = Decimal(text) * 100
    except InvalidOperation as error:
        raise ValueError(f"{name} {text[:40]!r} is no number") from error
    if not cents.is_finite() or abs(cents) > _MOST_CENTS or cents != cents.to_integral_value():
        raise ValueError(f"{name} {text[:40]!r} is no amount in dollars and cents")
    return int(cents)

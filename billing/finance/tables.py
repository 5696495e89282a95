"""A report before it is a file: columns, rows, and what its cover says. Amounts are µcr."""

from collections.abc import Iterable
from datetime import date
from typing import Literal

import msgspec

from billing.finance.periods import Month
from studio.core.money import UCR_PER_USD

Kind = Literal["text", "integer", "ucr", "usd", "percent", "date"]
Value = str | int | date | None
Values = tuple[Value, ...]


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """A column. Its values are text, int or date; `usd` holds µcr, `percent` basis points.

    `summed`: the sum of its values is a control total.
    """

    name: str
    kind: Kind = "text"
    width: int = 14
    summed: bool = False


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A report of a month. `rows` is read once, inside the snapshot that the report was made in.

    `name` is the file's name without its ending; `facts` and `totals` are for the cover sheet,
    `totals` in µcr. Reading `rows` raises DoesNotTie if they do not come to what `totals` say.
    """

    name: str
    title: str
    month: Month
    facts: tuple[tuple[str, str], ...]
    totals: tuple[tuple[str, int], ...]
    columns: tuple[Column, ...]
    rows: Iterable[Values]


def money(name: str, *, summed: bool = True) -> tuple[Column, Column]:
    """Make the two columns of an amount: whole µcr, and the same as decimal dollars."""
    return (
        Column(name=f"{name}_ucr", kind="ucr", width=20, summed=summed),
        Column(name=f"{name}_usd", kind="usd", width=20),
    )


def usd_text(amount_ucr: int) -> str:
    """Write an amount as dollars, exactly: nine decimal places, since $1 = 10^9 µcr."""
    whole, rest = divmod(abs(amount_ucr), UCR_PER_USD)
    return f"{'-' if amount_ucr < 0 else ''}{whole}.{rest:09d}"


def percent_text(basis_points: int) -> str:
    """Write basis points as percent with two decimal places."""
    whole, rest = divmod(abs(basis_points), 100)
    return f"{'-' if basis_points < 0 else ''}{whole}.{rest:02d}"

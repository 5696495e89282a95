"""Amounts, ids and shares as staff's pages show them, in every app.

A column stands for a field of a row: in a list, in a page's facts, as a read-only field. Credits
show all six places, the last four in grey, so that columns align and nothing is rounded away.
"""

from collections.abc import Callable
from typing import Any, Protocol, cast

from django.utils.html import format_html
from django.utils.safestring import SafeString

from studio.core.money import UCR_PER_CREDIT

NONE = SafeString("–")
_MINUS = "\N{MINUS SIGN}"
_SHORT_ID = 13

Row = Any
"""A row of any model; each admin knows which."""


class Column(Protocol):
    """What Django's admin takes as a column: a function with a heading and an order."""

    __name__: str
    short_description: str
    admin_order_field: str

    def __call__(self, row: Row) -> SafeString: ...


def credits_cell(amount_ucr: int | None) -> SafeString:
    """Show µcr as credits: `1,234.567800`; a dash for None."""
    if amount_ucr is None:
        return NONE
    whole, rest = divmod(abs(amount_ucr), UCR_PER_CREDIT)
    places = f"{rest:06d}"
    sign = _MINUS if amount_ucr < 0 else ""
    return format_html(
        '<data class="amt" value="{}">{}{}.{}<small>{}</small></data>',
        amount_ucr,
        sign,
        f"{whole:,}",
        places[:2],
        places[2:],
    )


def cents_cell(amount_cents: int | None, currency: str) -> SafeString:
    """Show cents with their currency: `12.34 USD`; a dash for None."""
    if amount_cents is None:
        return NONE
    sign = _MINUS if amount_cents < 0 else ""
    dollars, cents = divmod(abs(amount_cents), 100)
    text = f"{sign}{dollars:,}.{cents:02d}"
    return format_html('<span class="amt">{} {}</span>', text, currency.upper())


def percent_cell(share_bp: int | None) -> SafeString:
    """Show basis points as per cent: `12.50 %`; a dash for None."""
    if share_bp is None:
        return NONE
    sign = _MINUS if share_bp < 0 else ""
    whole, rest = divmod(abs(share_bp), 100)
    return format_html('<span class="amt">{} %</span>', f"{sign}{whole:,}.{rest:02d}")


def id_cell(text: str) -> SafeString:
    """Show an id's beginning, all of it on hovering."""
    if not text:
        return NONE
    short = text if len(text) <= _SHORT_ID + 4 else f"{text[:_SHORT_ID]}…{text[-4:]}"
    return format_html('<span class="id" title="{}">{}</span>', text, short)


def credits_column(field: str, heading: str = "") -> Column:
    """Make a column of credits."""
    heading = f"{heading or _words(field.removesuffix('_ucr'))}, credits"
    return _column(field, heading, lambda row: credits_cell(getattr(row, field)))


def cents_column(field: str, heading: str = "", *, currency: str = "currency") -> Column:
    """Make a column of cents; `currency` names the field that says of what, or is the word."""
    heading = heading or _words(field.removesuffix("_cents"))
    return _column(
        field, heading, lambda row: cents_cell(getattr(row, field), getattr(row, currency, "usd"))
    )


def percent_column(field: str, heading: str = "") -> Column:
    """Make a column of basis points as per cent."""
    heading = heading or _words(field.removesuffix("_bp"))
    return _column(field, heading, lambda row: percent_cell(getattr(row, field)))


def id_column(field: str, heading: str = "") -> Column:
    """Make a column of ids of which the beginning is enough."""
    return _column(field, heading or _words(field), lambda row: id_cell(str(getattr(row, field))))


def shown(field: str) -> Column | str:
    """Give the column that a field's unit asks for, or the field itself if it has none."""
    if field.endswith("_ucr"):
        return credits_column(field)
    if field.endswith("_bp"):
        return percent_column(field)
    if field.endswith("_cents"):
        return cents_column(field)
    return field


def _column(field: str, heading: str, show: Callable[[Row], SafeString]) -> Column:
    def column(row: Row) -> SafeString:
        return show(row)

    column.__name__ = field
    # What Django's admin reads of a function.
    vars(column).update(short_description=heading, admin_order_field=field)
    return cast("Column", column)


def _words(field: str) -> str:
    return field.replace("_", " ")

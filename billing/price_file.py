"""Reading prices.toml: dollars as text in, exact integer µcr out."""

import tomllib
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path

import msgspec

from billing.pricing import ABOVE_INPUT_TOKENS, PER_MILLION, PriceRow
from studio.core.money import MAX_UCR, UCR_PER_USD

PRICES_FILE = Path(__file__).with_name("prices.toml")
_CHAT_METERS = ("input", "cached_input", "cache_write", "output")


class PriceFileInvalid(Exception):
    """The file of prices contradicts itself or its form. Nothing was written."""


class _Entry(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    provider: str
    model: str
    operation: str
    usd: dict[str, str]
    cost_usd: dict[str, str] = {}
    options: dict[str, str | int] = {}
    per: int = PER_MILLION
    source: str
    as_of: date


class _File(msgspec.Struct, forbid_unknown_fields=True):
    price: list[_Entry]


def usd_to_ucr(text: str) -> int:
    """Read a price in US dollars exactly; $0.000000001 is the smallest.

    Raises: ValueError if it is no number, negative, finer than 1 µcr, or beyond what a bigint
    holds.
    """
    try:
        amount = Decimal(text) * UCR_PER_USD
    except InvalidOperation as error:
        raise ValueError(f"not an amount of dollars: {text!r}") from error
    if not amount.is_finite() or not 0 <= amount <= MAX_UCR:
        raise ValueError(f"not a price in dollars: {text!r}")
    if amount != amount.to_integral_value():
        raise ValueError(f"a price has at most 9 decimal places of a dollar: {text!r}")
    return int(amount)


def ucr_to_usd(amount_ucr: int) -> str:
    """Give a price in dollars as people type it."""
    return f"{(Decimal(amount_ucr) / UCR_PER_USD).normalize():f}"


def read_price_file(path: Path = PRICES_FILE) -> list[PriceRow]:
    """Read and check every price of the file. Raises: PriceFileInvalid, naming the entry."""
    try:
        with path.open("rb") as file:
            document = tomllib.load(file)
        entries = msgspec.convert(document, _File).price
    except (OSError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise PriceFileInvalid(f"{path.name}: {error}") from error
    rows: dict[tuple[str, ...], PriceRow] = {}
    for entry in entries:
        for row in _rows(entry):
            if row.key in rows:
                raise PriceFileInvalid(f"{_name(entry)}: {row.meter} is priced twice")
            rows[row.key] = row
    return list(rows.values())


def check_price(row: PriceRow) -> None:
    """Check what a price must hold wherever it comes from. Raises: ValueError."""
    if row.list_ucr <= 0:
        raise ValueError(f"{row.meter} costs nothing, and nothing is free")
    if row.operation != "chat":
        return
    if row.meter not in _CHAT_METERS:
        raise ValueError(f"chat has no meter {row.meter!r}; it has {', '.join(_CHAT_METERS)}")
    if row.per != PER_MILLION:
        raise ValueError(f"chat is priced per {PER_MILLION} tokens")
    above = row.options.get(ABOVE_INPUT_TOKENS, 0)
    if row.options.keys() - {ABOVE_INPUT_TOKENS} or not isinstance(above, int) or above < 0:
        raise ValueError(f"chat has no other option than {ABOVE_INPUT_TOKENS}, a count")


def _rows(entry: _Entry) -> list[PriceRow]:
    if unpriced := entry.cost_usd.keys() - entry.usd.keys():
        raise PriceFileInvalid(f"{_name(entry)}: a cost without a price: {', '.join(unpriced)}")
    if entry.operation == "chat" and not {"input", "output"} <= entry.usd.keys():
        raise PriceFileInvalid(f"{_name(entry)}: chat needs a price for input and for output")
    try:
        rows = [_row(entry, meter) for meter in entry.usd]
        for row in rows:
            check_price(row)
    except ValueError as error:
        raise PriceFileInvalid(f"{_name(entry)}: {error}") from error
    return rows


def _row(entry: _Entry, meter: str) -> PriceRow:
    usd = entry.usd[meter]
    return PriceRow(
        provider=entry.provider,
        model=entry.model,
        operation=entry.operation,
        meter=meter,
        options=entry.options,
        per=entry.per,
        list_ucr=usd_to_ucr(usd),
        cost_ucr=usd_to_ucr(entry.cost_usd.get(meter, usd)),
        source=entry.source,
        as_of=entry.as_of,
    )


def _name(entry: _Entry) -> str:
    return f"{entry.provider} {entry.model} {entry.operation}"

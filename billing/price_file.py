"""Reading prices.toml: dollars as text in, exact integer µcr out."""

import tomllib
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path

import msgspec

from billing.pricing import ABOVE_INPUT_TOKENS, PER_MILLION, PriceRow
from billing.pricing_items import AUTO, IMAGE_OPTIONS
from studio.core.money import MAX_UCR, UCR_PER_USD

PRICES_FILE = Path(__file__).with_name("prices.toml")


class _Meters(msgspec.Struct, frozen=True, kw_only=True):
    """What an operation is metered by: the meters it needs, those it may have, and their unit.

    `options` it may have are counts; of `words` it has every one or none: then it is for any.
    """

    needed: tuple[str, ...]
    optional: tuple[str, ...] = ()
    per: int = PER_MILLION
    options: tuple[str, ...] = ()
    words: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        return (*self.needed, *self.optional)

    def fits(self, options: dict[str, str | int]) -> bool:
        """Tell whether a price may have these options."""
        counts = {name: value for name, value in options.items() if name not in self.words}
        words = [options.get(name) for name in self.words]
        return (
            counts.keys() <= set(self.options)
            and all(isinstance(value, int) and value >= 0 for value in counts.values())
            and (
                all(word is None for word in words)
                or all(isinstance(word, str) and word not in ("", AUTO) for word in words)
            )
        )

    def options_text(self) -> str:
        """Name the options it has."""
        words = [f"{name}, a word" for name in self.words]
        return ", ".join([*words, *(f"{name}, a count" for name in self.options)]) or "none"


_METERS = {
    "chat": _Meters(
        needed=("input", "output"),
        optional=("cached_input", "cache_write"),
        options=(ABOVE_INPUT_TOKENS,),
    ),
    "embedding": _Meters(needed=("input",)),
    "realtime": _Meters(needed=("session",), per=1),
    "image": _Meters(needed=("image",), per=1, words=IMAGE_OPTIONS),
    "image_edit": _Meters(needed=("image",), per=1, words=IMAGE_OPTIONS),
    "image_upscale": _Meters(needed=("image",), per=1, words=IMAGE_OPTIONS),
    "image_control": _Meters(needed=("image",), per=1, words=IMAGE_OPTIONS),
    "image_fit": _Meters(needed=("image",), per=1),
    "music": _Meters(needed=("second",), per=1),
    "speech": _Meters(needed=(), optional=("character", "input", "audio_output")),
    "transcription": _Meters(needed=("second",), per=1),
}
_OWN_WORK = ("image_fit",)
"""What this program does by itself: it may be free, where its price says 0."""


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
    own = row.operation in _OWN_WORK and row.list_ucr == row.cost_ucr == 0
    if row.list_ucr <= 0 and not own:
        raise ValueError(f"{row.meter} costs nothing, and nothing is free")
    meters = _METERS.get(row.operation)
    if meters is None:
        return
    if row.meter not in meters.all:
        known = ", ".join(meters.all)
        raise ValueError(f"{row.operation} has no meter {row.meter!r}; it has {known}")
    if row.per != meters.per:
        raise ValueError(f"{row.operation} is priced per {meters.per}")
    if not meters.fits(row.options):
        raise ValueError(f"{row.operation} has no other option than {meters.options_text()}")


def _rows(entry: _Entry) -> list[PriceRow]:
    if unpriced := entry.cost_usd.keys() - entry.usd.keys():
        raise PriceFileInvalid(f"{_name(entry)}: a cost without a price: {', '.join(unpriced)}")
    meters = _METERS.get(entry.operation)
    if meters is not None and not set(meters.needed) <= entry.usd.keys():
        needed = " and for ".join(meters.needed)
        raise PriceFileInvalid(f"{_name(entry)}: {entry.operation} needs a price for {needed}")
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

"""The money of one call, for its receipt: its entries, what is held, and the prices it is made of.

Who called what is not billing's to know: `gateway/receipts.py` puts the whole together. Amounts are
µcr.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from uuid import UUID

import msgspec
from django.db import connection

from billing.models.prices import Price
from billing.pricing import (
    PER_MILLION,
    CallPrice,
    PriceBookSnapshot,
    PriceRow,
    TokenUsage,
    snapshot_of,
)
from billing.pricing_items import ItemNotPriced, MediaPrice, MediaUsage
from billing.pricing_speech import SpeechPrice, SpeechUsage

_ENTRIES = """
SELECT seq, kind, debit, amount, cost, price_version, markup_bp, at, COALESCE(ref, '')
FROM ledger.entry WHERE wallet_id = %s AND id = %s ORDER BY seq
"""
_MS_PER_S = 1000
_HELD = """
SELECT sum(amount)::bigint FROM ledger.hold WHERE wallet_id = %s AND id = %s
"""


class ReceiptEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the call's group. `owed` is whether it is of what the workspace owes."""

    seq: int
    kind: str
    owed: bool
    amount_ucr: int
    cost_ucr: int
    price_version: int | None
    markup_bp: int | None
    at: datetime
    ref: str


class CallMoney(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger knows of a call. `open_ucr` is what is held now; None when nothing is."""

    entries: tuple[ReceiptEntry, ...]
    open_ucr: int | None

    @property
    def charged_ucr(self) -> int:
        """What the call was charged, whatever came back of it."""
        return sum(entry.amount_ucr for entry in self.entries if entry.kind == "usage")

    @property
    def refunds(self) -> tuple[ReceiptEntry, ...]:
        """What was paid back, oldest first."""
        return tuple(entry for entry in self.entries if entry.kind == "refund")

    @property
    def refunded_ucr(self) -> int:
        """The sum of it."""
        return sum(entry.amount_ucr for entry in self.refunds)

    @property
    def end(self) -> str:
        """How its hold ended: `usage`, `void`, `lapse`, or `open`; empty if there was none."""
        if self.entries:
            return self.entries[0].kind
        return "" if self.open_ucr is None else "open"


class PriceLine(msgspec.Struct, frozen=True, kw_only=True):
    """So many units of a class, at µcr per `per` of them, before the markup."""

    meter: str
    quantity: int
    unit_ucr: int
    per: int

    @property
    def amount_ucr(self) -> Decimal:
        """The exact product: rounding comes once, at the charge's end."""
        return Decimal(self.quantity * self.unit_ucr) / self.per


def read_call_money(*, workspace_id: int, call_id: UUID) -> CallMoney:
    """Read what the ledger has of a call; nothing for one that is not this workspace's."""
    with connection.cursor() as cursor:
        cursor.execute(_ENTRIES, [workspace_id, call_id])
        entries = tuple(_entry(row) for row in cursor.fetchall())
        cursor.execute(_HELD, [workspace_id, call_id])
        (open_ucr,) = cursor.fetchone()
    return CallMoney(entries=entries, open_ucr=open_ucr)


def read_call_price(*, version: int, operation: str, provider: str, model: str) -> CallPrice | None:
    """Read one model's price as a version of the book has it; None if it has none."""
    return _book_of(version, provider, model).price(operation, provider, model)


def read_media_price(
    *, version: int, operation: str, provider: str, model: str
) -> MediaPrice | None:
    """Read the price of one model's images or sound; None if it has none."""
    return _book_of(version, provider, model).media(operation, provider, model)


def read_speech_price(*, version: int, provider: str, model: str) -> SpeechPrice | None:
    """Read the price of one model's speech; None if it has none."""
    return _book_of(version, provider, model).speech(provider, model)


def speech_lines(price: SpeechPrice, use: SpeechUsage) -> tuple[PriceLine, ...]:
    """Take the charge of speech apart: characters, or tokens of text and of sound."""
    return tuple(
        PriceLine(meter=meter, quantity=quantity, unit_ucr=unit_ucr, per=PER_MILLION)
        for meter, (quantity, unit_ucr) in price.quantities(use).items()
        if quantity
    )


def media_lines(price: MediaPrice, use: MediaUsage) -> tuple[PriceLine, ...]:
    """Take the charge of images or sound apart; each image is rounded up to a whole credit."""
    try:
        units = price.list_ucr_by_meter(use)
    except ItemNotPriced:
        return ()
    return tuple(
        PriceLine(meter=meter, quantity=use.media_ms, unit_ucr=unit_ucr, per=_MS_PER_S)
        if meter == "second"
        else PriceLine(meter=meter, quantity=use.item_count, unit_ucr=unit_ucr, per=1)
        for meter, unit_ucr in units.items()
    )


def price_lines(price: CallPrice, usage: TokenUsage, *, per: int) -> tuple[PriceLine, ...]:
    """Take a charge apart into its classes; their sum with the markup, rounded up, is the charge.

    `per` is what the prices are for: a million tokens, or one item.
    """
    units = price.list_ucr_by_meter(usage)
    quantities = _quantities(units, usage)
    return tuple(
        PriceLine(meter=meter, quantity=quantities[meter], unit_ucr=unit_ucr, per=per)
        for meter, unit_ucr in units.items()
        if quantities[meter]
    )


def _book_of(version: int, provider: str, model: str) -> PriceBookSnapshot:
    """Read what one version of the book has of one model."""
    fields = PriceRow.__struct_fields__
    found = Price.objects.filter(book=version, provider=provider, model=model).values(*fields)
    return snapshot_of(version, [PriceRow(**row) for row in found])


def _quantities(meters: Iterable[str], usage: TokenUsage) -> Mapping[str, int]:
    """Count each class as it is charged; a meter that counts no tokens is one item."""
    cached = min(usage.cached_input_tokens, usage.input_tokens)
    written = min(usage.cache_write_tokens, usage.input_tokens - cached)
    counted = {
        "cached_input": cached,
        "cache_write": written,
        "output": usage.output_tokens,
    }
    # Without prices of their own both are part of the plain input.
    known = set(meters)
    apart = sum(counted[name] for name in ("cached_input", "cache_write") if name in known)
    counted["input"] = usage.input_tokens - apart
    return {meter: counted.get(meter, 1) for meter in known}


def _entry(row: tuple[object, ...]) -> ReceiptEntry:
    seq, kind, debit, amount, cost, version, markup, at, ref = row
    return msgspec.convert(
        {
            "seq": seq,
            "kind": kind,
            "owed": debit == "receivable",
            "amount_ucr": amount,
            "cost_ucr": cost,
            "price_version": version,
            "markup_bp": markup,
            "at": at,
            "ref": ref,
        },
        ReceiptEntry,
    )

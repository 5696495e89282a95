"""The JSON of a receipt, as its payer sees it: credits, exact, and no cost of ours."""

from decimal import Decimal
from typing import Any

import msgspec

from billing.receipts import PriceLine, ReceiptEntry
from gateway.receipts import Receipt
from gateway.surfaces.asking import credit_number
from studio.core.money import UCR_PER_CREDIT

_HOLD_ENDS = {"usage": "settled", "void": "released", "lapse": "lapsed", "open": "open", "": "none"}


def receipt_body(receipt: Receipt) -> dict[str, Any]:
    """Write a receipt. `amount` of a line is before the markup, and exact; rounding comes at the
    end of the charge.
    """
    return {
        "request_id": str(receipt.request_id),
        "state": receipt.state,
        "reason": receipt.reason,
        "started_at": receipt.started_at,
        "ended_at": receipt.ended_at,
        "surface": receipt.surface,
        "operation": receipt.operation,
        "kind": receipt.kind,
        "channel": receipt.channel,
        "provider": receipt.provider,
        "model": receipt.model,
        "billing": receipt.billing,
        "caused_by": {
            "key": receipt.cause.key_id,
            "key_ends_in": receipt.cause.last_four,
            "app": receipt.cause.app_id,
            "user": receipt.cause.user_ref,
        },
        "hold": _hold(receipt),
        "attempts": receipt.attempts,
        "price": _price(receipt),
        "usage": _usage(receipt),
        "charge": _charge(receipt),
        "refunds": [_refund(entry) for entry in receipt.money.refunds],
        "net": credit_number(receipt.money.charged_ucr - receipt.money.refunded_ucr),
        "currency": "credits",
    }


def _hold(receipt: Receipt) -> dict[str, Any]:
    held = receipt.held_ucr
    return {
        "amount": None if held is None else credit_number(held),
        "state": _HOLD_ENDS[receipt.money.end],
    }


def _price(receipt: Receipt) -> dict[str, Any] | None:
    if receipt.billing != "credits" or receipt.markup_bp is None:
        return None
    return {
        "version": receipt.price_version,
        "markup_percent": msgspec.Raw(b"%d.%02d" % divmod(receipt.markup_bp, 100)),
    }


def _usage(receipt: Receipt) -> dict[str, Any] | None:
    used = receipt.usage
    if used is None:
        return None
    if receipt.made is not None:
        return {
            "source": used.source,
            "items": receipt.made.item_count,
            "size": receipt.made.size or None,
            "quality": receipt.made.quality or None,
            "media_ms": receipt.made.media_ms or None,
            "lines": [_line(line) for line in receipt.lines],
        }
    if receipt.spoken is not None:
        return {
            "source": used.source,
            "characters": receipt.spoken.character_count,
            "input_tokens": receipt.spoken.input_tokens or None,
            "audio_output_tokens": receipt.spoken.output_tokens or None,
            "media_ms": receipt.spoken.media_ms or None,
            "lines": [_line(line) for line in receipt.lines],
        }
    return {
        "source": used.source,
        "input_tokens": used.input_tokens,
        "cached_input_tokens": used.cached_input_tokens,
        "cache_write_tokens": used.cache_write_tokens,
        "output_tokens": used.output_tokens,
        "reasoning_tokens": used.reasoning_tokens,
        "lines": [_line(line) for line in receipt.lines],
    }


def _line(line: PriceLine) -> dict[str, Any]:
    return {
        "class": line.meter,
        "quantity": line.quantity,
        "unit_price": credit_number(line.unit_ucr),
        "per": line.per,
        "amount": _exact(line.amount_ucr),
    }


def _charge(receipt: Receipt) -> dict[str, Any]:
    entries = receipt.money.entries
    owed_ucr = sum(entry.amount_ucr for entry in entries if entry.kind == "usage" and entry.owed)
    return {
        "amount": credit_number(receipt.money.charged_ucr),
        "of_it_owed": credit_number(owed_ucr),
        "at": entries[0].at if entries else None,
    }


def _refund(entry: ReceiptEntry) -> dict[str, Any]:
    return {"amount": credit_number(entry.amount_ucr), "at": entry.at}


def _exact(amount_ucr: Decimal) -> msgspec.Raw:
    """Write a fraction of µcr as credits, without rounding: at most twelve places."""
    return msgspec.Raw(f"{amount_ucr / UCR_PER_CREDIT:f}".encode())

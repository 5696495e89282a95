"""Calls whose process died: settled once, from the last checkpoint, by whoever finds them.

A call is dead when its lease ended ten seconds ago. What was delivered up to the checkpoint is
charged (at most two seconds or 256 tokens are given away); a call that had delivered nothing is
released. Right after a restart of the database the leases of the living are stale too, so nothing
is taken then.
"""

import logging
from typing import Any

import msgspec
from django.db import OperationalError, connection

from billing.pricing import PriceBookSnapshot, load_price_book
from gateway.operations.chat import ChatUsage
from gateway.operations.speech import SpeechUse
from gateway.statements import (
    FINISH_SOUND,
    LEASE_S,
    SETTLE_SOUND,
    Outcome,
    finish_parameters,
    read_sql,
    settle_parameters,
)

logger = logging.getLogger(__name__)

_CLAIM_DEAD = read_sql("claim_dead_calls")
_CLAIM_ORPHANS = read_sql("claim_orphan_calls")
_FORGET_ANSWERS = read_sql("forget_answers")
_FORGET_CALLS = read_sql("forget_calls")
_FORGOTTEN_AT_ONCE = 5_000


class _Delivered(msgspec.Struct, frozen=True, kw_only=True):
    """What a call is charged for what it delivered until it died. Amounts in µcr."""

    input_tokens: int = 0
    output_tokens: int = 0
    character_count: int | None = None
    charge_ucr: int = 0
    cost_ucr: int = 0


class DeadCall(msgspec.Struct, frozen=True):
    """What is known of a call whose process is gone. Tokens are counts, age in milliseconds.

    `checkpoint_tokens` of speech that is paid for by the character are characters.
    """

    id: Any
    workspace_id: int
    billing: str
    operation: str
    provider: str
    model: str
    price_version: int
    markup_bp: int
    input_estimate: int
    checkpoint_tokens: int
    age_ms: int
    capped: bool


def resolve_dead_calls(limit: int = 200) -> int:
    """Settle up to `limit` dead calls. Returns: how many were settled by this run."""
    return _resolve(_CLAIM_DEAD, limit)


def resolve_orphan_calls(limit: int = 200) -> None:
    """End up to `limit` calls whose hold lapsed before they were resolved: no charge, cost kept."""
    _resolve(_CLAIM_ORPHANS, limit)


def forget_old_calls() -> None:
    """Drop stored answers after 24 hours and call rows after 7 days, some thousand at a time."""
    for statement in (_FORGET_ANSWERS, _FORGET_CALLS):
        forgotten = _FORGOTTEN_AT_ONCE
        while forgotten == _FORGOTTEN_AT_ONCE:
            with connection.cursor() as cursor:
                cursor.execute(statement, [_FORGOTTEN_AT_ONCE])
                forgotten = cursor.rowcount


def _resolve(claim: str, limit: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(claim, [LEASE_S, limit])
        dead = [DeadCall(*row) for row in cursor.fetchall()]
    books: dict[int, PriceBookSnapshot] = {}
    settled = 0
    for call in dead:
        if call.price_version not in books:
            books[call.price_version] = load_price_book(call.price_version)
        try:
            settled += _settle(_outcome(call, books[call.price_version]))
        except OperationalError:
            # A locked wallet must not keep the others waiting; the lease just taken ends by itself.
            logger.exception("call %s could not be resolved yet", call.id)
    if dead:
        logger.warning("settled %d of %d calls whose process was gone", settled, len(dead))
    return settled


def _outcome(call: DeadCall, book: PriceBookSnapshot) -> Outcome:
    found = _delivered(call, book) if call.checkpoint_tokens > 0 else None
    paid = call.billing == "credits"
    done = found or _Delivered(character_count=0 if call.operation == "speech" else None)
    return Outcome(
        id=str(call.id),
        workspace_id=call.workspace_id,
        ledger_kind="usage" if found else "void",
        charge_ucr=done.charge_ucr if paid else 0,
        cost_ucr=done.cost_ucr if paid else 0,
        billing=call.billing,
        provider=call.provider,
        model=call.model,
        state="interrupted",
        reason="process_lost",
        http_status=500,
        input_tokens=done.input_tokens,
        cached_input_tokens=0,
        cache_write_tokens=0,
        output_tokens=done.output_tokens,
        reasoning_tokens=0,
        usage_source="counted" if found else "none",
        latency_ms=call.age_ms,
        first_byte_ms=None,
        capped=call.capped,
        keep_answer=found is not None,
        character_count=done.character_count,
    )


def _delivered(call: DeadCall, book: PriceBookSnapshot) -> _Delivered | None:
    """Price what was delivered until the checkpoint; None if its model has no price."""
    if call.operation == "speech":
        return _spoken(call, book)
    price = book.chat(call.provider, call.model)
    if price is None:
        return None
    usage = ChatUsage(input_tokens=call.input_estimate, output_tokens=call.checkpoint_tokens)
    return _Delivered(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        charge_ucr=price.charge_ucr(usage, call.markup_bp),
        cost_ucr=price.cost_ucr(usage),
    )


def _spoken(call: DeadCall, book: PriceBookSnapshot) -> _Delivered | None:
    """Price speech: the checkpoint counts what its model bills, characters or tokens of sound."""
    price = book.speech(call.provider, call.model)
    if price is None:
        return None
    use = SpeechUse(character_count=call.checkpoint_tokens)
    if price.by_tokens:
        use = SpeechUse(input_tokens=call.input_estimate, output_tokens=call.checkpoint_tokens)
    return _Delivered(
        input_tokens=use.input_tokens,
        output_tokens=use.output_tokens,
        character_count=use.character_count,
        charge_ucr=price.charge_ucr(use, call.markup_bp),
        cost_ucr=price.cost_ucr(use),
    )


def _settle(outcome: Outcome) -> bool:
    statement, parameters = SETTLE_SOUND, settle_parameters
    if outcome.billing != "credits":
        statement, parameters = FINISH_SOUND, finish_parameters
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters([outcome], sound=True))
        row = cursor.fetchone()
    return row is not None and bool(row[1])

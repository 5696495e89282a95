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
from gateway.statements import (
    FINISH,
    LEASE_S,
    SETTLE_BUDGETED,
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


class DeadCall(msgspec.Struct, frozen=True):
    """What is known of a call whose process is gone. Tokens are counts, age in milliseconds."""

    id: Any
    workspace_id: int
    billing: str
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
    price = book.chat(call.provider, call.model)
    paid = call.billing == "credits"
    delivered = call.checkpoint_tokens > 0 and price is not None
    usage = ChatUsage(
        input_tokens=call.input_estimate if delivered else 0,
        output_tokens=call.checkpoint_tokens if delivered else 0,
        source="counted" if delivered else "none",
    )
    return Outcome(
        id=str(call.id),
        workspace_id=call.workspace_id,
        ledger_kind="usage" if delivered else "void",
        charge_ucr=price.charge_ucr(usage, call.markup_bp) if price and delivered and paid else 0,
        cost_ucr=price.cost_ucr(usage) if price and delivered and paid else 0,
        billing=call.billing,
        provider=call.provider,
        model=call.model,
        state="interrupted",
        reason="process_lost",
        http_status=500,
        input_tokens=usage.input_tokens,
        cached_input_tokens=0,
        cache_write_tokens=0,
        output_tokens=usage.output_tokens,
        reasoning_tokens=0,
        usage_source=usage.source,
        latency_ms=call.age_ms,
        first_byte_ms=None,
        capped=call.capped,
        keep_answer=delivered,
    )


def _settle(outcome: Outcome) -> bool:
    statement, parameters = SETTLE_BUDGETED, settle_parameters
    if outcome.billing != "credits":
        statement, parameters = FINISH, finish_parameters
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters([outcome]))
        row = cursor.fetchone()
    return row is not None and bool(row[1])

"""The money of a job's end: one statement (../sql/settle_job.sql), in its last transaction."""

import logging
from typing import Any
from uuid import UUID

import msgspec
from django.db import connection

from gateway.operations.media import MediaUse
from gateway.statements import read_sql

logger = logging.getLogger(__name__)

_STATEMENT = read_sql("settle_job").replace("/* counts */", read_sql("count_budgets"))
_SETTLE = _STATEMENT.replace("/* verdicts */", read_sql("settle_verdicts"))
_FINISH = _STATEMENT.replace("/* verdicts */", read_sql("finish_verdicts"))


class JobOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a job ended, as ledger, call row and usage row have it.

    `ledger_kind` is usage or void; `call_state` a final state of `Call.State`. `use` is what was
    made in all, None if nothing was. `attempt_log` is what failed before, as JSON or None.
    """

    job_id: UUID
    workspace_id: int
    billing: str
    ledger_kind: str
    charge_ucr: int
    cost_ucr: int
    call_state: str
    reason: str
    http_status: int
    attempts: int
    attempt_log: str | None
    provider: str
    model: str
    use: MediaUse | None


def settle(outcome: JobOutcome) -> int:
    """Settle a job in the caller's transaction. Returns: what was charged, in µcr.

    That is 0 if somebody else had settled it: only what the ledger took counts.
    """
    paid = outcome.billing == "credits"
    with connection.cursor() as cursor:
        cursor.execute(_SETTLE if paid else _FINISH, [*_verdict_of(outcome, paid), *_row(outcome)])
        verdict, fresh, charged_ucr, _, written = cursor.fetchone()
    if not fresh or not written:
        logger.error("job %s was settled by another: %s", outcome.job_id, verdict)
    return int(charged_ucr or 0) if fresh and paid else 0


def _verdict_of(outcome: JobOutcome, paid: bool) -> list[Any]:
    if not paid:
        return [[outcome.ledger_kind]]
    return [
        [outcome.workspace_id],
        [outcome.job_id],
        [outcome.ledger_kind],
        [outcome.charge_ucr],
        [outcome.cost_ucr],
    ]


def _row(outcome: JobOutcome) -> list[Any]:
    use = outcome.use
    return [
        outcome.job_id,
        outcome.call_state,
        outcome.reason,
        outcome.http_status,
        outcome.attempts,
        outcome.provider,
        outcome.model,
        outcome.cost_ucr if outcome.billing == "credits" else 0,
        use.item_count if use else 0,
        use.media_ms if use else None,
        use.character_count if use else None,
        "provider" if use else "none",
        outcome.attempt_log,
    ]

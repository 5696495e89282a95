"""T1 of jobs: the hold, the call row, the job and its runs in one statement (../sql/hold_jobs.sql).

Jobs are rare beside chats and have nested parts, so their rows travel as one JSON document.
"""

import base64
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import msgspec

from gateway.jobs.views import COLUMNS, JobView
from gateway.statements import read_sql

LEASE_BEYOND_S = 600
HOLD_BEYOND_S = 1200
"""Beyond a job's deadline: its sweep has ended it long before. If nothing of ours ran meanwhile,
the resolver of dead calls releases it, and at last the ledger's own sweep.
"""


class NewRun(msgspec.Struct, frozen=True, kw_only=True):
    """One submission that a job begins with."""

    id: UUID
    number: int
    item_count: int


class JobRoute(msgspec.Struct, frozen=True, kw_only=True):
    """Where a job may be made. `model` is its name here, `upstream_model` the provider's."""

    provider: str
    model: str
    upstream_model: str
    drop_parameters: tuple[str, ...] = ()


class NewJob(msgspec.Struct, frozen=True, kw_only=True):
    """One hold, one call row, one job and its runs.

    Amounts in µcr; `request` and `user_keys` are sealed; digests are SHA-256.
    """

    id: UUID
    workspace_id: int
    app_key_id: int | None
    app_id: str
    user_ref: str
    surface: str
    operation: str
    kind: str
    channel: str
    billing: str
    sandbox: bool
    hold_ucr: int
    price_version: int
    markup_bp: int
    idempotency_digest: bytes | None
    request_digest: bytes | None
    item_count: int
    parameters: dict[str, Any]
    routes: tuple[JobRoute, ...]
    request: bytes
    user_keys: bytes | None
    deadline_s: int
    runs: tuple[NewRun, ...]


class JobVerdict(msgspec.Struct, frozen=True):
    """`verdict` is the ledger's word, `available_ucr` what is left; `job` what was written, None
    where that is not known (the statement was sent twice).
    """

    verdict: str
    available_ucr: int
    job: JobView | None


_COLUMNS = ", ".join(f"j.{name}" for name in COLUMNS)
_STATEMENT = read_sql("hold_jobs").replace("/* columns */", _COLUMNS)
HOLD_JOBS = _STATEMENT.replace("/* verdicts */", read_sql("hold_verdicts"))
OPEN_JOBS = _STATEMENT.replace("/* verdicts */", read_sql("open_verdicts"))


def hold_jobs_parameters(jobs: Sequence[NewJob]) -> list[str]:
    """Lay out `HOLD_JOBS`' parameters: what the ledger takes, then the document."""
    return [
        _array(job.workspace_id for job in jobs),
        _array(job.id for job in jobs),
        _array(job.hold_ucr for job in jobs),
        _array(job.deadline_s + HOLD_BEYOND_S for job in jobs),
        _array(job.price_version for job in jobs),
        _array(job.markup_bp for job in jobs),
        _document(jobs),
    ]


def open_jobs_parameters(jobs: Sequence[NewJob]) -> list[str]:
    """Lay out `OPEN_JOBS`' parameters: the ids, then the document."""
    return [_array(job.id for job in jobs), _document(jobs)]


def _array(values: Iterable[object]) -> str:
    """Write numbers and ids as an array literal: a lane takes text alone."""
    return "{" + ",".join(str(value) for value in values) + "}"


def _document(jobs: Sequence[NewJob]) -> str:
    return msgspec.json.encode([_row(n, job) for n, job in enumerate(jobs, 1)]).decode()


def _row(n: int, job: NewJob) -> dict[str, Any]:
    row = msgspec.structs.asdict(job)
    first = job.routes[0]
    return row | {
        "n": n,
        "provider": first.provider,
        "model": first.model,
        "lease_s": job.deadline_s + LEASE_BEYOND_S,
        "idempotency_digest": _hex(job.idempotency_digest),
        "request_digest": _hex(job.request_digest),
        "request": base64.b64encode(job.request).decode(),
        "user_keys": base64.b64encode(job.user_keys).decode() if job.user_keys else None,
    }


def _hex(digest: bytes | None) -> str | None:
    return digest.hex() if digest is not None else None

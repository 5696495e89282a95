"""Case: a statement of a million rows as CSV and as XLSX, in a process of its own.

The measured side is `python -m bench.finance`: it reads an `ExportPlan` as JSON and writes an
`ExportResult`. The rows are adjustments, one entry each, so that the books still reconcile.
"""

import hashlib
import resource
import sys
import tempfile
import time
from collections.abc import Iterable
from typing import IO

import django
import msgspec

from bench.cost import OTHER_CORE
from bench.measure import Options, Row
from bench.stack import Stack

_ROWS = 1_000_000
_MOST_SECONDS = 60
_MOST_BYTES = 200_000_000
_FILL = """
WITH taken AS (
  UPDATE ledger.lot SET remaining = remaining - %(rows)s WHERE id = (
    SELECT max(id) FROM ledger.lot WHERE wallet_id = %(wallet)s AND remaining > %(rows)s)
  RETURNING id, paid
)
INSERT INTO ledger.entry (wallet_id, id, seq, kind, debit, credit, lot_id, amount, ref)
SELECT %(wallet)s, uuidv7(), 0, 'adjustment', 'wallet', 'adjustments', taken.id, 1,
       'bench, a correction with a reason of usual length, number ' || n
FROM taken, generate_series(1, %(rows)s) n
"""


class ExportPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Whose statement of this month, in which form."""

    workspace_id: int
    month: str
    form: str


class ExportResult(msgspec.Struct, kw_only=True):
    """What one export took; `peak_bytes` is the most memory of the whole process."""

    wall_s: float
    cpu_s: float
    peak_bytes: int
    file_bytes: int
    row_count: int
    file_sha256: str


def finance_export(stack: Stack, options: Options) -> Iterable[Row]:
    """Write a statement of a million rows, each form twice: the bytes must be the same."""
    workspace_id = stack.make_wallets(1, 10**15).workspace_ids[0]
    with stack.connect() as connection:
        connection.execute("SET statement_timeout = 0")
        connection.execute(_FILL, {"rows": _ROWS, "wallet": workspace_id})
        connection.execute("ANALYZE ledger.entry")
    month = time.strftime("%Y-%m", time.gmtime())
    for form in ("csv", "xlsx"):
        plan = ExportPlan(workspace_id=workspace_id, month=month, form=form)
        yield _row(form, [_measured(stack, plan) for _ in range(2)])


def _row(form: str, results: list[ExportResult]) -> Row:
    worst_s = max(result.wall_s for result in results)
    peak_bytes = max(result.peak_bytes for result in results)
    faults = []
    if worst_s > _MOST_SECONDS:
        faults.append(f"{worst_s:.1f} s is more than {_MOST_SECONDS}")
    if peak_bytes > _MOST_BYTES:
        faults.append(f"{peak_bytes / 1e6:.0f} MB is more than {_MOST_BYTES / 1e6:.0f}")
    if any(result.row_count <= _ROWS for result in results):
        faults.append("rows are missing")
    if len({result.file_sha256 for result in results}) != 1:
        faults.append("the same statement twice is not the same bytes")
    return Row(
        case="finance export",
        setting=f"{_ROWS} rows",
        target=form,
        figures={
            "s": worst_s,
            "CPU s": max(result.cpu_s for result in results),
            "peak MB": peak_bytes / 1e6,
            "file MB": results[0].file_bytes / 1e6,
        },
        faults=faults,
        notes=[],
    )


def _measured(stack: Stack, plan: ExportPlan) -> ExportResult:
    printed = stack.python("-m", "bench.finance", given=msgspec.json.encode(plan), core=OTHER_CORE)
    return msgspec.json.decode(printed, type=ExportResult)


def _export(plan: ExportPlan) -> ExportResult:
    # These need Django set up, which is so in this process alone.
    from billing.finance.periods import Month
    from billing.finance.reports import STATEMENT, Order, export_report, read_form

    order = Order(
        report=STATEMENT,
        month=Month.parse(plan.month),
        form=read_form(plan.form),
        workspace_id=plan.workspace_id,
    )
    with tempfile.TemporaryFile() as file:
        begun = time.perf_counter()
        export = export_report(order, file)
        wall_s = time.perf_counter() - begun
        used = resource.getrusage(resource.RUSAGE_SELF)
        size = file.tell()
        return ExportResult(
            wall_s=wall_s,
            cpu_s=used.ru_utime + used.ru_stime,
            peak_bytes=used.ru_maxrss * 1024,
            file_bytes=size,
            row_count=export.written.row_count,
            file_sha256=_sha256(file),
        )


def _sha256(file: IO[bytes]) -> str:
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]


def main() -> None:
    """Measure one export."""
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=ExportPlan)
    django.setup()
    sys.stdout.buffer.write(msgspec.json.encode(_export(plan)))


if __name__ == "__main__":
    main()

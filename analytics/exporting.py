"""Answers as files: CSV or XLSX, streamed, from one snapshot.

Single requests are written by PostgreSQL itself (COPY), row by row as they will stand in the file,
so a million of them take seconds and no memory. The connection is none of the web's pool: it lasts
as long as the client reads. Sums are read as they are for JSON, and written here.
"""

# ruff: noqa: S608  names are ours, from enums and constants; values are parameters

import csv
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from enum import StrEnum
from typing import IO, Any, cast

import msgspec
import psycopg
from django.db import connection
from django.db.backends.utils import CursorWrapper

from analytics.answers import Answer, Page, Row, Value
from analytics.export_columns import COLUMNS, csv_select, xlsx_select
from analytics.frames import Frame, read_frame
from analytics.listing import list_conditions
from analytics.measures import MEASURES, Unit
from analytics.query import Bucket, Metric, QuerySpec, check
from analytics.raw_rows import Parameters
from analytics.reading import answer, asking_of
from studio.core.money import credits_text
from studio.core.spreadsheets import (
    CREDITS,
    DECIMAL,
    ROWS_PER_SHEET,
    WHOLE,
    Archive,
    guard_formula,
    number_cell,
    text_cell,
)

MOST_ROWS = 100_000
"""Of a file of sums; a file of single requests has as many as there are."""
_ROWS_AT_ONCE = 5_000
_CHUNK_BYTES = 64 * 1024
_WIDTH = 18
_SETTINGS = """
SELECT set_config('app.workspace', %s, true), set_config('statement_timeout', '10min', true),
       set_config('jit', 'off', true), set_config('max_parallel_workers_per_gather', '0', true)
"""

Write = Callable[[bytes], None]


class Format(StrEnum):
    """What a file is, by the ending of its name."""

    CSV = "csv"
    XLSX = "xlsx"


CONTENT_TYPES = {
    Format.CSV: "text/csv; charset=utf-8",
    Format.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def export_requests(spec: QuerySpec, form: Format, write: Write, *, workspace_id: int) -> int:
    """Write all single requests of a question, the newest first. Returns: how many.

    Raises: QueryRefused before anything is written, and whatever `write` raises.
    """
    asking = asking_of(check(spec), workspace_id)
    with _snapshot(workspace_id) as cursor:
        frame = read_frame(cast("CursorWrapper", cursor), spec, asking)
        parameters = Parameters()
        rows = _rows(spec, frame, parameters)
        if form is Format.CSV:
            head = ",".join(column.name for column in COLUMNS)
            write(f"{head}\r\n".encode())
            copy = f"COPY ({csv_select(rows)}) TO STDOUT (FORMAT csv)"
            return _write_lines(cursor, copy, parameters, write)
        copy = f"COPY ({xlsx_select(rows)}) TO STDOUT"
        return _write_workbook(cursor, copy, parameters, write)


def export_sums(spec: QuerySpec, form: Format, write: Write, *, workspace_id: int) -> int:
    """Write all rows of sums of a question. Returns: how many.

    Raises: QueryRefused before anything is written, and whatever `write` raises.
    """
    pages = _pages(spec, workspace_id)
    first = next(pages)
    headings = _headings(first.spec)
    if form is Format.CSV:
        return _write_csv(headings, _texts(first, pages), write)
    return _write_sums_workbook(headings, first, pages, write)


def _pages(spec: QuerySpec, workspace_id: int) -> Iterator[Answer]:
    cursor = None
    for _ in range(MOST_ROWS // _ROWS_AT_ONCE):
        page = Page(rows=_ROWS_AT_ONCE, cursor=cursor)
        found = answer(spec, workspace_id=workspace_id, page=page)
        yield found
        cursor = found.next_cursor
        if cursor is None:
            return


@contextmanager
def _snapshot(workspace_id: int) -> Iterator[psycopg.Cursor[Any]]:
    """Open a connection of its own, as analytics_ro on one snapshot, for one workspace."""
    options = connection.get_connection_params()
    with psycopg.connect(**options) as own, own.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        cursor.execute(_SETTINGS, [str(workspace_id)])
        cursor.execute("SET LOCAL ROLE analytics_ro")
        yield cursor


def _rows(spec: QuerySpec, frame: Frame, parameters: Parameters) -> str:
    """Select the requests, with the names of their keys."""
    pairs = [(number, word) for word, ids in frame.key_ids.items() for number in ids if number]
    numbers = parameters.add([number for number, _ in pairs])
    names = parameters.add([word for _, word in pairs])
    where = " AND ".join(list_conditions(spec, frame, parameters))
    limit = "" if spec.limit is None else f" LIMIT {parameters.add(spec.limit)}"
    return (
        "SELECT c.*, COALESCE(k.name, '') AS key FROM public.usage c LEFT JOIN"
        f" unnest({numbers}::bigint[], {names}::text[]) k (number, name) ON k.number = c.app_key_id"
        f" WHERE {where} ORDER BY c.at DESC, c.request_id DESC{limit}"
    )


def _write_lines(
    cursor: psycopg.Cursor[Any], copy: str, parameters: Parameters, write: Write
) -> int:
    row_count = 0
    pending = bytearray()
    with cursor.copy(copy, parameters.values) as lines:
        for line in lines:
            pending += line
            row_count += 1
            if len(pending) >= _CHUNK_BYTES:
                write(bytes(pending))
                pending.clear()
    write(bytes(pending))
    return row_count


def _write_workbook(
    cursor: psycopg.Cursor[Any], copy: str, parameters: Parameters, write: Write
) -> int:
    archive = Archive(cast("IO[bytes]", _Stream(write)))
    names = [column.name for column in COLUMNS]
    sheets = row_count = 0
    pending = bytearray()
    try:
        with cursor.copy(copy, parameters.values) as lines:
            for line in lines:
                if row_count == sheets * ROWS_PER_SHEET:
                    sheets = _next_sheet(archive, sheets, pending, names)
                pending += line
                row_count += 1
                if len(pending) >= _CHUNK_BYTES:
                    archive.write(bytes(pending))
                    pending.clear()
        if not sheets:
            sheets = _next_sheet(archive, 0, pending, names)
        archive.write(bytes(pending))
        archive.end_sheet()
        archive.finish([f"Requests {number}" for number in range(1, sheets + 1)])
    except BaseException:
        archive.abandon()
        raise
    return row_count


def _next_sheet(archive: Archive, sheets: int, pending: bytearray, names: list[str]) -> int:
    if sheets:
        archive.write(bytes(pending))
        pending.clear()
        archive.end_sheet()
    archive.begin_sheet(sheets + 1, names, [_WIDTH] * len(names))
    return sheets + 1


def _headings(spec: QuerySpec) -> list[str]:
    headings = [] if spec.bucket is Bucket.NONE else ["bucket"]
    headings += [item.value for item in spec.group_by]
    if spec.other:
        headings.append("other")
    for suffix in ("", "_previous") if spec.compare else ("",):
        for metric in spec.metrics:
            if MEASURES[metric].unit is Unit.UCR:
                headings.append(f"{metric.value}{suffix}_ucr")
            headings.append(f"{metric.value}{suffix}")
    return headings


class _Cell(msgspec.Struct, frozen=True):
    """A text with what it is: `style` is that of a number, 0 of text."""

    text: str
    style: int


def _cells(row: Row, spec: QuerySpec) -> list[_Cell]:
    cells = []
    if spec.bucket is not Bucket.NONE:
        cells.append(_Cell(_moment_text(row.bucket), 0))
    cells += [_Cell(key or "", 0) for key in row.keys]
    if spec.other:
        cells.append(_Cell("true" if row.is_other else "false", 0))
    for values in (row.values, row.previous):
        for metric, value in zip(spec.metrics, values or (), strict=values is not None):
            cells += _number_cells(metric, value)
    return cells


def _number_cells(metric: Metric, value: Value) -> list[_Cell]:
    if MEASURES[metric].unit is Unit.UCR:
        text = "" if value is None else credits_text(int(value))
        return [_Cell("" if value is None else str(value), WHOLE), _Cell(text, CREDITS)]
    if isinstance(value, float):
        return [_Cell(f"{value:.6f}", DECIMAL)]
    return [_Cell("" if value is None else str(value), WHOLE)]


def _moment_text(bucket: date | datetime | None) -> str:
    return bucket.isoformat() if bucket is not None else ""


def _texts(first: Answer, pages: Iterator[Answer]) -> Iterator[list[_Cell]]:
    for row in first.rows:
        yield _cells(row, first.spec)
    for page in pages:
        for row in page.rows:
            yield _cells(row, page.spec)


def _write_csv(headings: list[str], rows: Iterator[list[_Cell]], write: Write) -> int:
    row_count = 0
    buffer = io.StringIO(newline="")
    lines = csv.writer(buffer, lineterminator="\r\n")
    lines.writerow(headings)
    for row in rows:
        row_count += 1
        lines.writerow([cell.text if cell.style else guard_formula(cell.text) for cell in row])
        if buffer.tell() >= _CHUNK_BYTES:
            write(buffer.getvalue().encode())
            buffer.seek(0)
            buffer.truncate()
    write(buffer.getvalue().encode())
    return row_count


def _write_sums_workbook(
    headings: list[str], first: Answer, pages: Iterator[Answer], write: Write
) -> int:
    archive = Archive(cast("IO[bytes]", _Stream(write)))
    row_count = 0
    try:
        archive.begin_sheet(1, headings, [_WIDTH] * len(headings))
        for row in _texts(first, pages):
            row_count += 1
            cells = "".join(
                number_cell(cell.style)(cell.text) if cell.style else text_cell(cell.text)
                for cell in row
            )
            archive.write(f"<row>{cells}</row>".encode())
        archive.end_sheet()
        archive.finish(["Usage"])
    except BaseException:
        archive.abandon()
        raise
    return row_count


class _Stream:
    """A file that only goes forward, for zipfile."""

    def __init__(self, write: Write) -> None:
        self._write = write

    def write(self, data: bytes) -> int:
        """Pass it on."""
        self._write(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is kept back."""

    def seekable(self) -> bool:
        """Say that there is no way back."""
        return False

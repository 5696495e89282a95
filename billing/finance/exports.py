"""A report as a file: RFC 4180 CSV, or a workbook. Streamed: memory does not grow with the rows.

The sha256 is that of the CSV form, also for a workbook (its cover shows it), so both forms of one
report prove each other. Nothing in a file depends on when or where it was written.

Source: RFC 4180 (October 2005), section 2.
"""

import csv
import hashlib
import io
from collections.abc import Callable, Iterator
from datetime import date
from typing import IO, Literal

import msgspec

from billing.finance.tables import Column, Kind, Report, Value, Values, percent_text, usd_text
from billing.finance.workbook import Workbook
from studio.core.spreadsheets import guard_formula

Format = Literal["csv", "xlsx"]
FORMATS: tuple[Format, ...] = ("xlsx", "csv")

_ROWS_AT_ONCE = 1_000


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What went into a file: how many rows, the sha256 of the CSV form, sums by column name."""

    row_count: int
    sha256: str
    sums: tuple[tuple[str, int], ...]


def write_report(report: Report, form: Format, file: IO[bytes]) -> Written:
    """Write a report. Raises: DoesNotTie from its rows; what is in `file` then is worth nothing."""
    tape = _Tape(report.columns)
    if form == "csv":
        for chunk in tape.chunks(report):
            file.write(chunk.csv)
        return tape.written()
    with Workbook(file, report.columns) as workbook:
        for chunk in tape.chunks(report):
            workbook.add_rows(chunk.texts)
        written = tape.written()
        workbook.add_cover(report, _control_lines(report, written))
    return written


class _Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """Some rows as unguarded texts, and as CSV."""

    texts: list[list[str]]
    csv: bytes


class _Tape:
    """Turn rows into texts and CSV, and keep count, sums and digest of what went by."""

    def __init__(self, columns: tuple[Column, ...]) -> None:
        self._columns = columns
        self._to_text = [_TO_TEXT[column.kind] for column in columns]
        self._texts_at = [n for n, column in enumerate(columns) if column.kind == "text"]
        self._sums = {n: 0 for n, column in enumerate(columns) if column.summed}
        self._digest = hashlib.sha256()
        self._row_count = 0

    def chunks(self, report: Report) -> Iterator[_Chunk]:
        """Give the heading, then all rows."""
        heading = self._csv([[column.name for column in self._columns]])
        yield _Chunk(texts=[], csv=heading)
        texts: list[list[str]] = []
        for row in report.rows:
            texts.append(self._texts(row))
            if len(texts) == _ROWS_AT_ONCE:
                yield _Chunk(texts=texts, csv=self._csv(texts))
                texts = []
        yield _Chunk(texts=texts, csv=self._csv(texts))

    def written(self) -> Written:
        """Say what went by."""
        sums = tuple((self._columns[n].name, total) for n, total in self._sums.items())
        return Written(row_count=self._row_count, sha256=self._digest.hexdigest(), sums=sums)

    def _texts(self, row: Values) -> list[str]:
        for n in self._sums:
            value = row[n]
            assert isinstance(value, int)
            self._sums[n] += value
        self._row_count += 1
        return [
            "" if value is None else to_text(value)
            for to_text, value in zip(self._to_text, row, strict=True)
        ]

    def _csv(self, rows: list[list[str]]) -> bytes:
        buffer = io.StringIO(newline="")
        guarded = [row.copy() for row in rows]
        for row in guarded:
            for n in self._texts_at:
                row[n] = guard_formula(row[n])
        csv.writer(buffer, lineterminator="\r\n").writerows(guarded)
        data = buffer.getvalue().encode()
        self._digest.update(data)
        return data


def _control_lines(report: Report, written: Written) -> list[tuple[str, str]]:
    """List what the cover says of the data."""
    lines = [("Rows", str(written.row_count))]
    lines += [(f"Sum of {name}", str(total)) for name, total in written.sums]
    lines.append(("sha256 of the rows as CSV", written.sha256))
    return lines


def _text(value: Value) -> str:
    return str(value)


def _usd(value: Value) -> str:
    assert isinstance(value, int)
    return usd_text(value)


def _percent(value: Value) -> str:
    assert isinstance(value, int)
    return percent_text(value)


def _date(value: Value) -> str:
    assert isinstance(value, date)
    return value.isoformat()


_TO_TEXT: dict[Kind, Callable[[Value], str]] = {
    "text": _text,
    "integer": _text,
    "ucr": _text,
    "usd": _usd,
    "percent": _percent,
    "date": _date,
}

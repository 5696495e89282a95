"""A report as an XLSX file: a cover, then the data, streamed (studio/core/spreadsheets.py)."""

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import IO, Self

from billing.finance.tables import Column, Kind, Report, usd_text
from studio.core.spreadsheets import (
    BOLD,
    DOLLARS,
    PERCENT,
    ROWS_PER_SHEET,
    WHOLE,
    Archive,
    date_cell,
    number_cell,
    text_cell,
)


class Workbook:
    """A workbook under construction: rows first, the cover last; leaving the block finishes it."""

    def __init__(self, file: IO[bytes], columns: tuple[Column, ...]) -> None:
        self._archive = Archive(file)
        self._columns = columns
        self._cells = [_CELL[column.kind] for column in columns]
        self._sheets = 0
        self._rows_left = 0

    def __enter__(self) -> Self:
        """Give the workbook."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish the archive; after an error it is of no use."""
        if error is not None:
            self._archive.abandon()
            return
        data = [f"Data {n}" if n > 1 else "Data" for n in range(1, self._sheets + 1)]
        self._archive.finish(["Cover", *data])

    def add_rows(self, rows: Sequence[Sequence[str]]) -> None:
        """Add rows, each a text per column as in the CSV form, unguarded."""
        if not self._sheets:
            self._begin_sheet()
        while rows:
            if not self._rows_left:
                self._archive.end_sheet()
                self._begin_sheet()
            part, rows = rows[: self._rows_left], rows[self._rows_left :]
            self._rows_left -= len(part)
            self._write_rows(part)

    def add_cover(self, report: Report, control_lines: Sequence[tuple[str, str]]) -> None:
        """Add the first sheet: what the report is, its totals, and its control totals."""
        if not self._sheets:
            self._begin_sheet()
        self._archive.end_sheet()
        lines = [_cover_line(report.title, "", style=BOLD)]
        lines += [_cover_line("Month (UTC)", report.month.name)]
        lines += [_cover_line("Begins", f"{report.month.begin:%Y-%m-%dT%H:%M:%SZ}")]
        lines += [_cover_line("Ends before", f"{report.month.end:%Y-%m-%dT%H:%M:%SZ}")]
        lines += [_cover_line(*fact) for fact in report.facts]
        lines += [_cover_line("", ""), _cover_line("Totals", "µcr", "USD", style=BOLD)]
        lines += [_total_line(name, amount_ucr) for name, amount_ucr in report.totals]
        lines += [_cover_line("", ""), _cover_line("Control totals", "", style=BOLD)]
        lines += [_control_line(*line) for line in control_lines]
        widths = '<cols><col min="1" max="1" width="34" customWidth="1"/>'
        widths += '<col min="2" max="3" width="26" customWidth="1"/></cols>'
        self._archive.add_sheet(1, lines, widths)

    def _begin_sheet(self) -> None:
        self._sheets += 1
        self._rows_left = ROWS_PER_SHEET
        self._archive.begin_sheet(
            self._sheets + 1,
            [column.name for column in self._columns],
            [column.width for column in self._columns],
        )

    def _write_rows(self, rows: Sequence[Sequence[str]]) -> None:
        cells = self._cells
        text = "".join(
            f"<row>{''.join([cell(value) for cell, value in zip(cells, row, strict=True)])}</row>"
            for row in rows
        )
        self._archive.write(text.encode())


_CELL: dict[Kind, Callable[[str], str]] = {
    "text": text_cell,
    "integer": number_cell(WHOLE),
    "ucr": number_cell(WHOLE),
    "usd": number_cell(DOLLARS),
    "percent": number_cell(PERCENT),
    "date": date_cell,
}


def _cover_line(*texts: str, style: int = 0) -> str:
    return f"<row>{''.join(text_cell(text, style) for text in texts)}</row>"


def _total_line(name: str, amount_ucr: int) -> str:
    cells = _CELL["ucr"](str(amount_ucr)), _CELL["usd"](usd_text(amount_ucr))
    return f"<row>{text_cell(name)}{''.join(cells)}</row>"


def _control_line(name: str, value: str) -> str:
    """Write a number as a number, anything else (the digest) as text."""
    number = value.removeprefix("-").isdecimal() and len(value) <= 40
    return f"<row>{text_cell(name)}{(_CELL['integer'] if number else text_cell)(value)}</row>"

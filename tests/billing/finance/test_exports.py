"""Files: what a spreadsheet reads back, formula injection, exact numbers, equal bytes."""

import csv
import hashlib
import io
import zipfile
from collections.abc import Iterable
from datetime import date, datetime

import openpyxl
import pytest
from openpyxl.utils.escape import unescape

from billing.finance.errors import DoesNotTie
from billing.finance.exports import Format, Written, write_report
from billing.finance.periods import Month
from billing.finance.tables import Column, Report, Values, money, percent_text, usd_text
from studio.core.spreadsheets import ROWS_PER_SHEET

COLUMNS = (
    Column(name="day", kind="date"),
    Column(name="text"),
    Column(name="count", kind="integer", summed=True),
    Column(name="share", kind="percent"),
    *money("amount"),
)
HOSTILE = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "  =1",
    "＝1",
    '=cmd|"/c calc"!A1',
]


def report(rows: Iterable[Values]) -> Report:
    return Report(
        name="test",
        title="A test",
        month=Month.parse("2025-03"),
        facts=(("Workspace", "=evil()"),),
        totals=(("closing", 10**18 + 1), ("usage", -5)),
        columns=COLUMNS,
        rows=rows,
    )


def written(rows: Iterable[Values], form: Format) -> tuple[bytes, Written]:
    file = io.BytesIO()
    done = write_report(report(rows), form, file)
    return file.getvalue(), done


def row(text: str | None = "a", amount_ucr: int = 1, share_bp: int | None = 50) -> Values:
    return date(2025, 3, 31), text, 7, share_bp, amount_ucr, amount_ucr


def read_csv(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode(), newline=""), strict=True))


def test_csv_is_rfc_4180_and_reads_back() -> None:
    data, done = written([row('a "b", c\r\nd'), row(None, -1_500_000_001, None)], "csv")
    assert data == (
        b"day,text,count,share,amount_ucr,amount_usd\r\n"
        b'2025-03-31,"a ""b"", c\r\nd",7,0.50,1,0.000000001\r\n'
        b"2025-03-31,,7,,-1500000001,-1.500000001\r\n"
    )
    assert read_csv(data)[1][1] == 'a "b", c\r\nd'
    assert done.sha256 == hashlib.sha256(data).hexdigest()
    assert (done.row_count, done.sums) == (2, (("count", 14), ("amount_ucr", -1_500_000_000)))


@pytest.mark.parametrize("text", HOSTILE)
def test_csv_text_is_no_formula_and_a_number_stays_one(text: str) -> None:
    data, _ = written([row(text, -5)], "csv")
    line = read_csv(data)[1]
    assert line[1] == f"'{text}"
    assert line[4:] == ["-5", "-0.000000005"]


@pytest.mark.parametrize("text", [*HOSTILE, "_x0041_", "a\x00b\x1fc", "<&>\"'", "é漢😀"])
def test_a_spreadsheet_reads_text_as_it_was_and_never_as_a_formula(text: str) -> None:
    data, _ = written([row(text)], "xlsx")
    book = openpyxl.load_workbook(io.BytesIO(data))
    cell = book["Data"]["B2"]
    assert cell.data_type == "s"
    expected = text.replace("\x00", "").replace("\x1f", "")
    assert unescape(str(cell.value)) == expected
    assert {c.data_type for line in book["Cover"] for c in line} <= {"s", "n"}
    assert book["Cover"]["B5"].value == "=evil()"


def test_a_workbook_has_cover_frozen_heading_formats_and_exact_numbers() -> None:
    rows = [row("x", 1_500_000_001), row("y", 10**15, None), row("z", -(10**9), -1_234)]
    data, done = written(rows, "xlsx")
    book = openpyxl.load_workbook(io.BytesIO(data))
    assert book.sheetnames == ["Cover", "Data"]
    sheet = book["Data"]
    assert sheet.freeze_panes == "A2"
    assert [cell.value for cell in sheet[1]] == [column.name for column in COLUMNS]
    assert all(cell.font.b for cell in sheet[1])
    assert [cell.number_format for cell in sheet[2]][2:] == [
        "#,##0",
        "0.00",
        "#,##0",
        "#,##0.000000000",
    ]
    assert sheet["A2"].value == datetime(2025, 3, 31)  # noqa: DTZ001  as a spreadsheet has it
    assert (sheet["E2"].value, sheet["E4"].value) == (1_500_000_001, -1_000_000_000)
    # Sixteen digits are more than a spreadsheet keeps.
    assert (sheet["E3"].value, sheet["F3"].value) == ("1000000000000000", 1_000_000)
    assert (sheet["D3"].value, str(sheet["D4"].value)) == (None, "-12.34")
    cover = {line[0].value: [cell.value for cell in line[1:]] for line in book["Cover"]}
    assert cover["Month (UTC)"][0] == "2025-03"
    assert cover["Begins"][0] == "2025-03-01T00:00:00Z"
    assert cover["Ends before"][0] == "2025-04-01T00:00:00Z"
    assert cover["closing"] == ["1000000000000000001", "1000000000.000000001"]
    assert cover["Rows"][0] == 3
    assert cover["Sum of amount_ucr"][0] == "1000000500000001"
    as_csv, _ = written(rows, "csv")
    assert cover["sha256 of the rows as CSV"][0] == done.sha256
    assert done.sha256 == hashlib.sha256(as_csv).hexdigest()


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_the_same_rows_are_the_same_bytes(form: Format) -> None:
    rows = [row(f"row {number}", number) for number in range(3_000)]
    assert written(rows, form)[0] == written(iter(rows), form)[0]


def test_nothing_in_an_archive_has_a_time_of_its_own() -> None:
    data, _ = written([row()], "xlsx")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_a_report_without_rows_is_a_heading() -> None:
    assert read_csv(written([], "csv")[0]) == [[column.name for column in COLUMNS]]
    book = openpyxl.load_workbook(io.BytesIO(written([], "xlsx")[0]))
    assert book["Data"].max_row == 1


def test_rows_beyond_a_sheet_go_on_to_the_next() -> None:
    file = io.BytesIO()
    same = (date(2025, 3, 31),)
    narrow = Report(
        name="long",
        title="Long",
        month=Month.parse("2025-03"),
        facts=(),
        totals=(),
        columns=(Column(name="day", kind="date"),),
        rows=(same for _ in range(ROWS_PER_SHEET + 2)),
    )
    write_report(narrow, "xlsx", file)
    with zipfile.ZipFile(file) as archive:
        rows = [archive.read(f"xl/worksheets/sheet{n}.xml").count(b"<row>") for n in (2, 3)]
        names = archive.read("xl/workbook.xml").decode()
    assert rows == [ROWS_PER_SHEET + 1, 3]
    assert 'name="Data 2"' in names


def test_rows_that_do_not_tie_leave_an_archive_that_nobody_can_read() -> None:
    def broken() -> Iterable[Values]:
        yield row()
        raise DoesNotTie("one µcr is missing")

    file = io.BytesIO()
    with pytest.raises(DoesNotTie):
        write_report(report(broken()), "xlsx", file)
    with zipfile.ZipFile(file) as archive:
        assert "[Content_Types].xml" not in archive.namelist()


def test_amounts_are_written_exactly() -> None:
    assert [usd_text(n) for n in (0, 1, -1, 10**9, -(10**18) - 1)] == [
        "0.000000000",
        "0.000000001",
        "-0.000000001",
        "1.000000000",
        "-1000000000.000000001",
    ]
    assert [percent_text(n) for n in (0, 5, -5, 12_345)] == ["0.00", "0.05", "-0.05", "123.45"]

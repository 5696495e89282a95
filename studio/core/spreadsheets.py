"""XLSX files, written as a stream with the standard library: rows of cells, one sheet per million.

Rows go straight into the archive. Text is written as inline strings, which no spreadsheet reads as
a formula. Numbers are written from their decimal text; one with more than fifteen digits is written
as text, because a spreadsheet would round it. Every member has the same date, so the same rows make
the same bytes (with the same zlib). XlsxWriter was the other choice: 5.2 s of processor time for
100 000 rows of a statement against 1.2 s here (November 2026), and a dependency.

Source: ECMA-376 part 1 (5th edition, December 2016), 18.2 (workbooks), 18.3 (sheets), 18.8
(styles), 22.4.2.4 (escapes in strings); Microsoft's "Excel specifications and limits" for rows,
cell length, digits.
"""

import re
import zipfile
from collections.abc import Callable, Sequence
from datetime import date
from typing import IO, Final
from xml.sax.saxutils import escape

ROWS_PER_SHEET = 1_000_000
LONGEST_TEXT = 16_000
"""Half of what a cell takes, because it counts UTF-16 units."""
_MOST_DIGITS = 15
_FIRST_DAY: Final = date(1899, 12, 30)
_HEAD: Final = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006"
_TYPES: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_LOOKS_ESCAPED = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")
BOLD, WHOLE, DOLLARS, PERCENT, DATE, CREDITS, DECIMAL, MOMENT = 1, 2, 3, 4, 5, 6, 7, 8
"""Styles of cells, by their places in the file."""
_NUMBER_FORMATS: Final = (
    (164, "#,##0"),
    (165, "#,##0.000000000"),
    (166, "0.00"),
    (167, "yyyy\\-mm\\-dd"),
    (168, "#,##0.000000"),
    (169, "#,##0.######"),
    (170, "yyyy\\-mm\\-dd hh:mm:ss"),
)


FORMULA_BEGINS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""With what a spreadsheet begins a formula when it reads CSV.

Source: OWASP, "CSV Injection"; the wide forms are read as the plain ones in East Asian locales.
"""


class Archive:
    """An archive under construction. Sheets are added one after the other; their order in the book
    is said at the end.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
        self._sheet: IO[bytes] | None = None

    def begin_sheet(self, number: int, headings: Sequence[str], widths: Sequence[int]) -> None:
        """Begin sheet `number` (from 1) with a heading that stays in sight."""
        self._sheet = self._zip.open(f"xl/worksheets/sheet{number}.xml", "w", force_zip64=True)
        columns = "".join(
            f'<col min="{n}" max="{n}" width="{width}" customWidth="1"/>'
            for n, width in enumerate(widths, 1)
        )
        heading = "".join(text_cell(name, BOLD) for name in headings)
        frozen = '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>'
        text = f'{_HEAD}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0">'
        text += f"{frozen}</sheetView></sheetViews><cols>{columns}</cols>"
        self.write(f"{text}<sheetData><row>{heading}</row>".encode())

    def write(self, rows: bytes) -> None:
        """Write rows into the sheet that was begun, as XML."""
        assert self._sheet is not None
        self._sheet.write(rows)

    def end_sheet(self) -> None:
        """End the sheet that was begun."""
        assert self._sheet is not None
        self._sheet.write(b"</sheetData></worksheet>")
        self._sheet.close()
        self._sheet = None

    def add_sheet(self, number: int, lines: Sequence[str], columns: str) -> None:
        """Add a small sheet: its rows and its `cols`, as XML."""
        text = f'{_HEAD}<worksheet xmlns="{_MAIN}">{columns}<sheetData>{"".join(lines)}'
        self._add(f"xl/worksheets/sheet{number}.xml", f"{text}</sheetData></worksheet>")

    def finish(self, names: Sequence[str]) -> None:
        """Name the sheets, and end the file."""
        self._add("xl/styles.xml", _styles())
        self._add("xl/workbook.xml", _workbook(names))
        self._add("xl/_rels/workbook.xml.rels", _relations_of_workbook(len(names)))
        self._add(
            "_rels/.rels",
            f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1"'
            f' Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        )
        self._add("[Content_Types].xml", _content_types(len(names)))
        self._zip.close()

    def abandon(self) -> None:
        """Let go of the file; what is in it is of no use."""
        if self._sheet is not None:
            self._sheet.close()
        self._zip.close()

    def _add(self, name: str, text: str) -> None:
        with self._zip.open(name, "w") as member:
            member.write(text.encode())


def guard_formula(text: str) -> str:
    """Write an apostrophe before text that a spreadsheet would run as a formula."""
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA_BEGINS) else text


def text_cell(text: str, style: int = 0) -> str:
    """Write text as a cell."""
    if not text:
        return "<c/>"
    if _CONTROL.search(text):
        text = _CONTROL.sub("", text)
    if "_x" in text:
        text = _LOOKS_ESCAPED.sub("_x005F_", text)
    styled = f' s="{style}"' if style else ""
    text = escape(text[:LONGEST_TEXT]).replace("\r", "_x000D_")
    return f'<c t="inlineStr"{styled}><is><t xml:space="preserve">{text}</t></is></c>'


def number_cell(style: int) -> Callable[[str], str]:
    """Make a writer of decimal texts as cells of this style; the empty text is an empty cell."""
    before = f'<c s="{style}"><v>'

    def cell(text: str) -> str:
        if len(text) > _MOST_DIGITS and _digits(text) > _MOST_DIGITS:
            return text_cell(text)
        return f"{before}{text}</v></c>" if text else "<c/>"

    return cell


def _digits(text: str) -> int:
    """Count the digits that a spreadsheet must keep."""
    if "." in text:
        text = text.rstrip("0").replace(".", "")
    return len(text.lstrip("-0"))


def date_cell(text: str) -> str:
    """Write a date (ISO 8601), or nothing, as a cell."""
    if not text:
        return "<c/>"
    return f'<c s="{DATE}"><v>{(date.fromisoformat(text) - _FIRST_DAY).days}</v></c>'


def _styles() -> str:
    formats = "".join(
        f'<numFmt numFmtId="{number}" formatCode="{escape(code)}"/>'
        for number, code in _NUMBER_FORMATS
    )
    none = 'numFmtId="{}" fontId="{}" fillId="0" borderId="0" xfId="0"'
    cells = [f"<xf {none.format(0, 0)}/>", f'<xf {none.format(0, 1)} applyFont="1"/>']
    cells += [
        f'<xf {none.format(number, 0)} applyNumberFormat="1"/>' for number, _ in _NUMBER_FORMATS
    ]
    font = '<sz val="11"/><name val="Calibri"/><family val="2"/>'
    return (
        f'{_HEAD}<styleSheet xmlns="{_MAIN}">'
        f'<numFmts count="{len(_NUMBER_FORMATS)}">{formats}</numFmts>'
        f'<fonts count="2"><font>{font}</font><font><b/>{font}</font></fonts>'
        '<fills count="2"><fill><patternFill patternType="none"/></fill>'
        '<fill><patternFill patternType="gray125"/></fill></fills>'
        '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
        '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/>'
        f'</cellStyleXfs><cellXfs count="{len(cells)}">{"".join(cells)}</cellXfs>'
        '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>'
        "</styleSheet>"
    )


def _workbook(names: Sequence[str]) -> str:
    sheets = "".join(
        f'<sheet name="{name}" sheetId="{n}" r:id="rId{n}"/>' for n, name in enumerate(names, 1)
    )
    return (
        f'{_HEAD}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><bookViews><workbookView/>'
        f"</bookViews><sheets>{sheets}</sheets></workbook>"
    )


def _relations_of_workbook(sheets: int) -> str:
    targets = [("worksheet", f"worksheets/sheet{n}.xml") for n in range(1, sheets + 1)]
    relations = "".join(
        f'<Relationship Id="rId{n}" Type="{_OFFICE}/{kind}" Target="{target}"/>'
        for n, (kind, target) in enumerate([*targets, ("styles", "styles.xml")], 1)
    )
    return f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">{relations}</Relationships>'


def _content_types(sheets: int) -> str:
    parts = [("/xl/workbook.xml", "sheet.main+xml"), ("/xl/styles.xml", "styles+xml")]
    parts += [(f"/xl/worksheets/sheet{n}.xml", "worksheet+xml") for n in range(1, sheets + 1)]
    overrides = "".join(
        f'<Override PartName="{name}" ContentType="{_TYPES}.{kind}"/>' for name, kind in parts
    )
    return (
        f'{_HEAD}<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels"'
        ' ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{overrides}</Types>'
    )

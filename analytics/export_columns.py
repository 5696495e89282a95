"""Single requests as PostgreSQL writes them into a file: the columns, and a row of cells.

Rows `c` are those of `usage` with the name of the key. Whatever a caller chose as text can neither
be a formula nor end its cell.
"""

# ruff: noqa: S608  names are ours, from constants

from typing import Literal

import msgspec

from studio.core.spreadsheets import FORMULA_BEGINS, LONGEST_TEXT, WHOLE

_CREDITS_STYLE = 6


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """A column of the file; `value` is SQL over a row `c`."""

    name: str
    value: str
    kind: Literal["word", "text", "whole", "credits"] = "whole"


def _word(name: str, value: str = "") -> Column:
    return Column(name=name, value=value or f"c.{name}", kind="word")


def _text(name: str, value: str = "") -> Column:
    """Take text that a caller chose, or that may come from elsewhere."""
    return Column(name=name, value=value or f"c.{name}", kind="text")


def _whole(name: str) -> Column:
    return Column(name=name, value=f"c.{name}")


COLUMNS = (
    _word("at", "to_char(c.at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"),
    _word("request_id", "c.request_id::text"),
    _text("app", "c.app_id"),
    _text("user", "c.user_ref"),
    _word("key"),
    _word("surface"),
    _word("operation"),
    _text("kind"),
    _word("channel"),
    _word("provider"),
    _text("model"),
    _word("status"),
    _text("reason"),
    _whole("http_status"),
    _word("billing"),
    _whole("request_count"),
    _whole("charge_ucr"),
    Column(name="charge", value="c.charge_ucr * 0.000001", kind="credits"),
    _whole("input_tokens"),
    _whole("cached_input_tokens"),
    _whole("cache_write_tokens"),
    _whole("output_tokens"),
    _whole("reasoning_tokens"),
    _whole("item_count"),
    _whole("character_count"),
    _whole("media_ms"),
    _whole("latency_ms"),
    _whole("first_byte_ms"),
)

_BEGINS = ", ".join(f"U&'\\{ord(begin):04X}'" for begin in FORMULA_BEGINS)
_CONTROLS = "".join(f"\\{code:04X}" for code in (*range(1, 9), 11, 12, *range(14, 32)))
_CONTROLS += "\\FFFE\\FFFF"
# A backslash and line breaks are escaped too: COPY would write them in its own way.
_ESCAPES = (
    ("&", "&amp;"),
    ("<", "&lt;"),
    (">", "&gt;"),
    ("\\", "&#92;"),
    ("\t", "&#9;"),
    ("\n", "&#10;"),
    ("\r", "_x000D_"),
)
_UNUSUAL = "[^-A-Za-z0-9 .,:;@/+()#_]"
"""What text without any of it need not be looked at again: nearly all is such."""
_OPEN = '<c t="inlineStr"><is><t xml:space="preserve">'


def csv_select(rows: str) -> str:
    """Select the cells of a CSV file. Text that would begin a formula gets an apostrophe."""
    values = ", ".join(_guarded(column) for column in COLUMNS)
    return f"SELECT {values} FROM ({rows}) c"


def xlsx_select(rows: str) -> str:
    """Select each row of a sheet as XML, on one line."""
    cells = ", ".join(_cell(column) for column in COLUMNS)
    return f"SELECT concat('<row>', {cells}, '</row>') FROM ({rows}) c"


def _guarded(column: Column) -> str:
    if column.kind != "text":
        return column.value
    value = column.value
    return (
        f"CASE WHEN left(ltrim({value}, ' '), 1) IN ({_BEGINS}) THEN '''' || {value}"
        f" ELSE {value} END"
    )


def _cell(column: Column) -> str:
    if column.kind in ("whole", "credits"):
        style = WHOLE if column.kind == "whole" else _CREDITS_STYLE
        return f"COALESCE('<c s=\"{style}\"><v>' || {column.value} || '</v></c>', '<c/>')"
    value = column.value if column.kind == "word" else _escaped(column.value)
    full = f"'{_OPEN}' || {value} || '</t></is></c>'"
    return f"CASE WHEN {column.value} = '' THEN '<c/>' ELSE {full} END"


def _escaped(value: str) -> str:
    """Write text as XML, as `studio.core.spreadsheets.text_cell` does."""
    plain = f"({value} COLLATE \"C\") !~ '{_UNUSUAL}' AND strpos({value}, '_x') = 0"
    text = f"left(translate({value}, U&'{_CONTROLS}', ''), {LONGEST_TEXT})"
    text = f"regexp_replace({text}, '_(?=x[0-9A-Fa-f]{{4}}_)', '_x005F_', 'g')"
    for character, escaped in _ESCAPES:
        literal = f"U&'\\{ord(character):04X}'"
        text = f"replace({text}, {literal}, '{escaped}')"
    return f"CASE WHEN {plain} THEN {value} ELSE {text} END"

"""Usage as CSV and XLSX over HTTP: whole, safe to open, the same twice."""

import csv
import io
from decimal import Decimal
from typing import Any

import openpyxl
import pytest
from openpyxl.utils.escape import unescape

from tests.databases import Database
from tests.gateway.conftest import MakePayer, Payer
from tests.gateway.test_usage_http import PATH, write

HOSTILE = (
    "=1+1",
    " =cmd|' /C calc'!A0",
    "+49",
    "-1",
    "@SUM(A1)",
    "＝1",
    "\t=1",
    "<b>&amp;</b>",
    'a"b,c\r\nd\\N',
    "_x0041_",
    "\u202egnp.exe",
    "'; DROP TABLE usage; --",
    "é" * 10_000,
)


@pytest.fixture
def hostile(payer: Payer, gateway_database: Database) -> Payer:
    """A workspace whose users are called badly."""
    write(
        payer,
        gateway_database,
        [{"user_ref": name, "app_id": name[:200], "charge_ucr": 7} for name in HOSTILE],
    )
    return payer


def csv_rows(body: bytes) -> list[dict[str, str]]:
    """Read CSV."""
    return list(csv.DictReader(io.StringIO(body.decode(), newline="")))


def xlsx_rows(body: bytes) -> list[dict[str, Any]]:
    """Read all sheets of a workbook."""
    book = openpyxl.load_workbook(io.BytesIO(body), read_only=False)
    found = []
    for sheet in book.worksheets:
        headings, *lines = sheet.iter_rows(values_only=True)
        found += [dict(zip(map(str, headings), line, strict=True)) for line in lines]
    return found


def is_formula(text: str) -> bool:
    """Whether a spreadsheet would run it."""
    return text.lstrip(" ")[:1] in ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


@pytest.mark.parametrize("query", [{"mode": "list"}, {"group_by": "user,app"}])
def test_a_csv_file_has_every_row_and_no_formula(hostile: Payer, query: dict[str, str]) -> None:
    answer = hostile.get(PATH, params=query, headers={"accept": "text/csv"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["content-disposition"]
    rows = csv_rows(answer.content)
    assert sorted(row["user"].removeprefix("'") for row in rows) == sorted(
        name.removeprefix("'") for name in HOSTILE
    )
    assert not any(is_formula(row[name]) for row in rows for name in ("user", "app"))
    assert {row["charge_ucr"] for row in rows} == {"7"}
    assert {Decimal(row["charge"]) for row in rows} == {Decimal("0.000007")}


@pytest.mark.parametrize("query", [{"mode": "list"}, {"group_by": "user,app"}])
def test_a_workbook_has_every_row_as_text(hostile: Payer, query: dict[str, str]) -> None:
    answer = hostile.get(PATH, params={**query, "format": "xlsx"})
    assert answer.status_code == 200
    rows = xlsx_rows(answer.content)
    assert len(rows) == len(HOSTILE)
    assert {row["charge_ucr"] for row in rows} == {7}
    # openpyxl leaves the escapes of inline strings, which a spreadsheet reads, to its caller.
    opened = {unescape(row["user"]) for row in rows}
    assert {"=1+1", "<b>&amp;</b>", "_x0041_", "'; DROP TABLE usage; --", "é" * 10_000} <= opened
    assert any("\\N" in user for user in opened)


def test_a_file_of_sums_is_what_json_says(hostile: Payer) -> None:
    query = {"group_by": "status", "metrics": "requests,charge,error_rate,latency_p95"}
    (row,) = hostile.get(PATH, params=query).json()["rows"]
    (line,) = csv_rows(hostile.get(PATH, params={**query, "format": "csv"}).content)
    assert line == {
        "status": "succeeded",
        "requests": str(row["requests"]),
        "charge_ucr": "91",
        "charge": "0.000091",
        "error_rate": "0.000000",
        "latency_p95": "",
    }


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_the_same_file_twice_has_the_same_bytes(hostile: Payer, form: str) -> None:
    query = {"mode": "list", "format": form, "range": "last_7_days"}
    first, second = (hostile.get(PATH, params=query).content for _ in range(2))
    assert first == second


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_a_file_of_nothing_has_its_heading(make_payer: MakePayer, form: str) -> None:
    body = make_payer().get(PATH, params={"mode": "list", "format": form}).content
    assert (csv_rows if form == "csv" else xlsx_rows)(body) == []


def test_what_cannot_be_asked_is_refused_before_a_file_begins(hostile: Payer) -> None:
    for query in (
        {"format": "pdf"},
        {"format": "csv", "range": "last_90_days", "group_by": "key"},
        {"format": "csv", "cursor": "x"},
        {"format": "xlsx", "mode": "list", "group_by": "app"},
    ):
        answer = hostile.get(PATH, params=query)
        assert answer.status_code == 400
        assert ":" in answer.json()["error"]

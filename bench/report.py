"""The tables on the screen and the file for programs."""

import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.measure import Row


def print_case(rows: Sequence[Row]) -> None:
    """Print one case as a table; a row with faults shows them and no figure."""
    headings = list(dict.fromkeys(name for row in rows for name in row.figures))
    if not rows:
        return
    lines = [[rows[0].case, "", *headings]]
    lines += [[row.setting, row.target, *_cells(row, headings)] for row in rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    print()
    for line in lines:
        left = [line[column].ljust(widths[column]) for column in (0, 1)]
        right = [line[column].rjust(widths[column]) for column in range(2, len(line))]
        print("  ".join([*left, *right]).rstrip())
    for row in rows:
        for fault in row.faults:
            print(f"  WRONG  {row.setting}, {row.target}: {fault}")
        for note in row.notes:
            print(f"  note   {row.setting}, {row.target}: {note}")
    sys.stdout.flush()


def write_json(path: Path, rows: Sequence[Row], faults: Sequence[str]) -> None:
    """Write everything that was measured, with the machine in words and the time."""
    document = {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "rows": rows,
        "faults": faults,
    }
    path.write_bytes(msgspec.json.format(msgspec.json.encode(document)) + b"\n")


def _cells(row: Row, headings: Sequence[str]) -> list[str]:
    if row.faults:
        return ["wrong" for _ in headings]
    return [_number(name, row.figures.get(name)) for name in headings]


def _number(name: str, value: float | None) -> str:
    if value is None:
        return "–"
    if name.startswith("of ") or name.endswith("busy"):
        return f"{value:.0%}"
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"

"""The shape of the code: what style.md asks for and a tool can see."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("studio", "gateway", "billing", "analytics", "sandbox", "tests", "bench")
FORBIDDEN_NAMES = {"utils", "helpers", "common", "managers", "signals"}
LONGEST_FUNCTION = 50
LONGEST_FILE = 400


def _sources() -> list[Path]:
    found = [ROOT / "manage.py"]
    for folder in FOLDERS:
        found += sorted((ROOT / folder).rglob("*.py"))
    return [path for path in found if "migrations" not in path.parts]


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


each_source = pytest.mark.parametrize("path", _sources(), ids=_name)


@each_source
def test_file_is_at_most_400_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LONGEST_FILE


@each_source
def test_functions_are_at_most_50_lines(path: Path) -> None:
    long = [
        f"{node.name} ({node.end_lineno - node.lineno + 1} lines)"
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno + 1 > LONGEST_FUNCTION
    ]
    assert long == []


@each_source
def test_file_is_named_for_what_it_holds(path: Path) -> None:
    assert FORBIDDEN_NAMES.isdisjoint({*path.relative_to(ROOT).parts, path.stem})


@each_source
def test_imports_inside_functions_say_why(path: Path) -> None:
    lines = path.read_text().splitlines()
    silent = [
        f"line {node.lineno}"
        for function in ast.walk(_tree(path))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
        and not _has_comment(lines, node.lineno, function.lineno)
    ]
    assert silent == []


def test_every_package_says_what_lives_there() -> None:
    packages = [path for path in _sources() if path.name == "__init__.py"]
    empty_by_nature = {"management", "commands"}
    silent = [
        _name(path)
        for path in packages
        if not ast.get_docstring(_tree(path)) and path.parent.name not in empty_by_nature
    ]
    assert silent == []


def test_dev_lock_contains_the_embedded_lock_and_that_the_production_lock() -> None:
    """The bootstrap relies on it: a venv built for tests also serves `up`."""
    production, embedded, dev = (
        set(re.findall(r"^\S+==\S+", (ROOT / name).read_text(), re.MULTILINE))
        for name in ("requirements.txt", "requirements-embedded.txt", "requirements-dev.txt")
    )
    assert production < embedded < dev


def test_every_locked_requirement_has_a_hash() -> None:
    for name in ("requirements.txt", "requirements-embedded.txt", "requirements-dev.txt"):
        text = (ROOT / name).read_text().replace("\\\n", " ")
        unhashed = [
            line for line in text.splitlines() if re.match(r"\S+==", line) and "--hash=" not in line
        ]
        assert unhashed == []


def _has_comment(lines: list[str], number: int, first: int) -> bool:
    """Say whether the import's own line or a line above it, within the function, has a comment."""
    return any("#" in line for line in lines[first - 1 : number])

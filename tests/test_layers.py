"""The bootstrap runs before anything is installed, the supervisor without the product."""

import ast
import sys
from pathlib import Path

import pytest

SUPERVISOR = Path(__file__).resolve().parent.parent / "studio" / "supervisor"


def _imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


@pytest.mark.parametrize("name", ["__init__.py", "bootstrap.py", "../__init__.py"])
def test_bootstrap_needs_the_standard_library_alone(name: str) -> None:
    roots = {module.split(".")[0] for module in _imported(SUPERVISOR / name)}
    assert roots <= sys.stdlib_module_names

"""The SQL of analytics, one file per object, read by the migrations."""

from pathlib import Path

_FOLDER = Path(__file__).parent


def read(name: str) -> str:
    """Read one of the files beside this one."""
    return (_FOLDER / f"{name}.sql").read_text(encoding="utf-8")

"""The SQL of analytics, one file per object, read by the migrations and by what writes the cubes.

Where a file says `/* file: NAME */`, that one's text stands.
"""

from pathlib import Path

from studio.core.sql_files import read_sql_file

_FOLDER = Path(__file__).parent


def read(name: str) -> str:
    """Read one of the files beside this one, with its parts."""
    return read_sql_file(_FOLDER / f"{name}.sql")


def read_statements(name: str) -> list[str]:
    """Read a file of several statements."""
    return read(name).split(";\n")

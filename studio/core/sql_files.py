"""SQL in files of its own, some of which are made of parts."""

import re
from pathlib import Path

_PART = re.compile(r"/\* file: (\w+) \*/")


def read_sql_file(path: Path) -> str:
    """Read a file of SQL; where it says `/* file: NAME */`, NAME.sql beside it stands."""

    def part(found: re.Match[str]) -> str:
        return read_sql_file(path.with_name(f"{found[1]}.sql"))

    return _PART.sub(part, path.read_text(encoding="utf-8").rstrip("\n"))

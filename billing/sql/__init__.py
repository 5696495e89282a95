"""The SQL of the ledger, one file per object, read by the migrations. Begin with tables.sql, then
hold.sql.

To change a function: edit its file and add a migration that runs it again (every function is CREATE
OR REPLACE with the same signature), so that an old database and a new one end with the same text.
Where a file says `/* file: NAME */`, that one's text stands. A view that names newer columns gets a
file of its own instead, since the older migration reads the older file: audit.sql is newer than
posting.sql and violations.sql, admin_views_of_money.sql than admin_views.sql, freezes.sql has the
newer trigger of wallets.sql, rights.sql the newer grants.sql.
"""

from pathlib import Path

from studio.core.sql_files import read_sql_file

_FOLDER = Path(__file__).parent


def read(name: str) -> str:
    """Read one of the files beside this one, with its parts."""
    return read_sql_file(_FOLDER / f"{name}.sql")

"""The view that compares usage with the ledger knows refunds, and looks for more."""

from pathlib import Path

from django.db import migrations

from studio.core.sql_files import read_sql_file

_SQL = Path(__file__).resolve().parent.parent / "sql"


def _read(name: str) -> str:
    return read_sql_file(_SQL / f"{name}.sql")


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0005_kind_policy"),
        ("billing", "0006_credit_kinds"),
        ("analytics", "0002_attempts_and_counts"),
    ]
    operations = [
        migrations.RunSQL(
            _read("usage_audit"), "DROP VIEW usage_violations;" + _read("usage_violations")
        ),
    ]

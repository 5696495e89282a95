"""What reconcile compares knows months whose usage rows are retired, and their seals."""

from pathlib import Path

from django.db import migrations

from studio.core.sql_files import read_sql_file

_SQL = Path(__file__).resolve().parent.parent / "sql"


def _read(name: str) -> str:
    return read_sql_file(_SQL / f"{name}.sql")


class Migration(migrations.Migration):
    dependencies = [("gateway", "0080_voices"), ("analytics", "0010_cubes")]

    operations = [
        migrations.RunSQL(_read("usage_audit_of_kept"), _read("usage_audit")),
        migrations.RunSQL(_read("seal_violations"), "DROP VIEW seal_violations"),
    ]

"""The view that compares usage with the ledger, call by call."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parent.parent / "sql" / "usage_violations.sql"


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0002_call"),
        ("billing", "0004_ledger_views"),
        ("analytics", "0001_usage"),
    ]
    operations = [
        migrations.RunSQL(SQL.read_text(), reverse_sql="DROP VIEW usage_violations"),
    ]

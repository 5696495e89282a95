"""Pictures that callers send in: kept beside those that were made, and never shown."""

from pathlib import Path

from django.db import migrations, models
from django.db.models import Q

from studio.core.sql_files import read_sql_file

_VIEW = read_sql_file(Path(__file__).resolve().parent.parent / "sql" / "input_violations.sql")


class Migration(migrations.Migration):
    dependencies = [("gateway", "0050_webhooks")]

    operations = [
        migrations.AddField(
            model_name="asset",
            name="is_input",
            field=models.BooleanField(default=False, db_default=False),
        ),
        migrations.AddIndex(
            model_name="asset",
            index=models.Index(
                fields=["job_id"],
                condition=Q(is_input=True, deleted_at__isnull=True),
                name="asset_input_by_job",
            ),
        ),
        migrations.RunSQL(_VIEW, "DROP VIEW input_violations"),
    ]

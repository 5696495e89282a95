"""Failed attempts and our own token counts on the usage row; the view of how far they drift."""

from django.db import migrations, models

from analytics.sql import read

_BACKWARDS = """
DROP VIEW public.analytics_usage;
ALTER TABLE public.usage
  DROP COLUMN attempt_log, DROP COLUMN counted_input_tokens, DROP COLUMN counted_output_tokens
"""


class Migration(migrations.Migration):
    """Staff's view is made anew, since it shows the table's columns."""

    dependencies = [("analytics", "0001_usage")]

    operations = [
        migrations.RunSQL(migrations.RunSQL.noop, read("admin_view")),
        migrations.RunSQL(read("attempts_and_counts"), _BACKWARDS),
        migrations.RunSQL(read("admin_view"), migrations.RunSQL.noop),
        migrations.RunSQL(read("token_drift"), "DROP VIEW public.analytics_tokendrift"),
        migrations.AddField("usage", "attempt_log", models.JSONField(null=True)),
        migrations.AddField("usage", "counted_input_tokens", models.IntegerField(null=True)),
        migrations.AddField("usage", "counted_output_tokens", models.IntegerField(null=True)),
        migrations.CreateModel(
            name="TokenDrift",
            fields=[
                ("key", models.TextField(primary_key=True, serialize=False)),
                ("day", models.DateField()),
                ("provider", models.TextField()),
                ("model", models.TextField()),
                ("request_count", models.BigIntegerField()),
                ("input_tokens", models.BigIntegerField(null=True)),
                ("counted_input_tokens", models.BigIntegerField(null=True)),
                ("output_tokens", models.BigIntegerField(null=True)),
                ("counted_output_tokens", models.BigIntegerField(null=True)),
                (
                    "input_drift_percent",
                    models.DecimalField(decimal_places=2, max_digits=12, null=True),
                ),
                (
                    "output_drift_percent",
                    models.DecimalField(decimal_places=2, max_digits=12, null=True),
                ),
            ],
            options={
                "managed": False,
                "default_permissions": ("view",),
                "verbose_name_plural": "token drift",
            },
        ),
    ]

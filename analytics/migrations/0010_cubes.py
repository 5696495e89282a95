"""The cubes over usage: their tables, histograms, partitions, and who may read them."""

from django.db import migrations, models

from analytics.sql import read

_USAGE_POLICIES = """
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'analytics_ro') THEN
    REVOKE ALL ON public.usage FROM analytics_ro;
  END IF;
END $$
"""


class Migration(migrations.Migration):
    """The first roll afterwards takes all rows there are. Backwards forgets the sums, not usage."""

    dependencies = [
        ("analytics", "0002_attempts_and_counts"),
        ("accounts", "0001_initial"),
    ]

    operations = [
        migrations.RunSQL(read("cubes"), "DROP SCHEMA analytics CASCADE"),
        migrations.RunSQL(read("histograms"), migrations.RunSQL.noop),
        migrations.RunSQL(read("zone_or_utc"), migrations.RunSQL.noop),
        migrations.RunSQL("DROP FUNCTION public.usage_make_partitions", read("make_partitions")),
        migrations.RunSQL(read("cube_partitions"), migrations.RunSQL.noop),
        migrations.RunSQL("SELECT analytics.make_partitions_ahead(3)", migrations.RunSQL.noop),
        migrations.RunSQL(read("cube_violations"), migrations.RunSQL.noop),
        migrations.RunSQL(read("cube_rights"), _USAGE_POLICIES),
        migrations.CreateModel(
            name="Calendar",
            fields=[
                ("workspace_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("time_zone", models.TextField(default="UTC")),
                (
                    "week_start",
                    models.SmallIntegerField(
                        choices=[
                            (1, "Monday"),
                            (2, "Tuesday"),
                            (3, "Wednesday"),
                            (4, "Thursday"),
                            (5, "Friday"),
                            (6, "Saturday"),
                            (7, "Sunday"),
                        ],
                        default=1,
                    ),
                ),
                ("own_days_from", models.DateField()),
            ],
            options={
                "db_table": '"analytics"."calendar"',
                "managed": False,
                "default_permissions": ("view", "change"),
            },
        ),
    ]

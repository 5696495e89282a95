"""The raw usage table, its first partitions, and staff's view of it."""

from django.db import migrations, models

from analytics.sql import read


class Migration(migrations.Migration):
    """Backwards drops the table with all that is in it."""

    initial = True

    dependencies = [("accounts", "0001_initial")]

    operations = [
        migrations.RunSQL(read("transaction_id"), "DROP FUNCTION public.usage_transaction_id"),
        migrations.RunSQL(read("usage"), "DROP TABLE public.usage"),
        migrations.RunSQL(read("make_partitions"), "DROP FUNCTION public.usage_make_partitions"),
        # Its policies go with the table.
        migrations.RunSQL(read("row_security"), migrations.RunSQL.noop),
        migrations.RunSQL("SELECT public.usage_make_partitions(3)", migrations.RunSQL.noop),
        migrations.RunSQL(read("admin_view"), "DROP VIEW public.analytics_usage"),
        migrations.CreateModel(
            name="Usage",
            fields=[
                ("key", models.TextField(primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
                ("request_id", models.UUIDField(verbose_name="request")),
                ("transaction_id", models.BigIntegerField()),
                ("started_at", models.DateTimeField(null=True)),
                ("workspace_id", models.BigIntegerField()),
                ("app_key_id", models.BigIntegerField(null=True)),
                ("app_id", models.TextField()),
                ("user_ref", models.TextField()),
                ("surface", models.TextField()),
                ("operation", models.TextField()),
                ("kind", models.TextField()),
                ("channel", models.TextField()),
                ("provider", models.TextField()),
                ("model", models.TextField()),
                (
                    "status",
                    models.TextField(
                        choices=[
                            ("succeeded", "Succeeded"),
                            ("failed", "Failed"),
                            ("cancelled", "Cancelled"),
                            ("interrupted", "Interrupted"),
                            ("refused", "Refused"),
                        ]
                    ),
                ),
                ("reason", models.TextField()),
                (
                    "billing",
                    models.TextField(
                        choices=[
                            ("credits", "Credits"),
                            ("byok", "BYOK"),
                            ("house", "House"),
                            ("imported", "Imported"),
                            ("none", "None"),
                        ]
                    ),
                ),
                ("request_count", models.IntegerField()),
                ("attempts", models.SmallIntegerField()),
                ("http_status", models.SmallIntegerField(null=True)),
                ("price_version", models.IntegerField(null=True)),
                ("markup_bp", models.IntegerField(null=True)),
                ("cost_ucr", models.BigIntegerField()),
                ("charge_ucr", models.BigIntegerField()),
                ("input_tokens", models.IntegerField(null=True)),
                ("cached_input_tokens", models.IntegerField(null=True)),
                ("cache_write_tokens", models.IntegerField(null=True)),
                ("output_tokens", models.IntegerField(null=True)),
                ("reasoning_tokens", models.IntegerField(null=True)),
                ("item_count", models.IntegerField(null=True)),
                ("character_count", models.IntegerField(null=True)),
                ("media_ms", models.IntegerField(null=True)),
                ("usage_source", models.TextField()),
                ("latency_ms", models.IntegerField(null=True)),
                ("first_byte_ms", models.IntegerField(null=True)),
                ("workspace_name", models.TextField(verbose_name="workspace")),
            ],
            options={
                "managed": False,
                "default_permissions": ("view",),
                "verbose_name_plural": "usage",
            },
        ),
    ]

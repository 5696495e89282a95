"""The row of one call: written with its hold, finished with its settle."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Half of each page stays free, so that an update of a row finds room beside it (HOT)."""

    dependencies = [
        ("gateway", "0001_catalogue"),
    ]

    operations = [
        migrations.CreateModel(
            name="Call",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
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
                ("billing", models.TextField()),
                ("attempts", models.SmallIntegerField(default=1)),
                (
                    "state",
                    models.TextField(
                        choices=[
                            ("open", "Open"),
                            ("succeeded", "Succeeded"),
                            ("failed", "Failed"),
                            ("cancelled", "Cancelled"),
                            ("interrupted", "Interrupted"),
                        ],
                        default="open",
                    ),
                ),
                ("fence", models.IntegerField(default=0)),
                ("lease_until", models.DateTimeField()),
                ("hold_ucr", models.BigIntegerField()),
                ("price_version", models.IntegerField()),
                ("markup_bp", models.IntegerField()),
                ("input_estimate", models.IntegerField()),
                ("checkpoint_tokens", models.IntegerField(default=0)),
                ("idempotency_digest", models.BinaryField(null=True)),
                ("request_digest", models.BinaryField(null=True)),
                ("answer", models.BinaryField(null=True)),
                ("answer_status", models.SmallIntegerField(null=True)),
                ("answer_media_type", models.TextField(default="")),
                ("started_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(null=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("idempotency_digest__isnull", False)),
                        fields=("workspace_id", "idempotency_digest"),
                        name="call_idempotency",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "state__in",
                                ["open", "succeeded", "failed", "cancelled", "interrupted"],
                            )
                        ),
                        name="call_state_known",
                    ),
                ],
            },
        ),
        migrations.RunSQL(
            "ALTER TABLE gateway_call SET (fillfactor = 50)",
            reverse_sql="ALTER TABLE gateway_call RESET (fillfactor)",
        ),
    ]

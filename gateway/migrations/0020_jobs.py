"""Jobs, their runs and timeline, the bell that calls workers, and the files that are made."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0006_usage_audit"),
    ]

    operations = [
        migrations.CreateModel(
            name="Asset",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("workspace_id", models.BigIntegerField()),
                ("job_id", models.UUIDField(null=True)),
                ("sha256", models.CharField(max_length=64)),
                ("media_type", models.TextField()),
                ("size_bytes", models.BigIntegerField()),
                ("width", models.IntegerField(default=0)),
                ("height", models.IntegerField(default=0)),
                ("media_ms", models.IntegerField(default=0)),
                ("created_at", models.DateTimeField()),
                ("keep_until", models.DateTimeField()),
                ("deleted_at", models.DateTimeField(null=True)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["workspace_id", "-id"], name="asset_by_workspace"),
                    models.Index(fields=["sha256"], name="asset_by_digest"),
                    models.Index(fields=["job_id"], name="asset_by_job"),
                    models.Index(
                        condition=models.Q(("deleted_at__isnull", True)),
                        fields=["keep_until"],
                        name="asset_kept_until",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Job",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("workspace_id", models.BigIntegerField()),
                ("app_key_id", models.BigIntegerField(null=True)),
                ("app_id", models.TextField()),
                ("user_ref", models.TextField()),
                ("surface", models.TextField()),
                ("operation", models.TextField()),
                ("kind", models.TextField()),
                ("model", models.TextField()),
                ("billing", models.TextField()),
                (
                    "state",
                    models.TextField(
                        choices=[
                            ("queued", "Queued"),
                            ("running", "Running"),
                            ("succeeded", "Succeeded"),
                            ("failed", "Failed"),
                            ("canceled", "Canceled"),
                            ("expired", "Expired"),
                        ],
                        default="queued",
                    ),
                ),
                ("version", models.IntegerField(default=1)),
                ("progress", models.FloatField(default=0)),
                ("item_count", models.SmallIntegerField()),
                ("made_count", models.SmallIntegerField(default=0)),
                ("parameters", models.JSONField(default=dict)),
                ("request", models.BinaryField(null=True)),
                ("user_key", models.BinaryField(null=True)),
                ("hold_ucr", models.BigIntegerField()),
                ("charge_ucr", models.BigIntegerField(default=0)),
                ("price_version", models.IntegerField()),
                ("markup_bp", models.IntegerField()),
                ("result", models.JSONField(default=list)),
                ("failure_code", models.TextField(default="")),
                ("failure_text", models.TextField(default="")),
                ("cancel_requested_at", models.DateTimeField(null=True)),
                ("deadline_at", models.DateTimeField()),
                ("created_at", models.DateTimeField()),
                ("started_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["workspace_id", "-id"], name="job_by_workspace"),
                    models.Index(
                        condition=models.Q(("state__in", ["queued", "running"])),
                        fields=["deadline_at"],
                        name="job_open_by_deadline",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "state__in",
                                ["queued", "running", "succeeded", "failed", "canceled", "expired"],
                            )
                        ),
                        name="job_state_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state", "succeeded"),
                            ("charge_ucr", 0),
                            ("state", "canceled"),
                            _connector="OR",
                        ),
                        name="job_charged_for_success",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("made_count__lte", models.F("item_count"))),
                        name="job_made_what_was_asked",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="JobRun",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("number", models.SmallIntegerField()),
                ("item_count", models.SmallIntegerField()),
                (
                    "state",
                    models.TextField(
                        choices=[
                            ("queued", "Queued"),
                            ("submitting", "Submitting"),
                            ("unknown", "Unknown"),
                            ("running", "Running"),
                            ("storing", "Storing"),
                            ("succeeded", "Succeeded"),
                            ("failed", "Failed"),
                            ("canceled", "Canceled"),
                        ],
                        default="queued",
                    ),
                ),
                ("fence", models.IntegerField(default=0)),
                ("lease_until", models.DateTimeField(null=True)),
                ("attempts", models.SmallIntegerField(default=0)),
                ("route_position", models.SmallIntegerField(default=0)),
                ("provider", models.TextField()),
                ("model", models.TextField()),
                ("upstream_id", models.TextField(default="")),
                ("next_at", models.DateTimeField(null=True)),
                ("polls", models.IntegerField(default=0)),
                ("progress", models.FloatField(default=0)),
                ("answer", models.BinaryField(null=True)),
                ("made", models.JSONField(default=list)),
                ("use", models.JSONField(default=dict)),
                ("failure_code", models.TextField(default="")),
                ("failure_text", models.TextField(default="")),
                ("submitted_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "job",
                    models.ForeignKey(
                        on_delete=models.CASCADE,
                        related_name="runs",
                        to="gateway.job",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="JobBell",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField()),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=models.CASCADE,
                        related_name="bells",
                        to="gateway.jobrun",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="JobEvent",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("run_number", models.SmallIntegerField(null=True)),
                ("at", models.DateTimeField()),
                ("what", models.TextField()),
                ("public", models.BooleanField(default=False)),
                ("detail", models.JSONField(default=dict)),
                (
                    "job",
                    models.ForeignKey(
                        on_delete=models.CASCADE,
                        related_name="events",
                        to="gateway.job",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["job", "id"], name="job_event_order")],
            },
        ),
        migrations.AddIndex(
            model_name="jobrun",
            index=models.Index(
                condition=models.Q(
                    ("state__in", ["queued", "submitting", "unknown", "running", "storing"])
                ),
                fields=["next_at"],
                name="job_run_due",
            ),
        ),
        migrations.AddConstraint(
            model_name="jobrun",
            constraint=models.UniqueConstraint(fields=("job", "number"), name="job_run_number"),
        ),
    ]

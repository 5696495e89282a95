"""Jobs, their runs and timeline, and the files that are made."""

from pathlib import Path

import django.db.models.deletion
from django.db import migrations, models

from studio.core.sql_files import read_sql_file

_VIEW = read_sql_file(Path(__file__).resolve().parent.parent / "sql" / "job_violations.sql")


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
                ("channel", models.TextField()),
                ("model", models.TextField()),
                ("billing", models.TextField()),
                ("sandbox", models.BooleanField(default=False)),
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
                ("routes", models.JSONField(default=list)),
                ("request", models.BinaryField(null=True)),
                ("user_keys", models.BinaryField(null=True)),
                ("hold_ucr", models.BigIntegerField()),
                ("charge_ucr", models.BigIntegerField(default=0)),
                ("price_version", models.IntegerField()),
                ("markup_bp", models.IntegerField()),
                ("result", models.JSONField(default=list)),
                ("failure_code", models.TextField(default="")),
                ("failure_text", models.TextField(default="")),
                ("failure_status", models.SmallIntegerField(default=0)),
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
                    models.Index(
                        condition=models.Q(
                            ("finished_at__isnull", False), ("request__isnull", False)
                        ),
                        fields=["finished_at"],
                        name="job_with_request",
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
                        condition=models.Q(
                            ("charge_ucr__gte", 0), ("charge_ucr__lte", models.F("hold_ucr"))
                        ),
                        name="job_charged_within_hold",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("made_count__lte", models.F("item_count"))),
                        name="job_made_what_was_asked",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("finished_at__isnull", True), ("state__in", ["queued", "running"])
                            ),
                            models.Q(
                                ("finished_at__isnull", False),
                                ("user_keys__isnull", True),
                                models.Q(("state__in", ["queued", "running"]), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="job_ended_without_keys",
                    ),
                ],
            },
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
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="events",
                        to="gateway.job",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["job", "id"], name="job_event_order")],
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
                ("next_at", models.DateTimeField()),
                ("rung_until", models.DateTimeField(null=True)),
                ("attempts", models.SmallIntegerField(default=0)),
                ("attempt_log", models.JSONField(default=list)),
                ("route_position", models.SmallIntegerField(default=0)),
                ("upstream_id", models.TextField(default="")),
                ("calls_back", models.BooleanField(default=False)),
                ("cancel_sent_at", models.DateTimeField(null=True)),
                ("polls", models.IntegerField(default=0)),
                ("progress", models.FloatField(default=0)),
                ("answer", models.BinaryField(null=True)),
                ("made", models.JSONField(default=list)),
                ("use", models.JSONField(default=dict)),
                ("charge_ucr", models.BigIntegerField(default=0)),
                ("cost_ucr", models.BigIntegerField(default=0)),
                ("failure_code", models.TextField(default="")),
                ("failure_text", models.TextField(default="")),
                ("failure_status", models.SmallIntegerField(default=0)),
                ("submitted_at", models.DateTimeField(null=True)),
                ("answered_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "job",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="runs",
                        to="gateway.job",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(
                            ("state__in", ["queued", "submitting", "unknown", "running", "storing"])
                        ),
                        fields=["next_at"],
                        name="job_run_due",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("job", "number"), name="job_run_number"),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "state__in",
                                [
                                    "queued",
                                    "submitting",
                                    "unknown",
                                    "running",
                                    "storing",
                                    "succeeded",
                                    "failed",
                                    "canceled",
                                ],
                            )
                        ),
                        name="job_run_state_known",
                    ),
                ],
            },
        ),
        migrations.RunSQL(_VIEW, "DROP VIEW job_violations"),
    ]

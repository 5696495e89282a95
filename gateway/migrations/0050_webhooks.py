"""Where customers are told of their jobs' ends, what was sent there, and the page of providers."""

import django.db.models.deletion
from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models
from django.db.models import Q
from django.db.models.functions import Now

_EVENTS = ["job.succeeded", "job.failed", "job.canceled", "job.expired"]


class Migration(migrations.Migration):
    """The messages themselves are the outbox's; the page of providers has no table."""

    dependencies = [
        ("accounts", "0005_asset_url_life"),
        ("billing", "0090_outbox_sources"),
        ("gateway", "0040_stored_files"),
    ]

    operations = [
        migrations.CreateModel(
            name="WebhookEndpoint",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                (
                    "workspace",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.workspace",
                    ),
                ),
                ("url", models.TextField(verbose_name="URL")),
                ("description", models.TextField(blank=True)),
                ("events", ArrayField(models.TextField())),
                (
                    "off",
                    models.TextField(
                        blank=True,
                        choices=[
                            ("", "no"),
                            ("owner", "by its owner"),
                            ("staff", "by staff"),
                            ("failing", "took nothing for a day"),
                        ],
                        default="",
                        verbose_name="switched off",
                    ),
                ),
                ("off_at", models.DateTimeField(null=True, verbose_name="off since")),
                ("counted_from", models.DateTimeField(db_default=Now(), editable=False)),
                ("sealed_secret", models.BinaryField()),
                ("sealed_old_secret", models.BinaryField(null=True)),
                ("old_secret_until", models.DateTimeField(editable=False, null=True)),
                ("created_at", models.DateTimeField(db_default=Now())),
            ],
            options={
                "default_permissions": ("view", "change"),
                "ordering": ["workspace", "pk"],
                "constraints": [
                    models.UniqueConstraint(fields=("workspace", "url"), name="webhook_url_once"),
                    models.CheckConstraint(
                        condition=Q(events__contained_by=_EVENTS, events__len__gte=1),
                        name="webhook_events_are_known",
                    ),
                    models.CheckConstraint(
                        condition=Q(off="", off_at__isnull=True)
                        | Q(off__in=["owner", "staff", "failing"], off_at__isnull=False),
                        name="webhook_off_is_known",
                    ),
                    models.CheckConstraint(
                        condition=Q(sealed_old_secret__isnull=True, old_secret_until__isnull=True)
                        | Q(sealed_old_secret__isnull=False, old_secret_until__isnull=False),
                        name="webhook_old_secret_ends",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="WebhookDelivery",
            fields=[],
            options={
                "proxy": True,
                "default_permissions": ("view", "change"),
                "verbose_name_plural": "webhook deliveries",
                "indexes": [],
                "constraints": [],
            },
            bases=("billing.outboxmessage",),
        ),
        migrations.CreateModel(
            name="ProviderHealth",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
            ],
            options={
                "managed": False,
                "default_permissions": ("view",),
                "verbose_name": "provider health",
                "verbose_name_plural": "provider health",
            },
        ),
    ]

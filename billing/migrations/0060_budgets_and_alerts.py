"""Spend caps per calendar window, whom to tell about money, and messages on their way out."""

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q
from django.db.models.functions import Now

from billing.sql import read

_PROTECT = django.db.models.deletion.PROTECT
_least_one = django.core.validators.MinValueValidator(1)
_DROP_WINDOWS = "DROP FUNCTION public.billing_window_start"


class Migration(migrations.Migration):
    """Backwards drops the caps, the settings and what has not left yet."""

    dependencies = [
        ("accounts", "0003_realtime_scope"),
        ("billing", "0020_stripe_payments"),
    ]

    operations = [
        migrations.RunSQL(read("budget_windows"), _DROP_WINDOWS),
        migrations.CreateModel(
            name="Budget",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("app_id", models.TextField("app", blank=True, null=True)),
                (
                    "period",
                    models.TextField(
                        choices=[("day", "Day"), ("week", "Week"), ("month", "Month")]
                    ),
                ),
                ("cap_ucr", models.BigIntegerField("cap (micro-credits)", validators=[_least_one])),
                (
                    "alert_percent",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        null=True,
                        validators=[_least_one, django.core.validators.MaxValueValidator(99)],
                        help_text="Tell when this much of the cap is spent; "
                        "empty: only when all of it is.",
                    ),
                ),
                ("created_at", models.DateTimeField(db_default=Now(), editable=False)),
                (
                    "app_key",
                    models.ForeignKey(
                        "accounts.appkey",
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="budgets",
                    ),
                ),
                (
                    "workspace",
                    models.ForeignKey(
                        "accounts.workspace", on_delete=_PROTECT, related_name="budgets"
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("workspace", "app_key", "app_id", "period"),
                        name="budget_once_per_window",
                        nulls_distinct=False,
                    ),
                    models.CheckConstraint(
                        name="budget_makes_sense",
                        condition=Q(period__in=["day", "week", "month"], cap_ucr__gte=1)
                        & (Q(app_key__isnull=True) | Q(app_id__isnull=True))
                        & (Q(alert_percent__isnull=True) | Q(alert_percent__range=(1, 99))),
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="BudgetSpend",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("budget_id", models.BigIntegerField()),
                ("starts_on", models.DateField()),
                ("spent_ucr", models.BigIntegerField()),
                ("told_percent", models.PositiveSmallIntegerField(db_default=0, default=0)),
                ("counted_at", models.DateTimeField(db_default=Now())),
            ],
            options={
                "default_permissions": ("view",),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("budget_id", "starts_on"), name="spend_once_per_window"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="AlertSettings",
            fields=[
                (
                    "workspace",
                    models.OneToOneField(
                        "accounts.workspace",
                        on_delete=_PROTECT,
                        primary_key=True,
                        related_name="alert_settings",
                        serialize=False,
                    ),
                ),
                ("low_balance_ucr", models.BigIntegerField(blank=True, null=True)),
                (
                    "emails",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.EmailField(max_length=254),
                        blank=True,
                        default=list,
                        size=None,
                    ),
                ),
                ("webhook_url", models.TextField(blank=True)),
                ("sealed_secret", models.BinaryField(null=True)),
                ("low_since", models.DateTimeField(editable=False, null=True)),
            ],
            options={
                "verbose_name_plural": "alert settings",
                "constraints": [
                    models.CheckConstraint(
                        name="alert_settings_make_sense",
                        condition=(Q(low_balance_ucr__isnull=True) | Q(low_balance_ucr__gte=1))
                        & (Q(webhook_url="") | Q(sealed_secret__isnull=False)),
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="OutboxMessage",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("channel", models.TextField(choices=[("webhook", "Webhook"), ("email", "Email")])),
                ("target", models.TextField()),
                ("event", models.TextField()),
                ("subject", models.TextField(blank=True)),
                ("body", models.TextField()),
                ("sealed_secret", models.BinaryField(null=True)),
                (
                    "state",
                    models.TextField(
                        choices=[
                            ("pending", "Pending"),
                            ("delivered", "Delivered"),
                            ("failed", "Failed"),
                        ],
                        default="pending",
                    ),
                ),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("next_at", models.DateTimeField(db_default=Now())),
                ("last_error", models.TextField(blank=True)),
                ("created_at", models.DateTimeField(db_default=Now())),
                ("delivered_at", models.DateTimeField(null=True)),
                (
                    "workspace",
                    models.ForeignKey("accounts.workspace", on_delete=_PROTECT, related_name="+"),
                ),
            ],
            options={
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(
                        fields=["next_at"], condition=Q(state="pending"), name="outbox_due"
                    ),
                    models.Index(fields=["created_at"], name="outbox_by_age"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        name="outbox_is_well_formed",
                        condition=Q(channel="email", sealed_secret__isnull=True)
                        | Q(channel="webhook", sealed_secret__isnull=False),
                    ),
                    models.CheckConstraint(
                        name="outbox_state_is_known",
                        condition=Q(state__in=["pending", "delivered", "failed"]),
                    ),
                ],
            },
        ),
    ]

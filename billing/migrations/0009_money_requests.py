"""Requests for money by staff, and disputes: asked once, decided once."""

from typing import Any

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import F, Q
from django.db.models.functions import Now

from billing.sql import read

_PROTECT = django.db.models.deletion.PROTECT
_WITH_SUBJECT = ("refund", "payout")


def _person(*, null: bool = False) -> "models.Field[Any, Any]":
    return models.ForeignKey(
        on_delete=_PROTECT, related_name="+", to=settings.AUTH_USER_MODEL, null=null
    )


def _workspace() -> "models.Field[Any, Any]":
    return models.ForeignKey(on_delete=_PROTECT, related_name="+", to="accounts.workspace")


class Migration(migrations.Migration):
    """Backwards drops the tables with all that is in them; the ledger keeps what was done."""

    dependencies = [
        ("accounts", "0002_default_tiers"),
        ("billing", "0008_money_views"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Dispute",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                (
                    "reference",
                    models.TextField(unique=True, help_text="The payment provider's id of it."),
                ),
                ("top_up_id", models.UUIDField(verbose_name="top-up")),
                ("amount_ucr", models.BigIntegerField()),
                ("reason", models.TextField()),
                (
                    "state",
                    models.TextField(
                        choices=[("open", "Open"), ("won", "Won"), ("lost", "Lost")], default="open"
                    ),
                ),
                ("opened_at", models.DateTimeField(db_default=Now())),
                ("closed_at", models.DateTimeField(null=True)),
                ("workspace", _workspace()),
            ],
            options={
                "default_permissions": ("view",),
                "constraints": [
                    models.CheckConstraint(
                        name="dispute_is_well_formed",
                        condition=Q(state__in=["open", "won", "lost"])
                        & Q(amount_ucr__gt=0)
                        & ~Q(reference="")
                        & ~Q(reason=""),
                    ),
                    models.CheckConstraint(
                        name="dispute_is_closed_once",
                        condition=Q(state="open", closed_at__isnull=True)
                        | (~Q(state="open") & Q(closed_at__isnull=False)),
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="MoneyRequest",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                (
                    "kind",
                    models.TextField(
                        choices=[
                            ("refund", "Refund of a call"),
                            ("grant", "Grant"),
                            ("adjustment", "Adjustment"),
                            ("payout", "Payout of a top-up"),
                        ]
                    ),
                ),
                ("subject_id", models.UUIDField(null=True, verbose_name="call or top-up")),
                ("amount_ucr", models.BigIntegerField()),
                (
                    "paid",
                    models.BooleanField(
                        null=True, help_text="Of an adjustment: paid credit, or given."
                    ),
                ),
                ("reason", models.TextField()),
                ("requested_at", models.DateTimeField(db_default=Now())),
                ("needs_approval", models.BooleanField()),
                (
                    "state",
                    models.TextField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("executed", "Executed"),
                            ("rejected", "Rejected"),
                        ],
                        default="waiting",
                    ),
                ),
                ("decided_at", models.DateTimeField(null=True)),
                ("requested_by", _person()),
                ("approved_by", _person(null=True)),
                ("rejected_by", _person(null=True)),
                ("workspace", _workspace()),
            ],
            options={
                "default_permissions": ("view",),
                "permissions": [
                    ("refund_call", "Can refund calls"),
                    ("approve_money", "Can approve and reject money requests"),
                ],
                "indexes": [
                    models.Index(fields=["-requested_at"], name="moneyrequest_newest"),
                    models.Index(
                        fields=["requested_by", "workspace", "requested_at"],
                        name="moneyrequest_by_person",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        name="moneyrequest_is_well_formed",
                        condition=Q(kind__in=["refund", "grant", "adjustment", "payout"])
                        & (Q(amount_ucr__gt=0) | Q(kind="adjustment", amount_ucr__lt=0))
                        & ~Q(reason="")
                        & (
                            Q(kind__in=_WITH_SUBJECT, subject_id__isnull=False)
                            | (~Q(kind__in=_WITH_SUBJECT) & Q(subject_id__isnull=True))
                        )
                        & (
                            Q(kind="adjustment", paid__isnull=False)
                            | (~Q(kind="adjustment") & Q(paid__isnull=True))
                        ),
                    ),
                    models.CheckConstraint(
                        name="moneyrequest_needs_another_person",
                        condition=Q(approved_by__isnull=True) | ~Q(approved_by=F("requested_by")),
                    ),
                    models.CheckConstraint(
                        name="moneyrequest_is_decided_once",
                        condition=Q(
                            state="waiting",
                            needs_approval=True,
                            approved_by__isnull=True,
                            rejected_by__isnull=True,
                            decided_at__isnull=True,
                        )
                        | Q(
                            state="executed",
                            needs_approval=True,
                            approved_by__isnull=False,
                            rejected_by__isnull=True,
                            decided_at__isnull=False,
                        )
                        | Q(
                            state="executed",
                            needs_approval=False,
                            approved_by__isnull=True,
                            rejected_by__isnull=True,
                            decided_at__isnull=False,
                        )
                        | Q(
                            state="rejected",
                            needs_approval=True,
                            approved_by__isnull=True,
                            rejected_by__isnull=False,
                            decided_at__isnull=False,
                        ),
                    ),
                ],
            },
        ),
        migrations.RunSQL(
            read("decided_once"),
            "DROP TRIGGER decided_once ON billing_moneyrequest;"
            "DROP TRIGGER kept ON billing_moneyrequest;"
            "DROP TRIGGER decided_once ON billing_dispute;"
            "DROP TRIGGER kept ON billing_dispute;"
            "DROP FUNCTION billing_decided_once();",
        ),
    ]

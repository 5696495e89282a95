"""Payments by Stripe. What came, and what was decided, is kept: rows are never deleted."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

_KEPT = (
    "stripecustomer",
    "paymentorder",
    "payment",
    "paymentinvoice",
    "reversal",
    "stripeevent",
    "quarantine",
)
_CREDITED_ONCE = """
CREATE FUNCTION billing_credited_once() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF OLD.credited_at IS NOT NULL AND to_jsonb(OLD) - 'receipt_url' <> to_jsonb(NEW) - 'receipt_url'
  THEN
    RAISE EXCEPTION 'billing_payment: what was credited stays as it was credited'
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER credited_once BEFORE UPDATE ON billing_payment
  FOR EACH ROW EXECUTE FUNCTION billing_credited_once();
"""
_KEEP = "".join(
    f"CREATE TRIGGER kept BEFORE DELETE OR TRUNCATE ON billing_{name}"
    " FOR EACH STATEMENT EXECUTE FUNCTION billing_refuse_change();"
    for name in _KEPT
)
_FREE = (
    "".join(f"DROP TRIGGER kept ON billing_{name};" for name in _KEPT)
    + "DROP TRIGGER credited_once ON billing_payment; DROP FUNCTION billing_credited_once();"
)


class Migration(migrations.Migration):
    """Backwards drops the tables with all that is in them; the ledger keeps what was credited."""

    dependencies = [
        ("accounts", "0002_default_tiers"),
        ("billing", "0009_money_requests"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="BackFill",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("since", models.DateTimeField()),
                (
                    "started_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("finished_at", models.DateTimeField(null=True)),
                ("event_count", models.IntegerField(default=0)),
                (
                    "missed_count",
                    models.IntegerField(default=0, help_text="Events no webhook had brought."),
                ),
            ],
            options={
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="AutoRecharge",
            fields=[
                (
                    "workspace",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="accounts.workspace",
                    ),
                ),
                ("enabled", models.BooleanField(default=False)),
                ("threshold_ucr", models.BigIntegerField()),
                ("amount_cents", models.BigIntegerField()),
                ("monthly_cap_cents", models.BigIntegerField()),
                (
                    "stopped_because",
                    models.TextField(
                        blank=True, help_text="Why it stopped by itself; empty while it runs."
                    ),
                ),
                ("updated_at", models.DateTimeField(auto_now=True)),
            ],
            options={
                "default_permissions": ("view",),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("threshold_ucr__gte", 0),
                            ("amount_cents__gt", 0),
                            ("monthly_cap_cents__gte", models.F("amount_cents")),
                        ),
                        name="autorecharge_makes_sense",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="PaymentOrder",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                (
                    "source",
                    models.TextField(choices=[("checkout", "Checkout"), ("recharge", "Recharge")]),
                ),
                ("pack", models.TextField(blank=True, help_text="Empty for a free amount.")),
                ("amount_cents", models.BigIntegerField()),
                ("currency", models.TextField()),
                ("customer_id", models.TextField()),
                ("livemode", models.BooleanField()),
                (
                    "request_digest",
                    models.TextField(help_text="Of what was asked, to know a repeat by."),
                ),
                ("payment_method_id", models.TextField(blank=True, help_text="Of a recharge.")),
                ("session_id", models.TextField(null=True, unique=True)),
                ("url", models.TextField(blank=True)),
                ("expires_at", models.DateTimeField(null=True)),
                (
                    "state",
                    models.TextField(
                        choices=[
                            ("open", "Open"),
                            ("paid", "Paid"),
                            ("failed", "Failed"),
                            ("expired", "Expired"),
                        ],
                        default="open",
                    ),
                ),
                (
                    "failure",
                    models.TextField(blank=True, help_text="Stripe's word for why it failed."),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                (
                    "workspace",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.workspace",
                    ),
                ),
            ],
            options={
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="PaymentInvoice",
            fields=[
                ("invoice_id", models.TextField(primary_key=True, serialize=False)),
                ("number", models.TextField(blank=True)),
                ("page_url", models.TextField(blank=True)),
                ("pdf_url", models.TextField(blank=True)),
                (
                    "order",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="invoices",
                        to="billing.paymentorder",
                    ),
                ),
            ],
            options={
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="Payment",
            fields=[
                ("payment_intent_id", models.TextField(primary_key=True, serialize=False)),
                ("amount_cents", models.BigIntegerField(null=True)),
                ("currency", models.TextField(blank=True)),
                (
                    "top_up_id",
                    models.UUIDField(
                        help_text="Its id in the ledger.", null=True, verbose_name="top-up"
                    ),
                ),
                ("credited_at", models.DateTimeField(null=True)),
                ("receipt_url", models.TextField(blank=True)),
                (
                    "seen_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                (
                    "workspace",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.workspace",
                    ),
                ),
                (
                    "order",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="payment",
                        to="billing.paymentorder",
                    ),
                ),
            ],
            options={
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="Reversal",
            fields=[
                ("reversal_id", models.TextField(primary_key=True, serialize=False)),
                ("kind", models.TextField(choices=[("refund", "Refund"), ("dispute", "Dispute")])),
                ("amount_cents", models.BigIntegerField()),
                ("currency", models.TextField()),
                ("status", models.TextField(help_text="Stripe's newest word.")),
                ("reason", models.TextField(blank=True)),
                (
                    "state",
                    models.TextField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("taken", "Taken"),
                            ("returned", "Returned"),
                            ("quarantined", "Quarantined"),
                        ],
                        default="waiting",
                    ),
                ),
                (
                    "seen_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                (
                    "payment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reversals",
                        to="billing.payment",
                    ),
                ),
            ],
            options={
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="StripeCustomer",
            fields=[
                ("customer_id", models.TextField(primary_key=True, serialize=False)),
                ("livemode", models.BooleanField()),
                (
                    "payment_method_id",
                    models.TextField(
                        default="",
                        help_text="The saved card that recharges use; empty without one.",
                    ),
                ),
                (
                    "card_at",
                    models.DateTimeField(help_text="When Stripe last told of the card.", null=True),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                (
                    "workspace",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.workspace",
                    ),
                ),
            ],
            options={
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="StripeEvent",
            fields=[
                ("event_id", models.TextField(primary_key=True, serialize=False)),
                ("type", models.TextField()),
                ("livemode", models.BooleanField()),
                ("created", models.DateTimeField()),
                ("api_version", models.TextField(blank=True)),
                (
                    "facts",
                    models.JSONField(help_text="What we read of it, and nothing else of it."),
                ),
                ("by_back_fill", models.BooleanField(default=False)),
                (
                    "received_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("done", models.BooleanField(default=False)),
            ],
            options={
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(fields=["-received_at"], name="stripeevent_newest"),
                    models.Index(
                        condition=models.Q(("done", False)),
                        fields=["received_at"],
                        name="stripeevent_open",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Quarantine",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "subject",
                    models.TextField(blank=True, help_text="The refund or dispute it is about."),
                ),
                ("payment_intent_id", models.TextField(blank=True, db_index=True)),
                ("why", models.TextField(help_text="What differs, in a word.")),
                ("detail", models.TextField()),
                ("amount_cents", models.BigIntegerField(null=True)),
                ("currency", models.TextField(blank=True)),
                (
                    "state",
                    models.TextField(
                        choices=[
                            ("open", "Open"),
                            ("proposed", "Proposed"),
                            ("credited", "Credited"),
                            ("dismissed", "Dismissed"),
                        ],
                        default="open",
                    ),
                ),
                ("reason", models.TextField(blank=True)),
                ("resolved_at", models.DateTimeField(null=True)),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                (
                    "proposed_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "resolved_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "workspace",
                    models.ForeignKey(
                        help_text="Credited.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.workspace",
                    ),
                ),
                (
                    "event",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="billing.stripeevent",
                    ),
                ),
            ],
            options={
                "verbose_name": "quarantined event",
                "permissions": [("resolve_payment", "Can credit and dismiss quarantined payments")],
                "default_permissions": ("view",),
            },
        ),
        migrations.AddIndex(
            model_name="paymentorder",
            index=models.Index(fields=["-created_at"], name="paymentorder_newest"),
        ),
        migrations.AddIndex(
            model_name="paymentorder",
            index=models.Index(
                condition=models.Q(("source", "recharge")),
                fields=["workspace", "created_at"],
                name="paymentorder_recharges",
            ),
        ),
        migrations.AddConstraint(
            model_name="paymentorder",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("amount_cents__gt", 0),
                    ("source__in", ["checkout", "recharge"]),
                    ("state__in", ["open", "paid", "failed", "expired"]),
                    models.Q(("currency", ""), _negated=True),
                    models.Q(("customer_id", ""), _negated=True),
                ),
                name="paymentorder_is_well_formed",
            ),
        ),
        migrations.AddConstraint(
            model_name="paymentorder",
            constraint=models.UniqueConstraint(
                condition=models.Q(("source", "recharge"), ("state", "open")),
                fields=("workspace",),
                name="paymentorder_one_open_recharge",
            ),
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(fields=["-seen_at"], name="payment_newest"),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("amount_cents__isnull", True),
                        ("credited_at__isnull", True),
                        ("top_up_id__isnull", True),
                        ("workspace__isnull", True),
                    ),
                    models.Q(
                        ("amount_cents__gt", 0),
                        ("credited_at__isnull", False),
                        ("top_up_id__isnull", False),
                        ("workspace__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="payment_is_credited_whole",
            ),
        ),
        migrations.AddIndex(
            model_name="reversal",
            index=models.Index(fields=["-seen_at"], name="reversal_newest"),
        ),
        migrations.AddConstraint(
            model_name="reversal",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("amount_cents__gt", 0),
                    ("kind__in", ["refund", "dispute"]),
                    ("state__in", ["waiting", "taken", "returned", "quarantined"]),
                ),
                name="reversal_is_well_formed",
            ),
        ),
        migrations.AddConstraint(
            model_name="stripecustomer",
            constraint=models.UniqueConstraint(
                fields=("workspace", "livemode"), name="stripecustomer_once_per_workspace"
            ),
        ),
        migrations.AddIndex(
            model_name="quarantine",
            index=models.Index(fields=["-created_at"], name="quarantine_newest"),
        ),
        migrations.AddConstraint(
            model_name="quarantine",
            constraint=models.UniqueConstraint(
                fields=("event", "why", "subject"), name="quarantine_once_per_fault"
            ),
        ),
        migrations.RunSQL(_CREDITED_ONCE + _KEEP, _FREE),
    ]

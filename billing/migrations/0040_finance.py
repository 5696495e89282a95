"""Who closes a month, what its books said then, and what providers billed: rows that stay."""

from typing import Any

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import Q
from django.db.models.functions import Now

_PROTECT = django.db.models.deletion.PROTECT
_VIEW = {"default_permissions": ("view",)}
_KEPT = (
    "billing_monthclose",
    "billing_closedstatement",
    "billing_closedmargin",
    "billing_providerinvoice",
    "billing_providerinvoiceline",
)
_BEFORE_THE_CLOSE = ("billing_closedstatement", "billing_closedmargin")
_GUARDS = (
    """
CREATE FUNCTION billing_refuse_after_close() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM ledger.closed_month c WHERE c.month = NEW.month) THEN
    RAISE EXCEPTION '%: % is closed', TG_TABLE_NAME, NEW.month USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;
"""
    + "".join(
        f"CREATE TRIGGER kept BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
        " FOR EACH STATEMENT EXECUTE FUNCTION billing_refuse_change();"
        for table in _KEPT
    )
    + "".join(
        f"CREATE TRIGGER before_the_close BEFORE INSERT ON {table}"
        " FOR EACH ROW EXECUTE FUNCTION billing_refuse_after_close();"
        for table in _BEFORE_THE_CLOSE
    )
)
_NO_GUARDS = (
    "".join(f"DROP TRIGGER kept ON {table};" for table in _KEPT)
    + "".join(f"DROP TRIGGER before_the_close ON {table};" for table in _BEFORE_THE_CLOSE)
    + "DROP FUNCTION billing_refuse_after_close();"
)


def _id() -> tuple[str, "models.Field[Any, Any]"]:
    return "id", models.BigAutoField(
        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
    )


def _person() -> "models.Field[Any, Any]":
    return models.ForeignKey(on_delete=_PROTECT, related_name="+", to=settings.AUTH_USER_MODEL)


def _numbers(*names: str) -> list[tuple[str, "models.Field[Any, Any]"]]:
    return [(name, models.BigIntegerField()) for name in names]


class Migration(migrations.Migration):
    """Backwards drops what was kept; the ledger's own closed months stay closed."""

    dependencies = [
        ("billing", "0060_budgets_and_alerts"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="MonthClose",
            fields=[
                ("month", models.DateField(primary_key=True, serialize=False)),
                ("requested_at", models.DateTimeField(db_default=Now())),
                ("requested_by", _person()),
            ],
            options={
                **_VIEW,
                "verbose_name": "month",
                "permissions": [
                    ("export_finance", "Can read and download finance's reports"),
                    ("close_month", "Can close months"),
                    ("import_invoice", "Can import providers' invoices"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        name="monthclose_is_a_month",
                        condition=Q(month__day=1, month__gte="2000-01-01"),
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ClosedStatement",
            fields=[
                _id(),
                ("month", models.DateField()),
                ("workspace_id", models.BigIntegerField()),
                ("workspace_name", models.TextField(verbose_name="workspace")),
                *_numbers(
                    "opening_ucr",
                    "purchases_ucr",
                    "grants_ucr",
                    "adjustments_ucr",
                    "charged_ucr",
                    "given_back_ucr",
                    "paid_out_ucr",
                    "reinstated_ucr",
                    "expiry_ucr",
                    "closing_ucr",
                    "entry_count",
                ),
            ],
            options={
                **_VIEW,
                "constraints": [
                    models.UniqueConstraint(
                        fields=("month", "workspace_id"), name="closed_statement_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ClosedMargin",
            fields=[
                _id(),
                ("month", models.DateField()),
                ("provider", models.TextField()),
                ("model", models.TextField()),
                ("billing", models.TextField()),
                *_numbers("request_count", "revenue_ucr", "given_ucr", "cost_ucr"),
            ],
            options={
                **_VIEW,
                "constraints": [
                    models.UniqueConstraint(
                        fields=("month", "provider", "model", "billing"), name="closed_margin_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ProviderInvoice",
            fields=[
                _id(),
                ("sha256", models.TextField(unique=True)),
                ("file_name", models.TextField()),
                ("imported_at", models.DateTimeField(db_default=Now())),
                ("line_count", models.IntegerField()),
                ("amount_ucr", models.BigIntegerField()),
                ("imported_by", _person()),
            ],
            options=_VIEW,
        ),
        migrations.CreateModel(
            name="ProviderInvoiceLine",
            fields=[
                _id(),
                ("line_number", models.IntegerField()),
                ("provider", models.TextField()),
                ("day", models.DateField()),
                ("model", models.TextField()),
                ("quantity", models.DecimalField(decimal_places=9, max_digits=30)),
                ("amount_ucr", models.BigIntegerField()),
                (
                    "invoice",
                    models.ForeignKey(
                        on_delete=_PROTECT, related_name="lines", to="billing.providerinvoice"
                    ),
                ),
            ],
            options={
                **_VIEW,
                "indexes": [models.Index(fields=["day", "provider"], name="invoice_line_by_day")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("invoice", "line_number"), name="invoice_line_once"
                    )
                ],
            },
        ),
        migrations.RunSQL(_GUARDS, _NO_GUARDS),
    ]

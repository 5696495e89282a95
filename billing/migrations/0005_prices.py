"""The price book: versions that nothing can change."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q

_REFUSE = """
CREATE FUNCTION billing_refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  RAISE EXCEPTION '% is append-only: a correction is a new version', TG_TABLE_NAME
    USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON billing_pricebook
  FOR EACH STATEMENT EXECUTE FUNCTION billing_refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON billing_price
  FOR EACH STATEMENT EXECUTE FUNCTION billing_refuse_change();
"""
_ALLOW = """
DROP TRIGGER append_only ON billing_price;
DROP TRIGGER append_only ON billing_pricebook;
DROP FUNCTION billing_refuse_change();
"""


class Migration(migrations.Migration):
    """Two tables and the triggers that keep them append-only."""

    dependencies = [("billing", "0004_ledger_views")]

    operations = [
        migrations.CreateModel(
            name="PriceBook",
            fields=[
                ("version", models.IntegerField(primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("created_by", models.TextField()),
                ("note", models.TextField(blank=True)),
                (
                    "digest",
                    models.TextField(
                        help_text="SHA-256 of the prices: equal books are not stored twice."
                    ),
                ),
            ],
            options={"ordering": ["-version"]},
        ),
        migrations.CreateModel(
            name="Price",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("provider", models.TextField()),
                ("model", models.TextField()),
                ("operation", models.TextField()),
                (
                    "meter",
                    models.TextField(help_text="chat: input, cached_input, cache_write, output."),
                ),
                ("options", models.JSONField(blank=True, default=dict)),
                (
                    "per",
                    models.BigIntegerField(
                        help_text="1000000 for tokens and other metered units, 1 for items."
                    ),
                ),
                ("list_ucr", models.BigIntegerField()),
                ("cost_ucr", models.BigIntegerField()),
                ("source", models.TextField()),
                ("as_of", models.DateField()),
                ("edited_by_staff", models.BooleanField(default=False)),
                (
                    "book",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="prices",
                        to="billing.pricebook",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("book", "provider", "model", "operation", "meter", "options"),
                        name="price_once_in_a_book",
                    ),
                    models.CheckConstraint(condition=Q(list_ucr__gt=0), name="price_never_free"),
                    models.CheckConstraint(
                        condition=Q(cost_ucr__gte=0), name="price_cost_not_negative"
                    ),
                    models.CheckConstraint(condition=Q(per__gt=0), name="price_per_something"),
                ],
            },
        ),
        migrations.RunSQL(_REFUSE, _ALLOW),
    ]

"""Stripe's balance report, line by line: fee, net and payout of our purchases."""

from django.db import migrations, models
from django.db.models import F, Q


class Migration(migrations.Migration):
    """Backwards drops the lines: Stripe has them."""

    dependencies = [("billing", "0041_finance_group")]

    operations = [
        migrations.CreateModel(
            name="StripeBalanceLine",
            fields=[
                ("transaction_id", models.TextField(primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField()),
                ("category", models.TextField()),
                ("payment_intent_id", models.TextField(blank=True)),
                ("payout_id", models.TextField(blank=True)),
                ("gross_cents", models.BigIntegerField()),
                ("fee_cents", models.BigIntegerField()),
                ("net_cents", models.BigIntegerField()),
            ],
            options={
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(fields=["payment_intent_id"], name="stripeline_by_payment"),
                    models.Index(fields=["created_at"], name="stripeline_by_time"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        name="stripeline_adds_up",
                        condition=Q(net_cents=F("gross_cents") - F("fee_cents")),
                    )
                ],
            },
        )
    ]

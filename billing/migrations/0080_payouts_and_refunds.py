"""Payouts by staff and refunds at Stripe know of each other: who took what of a payment."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    """Two columns of reversals, one payment per top-up, and the permission to pay out."""

    dependencies = [("billing", "0042_stripe_balance")]

    operations = [
        migrations.AlterModelOptions(
            name="moneyrequest",
            options={
                "default_permissions": ("view",),
                "permissions": [
                    ("refund_call", "Can refund calls"),
                    ("approve_money", "Can approve and reject money requests"),
                    ("pay_out_top_up", "Can pay out top-ups"),
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.UniqueConstraint(
                fields=("top_up_id",), name="payment_once_per_top_up"
            ),
        ),
        migrations.AddField(
            model_name="reversal",
            name="taken_ucr",
            field=models.BigIntegerField(
                db_default=0, default=0, help_text="The credit that it took itself."
            ),
        ),
        migrations.AddField(
            model_name="reversal",
            name="covered_ucr",
            field=models.BigIntegerField(
                db_default=0,
                default=0,
                help_text="The credit that payouts of ours had taken before it.",
            ),
        ),
        migrations.RemoveConstraint(model_name="reversal", name="reversal_is_well_formed"),
        migrations.AddConstraint(
            model_name="reversal",
            constraint=models.CheckConstraint(
                name="reversal_is_well_formed",
                condition=Q(amount_cents__gt=0)
                & Q(kind__in=["refund", "dispute"])
                & Q(state__in=["waiting", "taken", "returned", "quarantined"])
                & Q(taken_ucr__gte=0, covered_ucr__gte=0),
            ),
        ),
    ]

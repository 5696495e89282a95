"""Views that know the new kinds and freezes, and who may call which function. Rights come last:
they name all the rest.
"""

from django.db import migrations, models

from billing.sql import read

_OLD_VIEWS = (
    "DROP VIEW ledger.ledger_posting; DROP VIEW ledger.ledger_violations;"
    + read("posting")
    + read("violations")
)
_OLD_ADMIN_VIEWS = (
    "DROP VIEW public.billing_freeze, public.billing_closedmonth, public.billing_wallet,"
    " public.billing_lot, public.billing_hold, public.billing_entry;"
    + read("admin_views")
    + read("grants")
)
_UNMANAGED = {"managed": False, "default_permissions": ("view",)}


class Migration(migrations.Migration):
    """The models are over views: Django is told of them and makes nothing."""

    dependencies = [("billing", "0007_money_functions")]

    operations = [
        migrations.RunSQL(read("audit"), _OLD_VIEWS),
        migrations.RunSQL(read("guard_checks"), "DROP VIEW ledger.ledger_guard_violations"),
        migrations.RunSQL(read("admin_views_of_money"), _OLD_ADMIN_VIEWS),
        migrations.RunSQL(read("rights"), migrations.RunSQL.noop),
        migrations.AddField("lot", "paid", models.BooleanField(default=False)),
        migrations.CreateModel(
            name="Freeze",
            fields=[
                ("key", models.TextField(primary_key=True, serialize=False)),
                ("wallet_id", models.BigIntegerField(verbose_name="workspace id")),
                ("workspace_name", models.TextField(verbose_name="workspace")),
                ("freeze_id", models.UUIDField(verbose_name="freeze")),
                ("ref", models.TextField(verbose_name="reason")),
                ("at", models.DateTimeField(verbose_name="since")),
                ("lifted_at", models.DateTimeField(null=True)),
                ("lifted_ref", models.TextField(verbose_name="lifted because")),
            ],
            options=_UNMANAGED,
        ),
        migrations.CreateModel(
            name="ClosedMonth",
            fields=[
                ("key", models.TextField(primary_key=True, serialize=False)),
                ("month", models.DateField()),
                ("closed_by", models.TextField()),
                ("confirmed_by", models.TextField()),
                ("closed_at", models.DateTimeField()),
            ],
            options=_UNMANAGED,
        ),
    ]

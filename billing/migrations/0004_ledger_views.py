"""Views for accountants, for checks and for staff, and who may what. Grants come last: they name
all the rest.
"""

from django.db import migrations, models

from billing.sql import read

_UNMANAGED = {"managed": False, "default_permissions": ("view",)}


class Migration(migrations.Migration):
    """The models are over views: Django is told of them and makes nothing."""

    dependencies = [("billing", "0003_workspace_wallets")]

    operations = [
        migrations.RunSQL(read("posting"), "DROP VIEW ledger.ledger_posting"),
        migrations.RunSQL(read("violations"), "DROP VIEW ledger.ledger_violations"),
        migrations.RunSQL(
            read("admin_views"),
            "DROP VIEW public.billing_wallet, public.billing_lot, public.billing_hold,"
            " public.billing_entry",
        ),
        migrations.RunSQL(read("grants"), migrations.RunSQL.noop),
        migrations.CreateModel(
            name="Wallet",
            fields=[
                ("key", models.TextField(primary_key=True, serialize=False)),
                ("wallet_id", models.BigIntegerField(verbose_name="workspace id")),
                ("workspace_name", models.TextField(verbose_name="workspace")),
                ("frozen", models.BooleanField()),
                ("owed_ucr", models.BigIntegerField()),
                ("available_ucr", models.BigIntegerField()),
                ("held_ucr", models.BigIntegerField()),
            ],
            options={**_UNMANAGED, "permissions": [("adjust_wallet", "Can grant credits")]},
        ),
        migrations.CreateModel(
            name="Lot",
            fields=[
                ("key", models.TextField(primary_key=True, serialize=False)),
                ("lot_id", models.BigIntegerField(verbose_name="lot")),
                ("wallet_id", models.BigIntegerField(verbose_name="workspace id")),
                ("workspace_name", models.TextField(verbose_name="workspace")),
                (
                    "kind",
                    models.TextField(
                        choices=[
                            ("topup", "Top-up"),
                            ("promo", "Promo"),
                            ("refund", "Refund"),
                        ]
                    ),
                ),
                ("priority", models.SmallIntegerField()),
                ("expires_at", models.DateTimeField(null=True)),
                ("granted_ucr", models.BigIntegerField()),
                ("remaining_ucr", models.BigIntegerField()),
                ("held_ucr", models.BigIntegerField()),
                ("live", models.BooleanField()),
            ],
            options=_UNMANAGED,
        ),
        migrations.CreateModel(
            name="Hold",
            fields=[
                ("key", models.TextField(primary_key=True, serialize=False)),
                ("wallet_id", models.BigIntegerField(verbose_name="workspace id")),
                ("workspace_name", models.TextField(verbose_name="workspace")),
                ("call_id", models.UUIDField(verbose_name="call")),
                ("seq", models.SmallIntegerField()),
                ("lot_id", models.BigIntegerField(verbose_name="lot")),
                ("amount_ucr", models.BigIntegerField()),
                ("price_version", models.IntegerField()),
                ("markup_bp", models.IntegerField(verbose_name="markup (basis points)")),
                ("expires_at", models.DateTimeField()),
            ],
            options=_UNMANAGED,
        ),
        migrations.CreateModel(
            name="Entry",
            fields=[
                ("key", models.TextField(primary_key=True, serialize=False)),
                ("wallet_id", models.BigIntegerField(verbose_name="workspace id")),
                ("workspace_name", models.TextField(verbose_name="workspace")),
                ("call_id", models.UUIDField(verbose_name="call or event")),
                ("seq", models.SmallIntegerField()),
                (
                    "kind",
                    models.TextField(
                        choices=[
                            ("topup", "Top-up"),
                            ("promo", "Promo"),
                            ("refund", "Refund"),
                            ("usage", "Usage"),
                            ("payout", "Payout"),
                            ("repay", "Repay"),
                            ("expiry", "Expiry"),
                            ("void", "Void"),
                            ("lapse", "Lapse"),
                        ]
                    ),
                ),
                ("debit", models.TextField()),
                ("credit", models.TextField()),
                ("lot_id", models.BigIntegerField(null=True, verbose_name="lot")),
                ("amount_ucr", models.BigIntegerField()),
                ("cost_ucr", models.BigIntegerField()),
                ("price_version", models.IntegerField(null=True)),
                ("markup_bp", models.IntegerField(null=True, verbose_name="markup (basis points)")),
                ("at", models.DateTimeField()),
                ("ref", models.TextField(verbose_name="reason or reference")),
            ],
            options={**_UNMANAGED, "verbose_name_plural": "entries"},
        ),
    ]

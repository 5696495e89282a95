"""Refunds, payouts, reinstatements and adjustments; credits know one kind more."""

from django.db import migrations

from billing.sql import read


class Migration(migrations.Migration):
    """Backwards leaves the newer `ledger_credit`, which 0002 drops."""

    dependencies = [("billing", "0006_credit_kinds")]

    operations = [
        migrations.RunSQL(read("add_lot"), "DROP FUNCTION ledger.ledger_add_lot"),
        migrations.RunSQL(read("credit"), migrations.RunSQL.noop),
        migrations.RunSQL(read("refund"), "DROP FUNCTION ledger.ledger_refund"),
        migrations.RunSQL(read("payout"), "DROP FUNCTION ledger.ledger_payout"),
        migrations.RunSQL(read("reinstate"), "DROP FUNCTION ledger.ledger_reinstate"),
        migrations.RunSQL(read("adjust"), "DROP FUNCTION ledger.ledger_adjust"),
    ]

"""The functions of the ledger, one operation each."""

from django.db import migrations

from billing.sql import read


class Migration(migrations.Migration):
    """The only writers of schema `ledger`."""

    dependencies = [("billing", "0001_ledger_tables")]

    operations = [
        migrations.RunSQL(read("refuse_snapshots"), "DROP FUNCTION ledger.refuse_snapshots"),
        migrations.RunSQL(read("draw"), "DROP FUNCTION ledger.ledger_draw"),
        migrations.RunSQL(read("hold"), "DROP FUNCTION ledger.ledger_hold"),
        migrations.RunSQL(read("settle"), "DROP FUNCTION ledger.ledger_settle"),
        migrations.RunSQL(read("extend"), "DROP FUNCTION ledger.ledger_extend"),
        migrations.RunSQL(read("credit"), "DROP FUNCTION ledger.ledger_credit"),
        migrations.RunSQL(read("sweep_holds"), "DROP FUNCTION ledger.ledger_sweep_holds"),
        migrations.RunSQL(read("sweep_lots"), "DROP FUNCTION ledger.ledger_sweep_lots"),
    ]

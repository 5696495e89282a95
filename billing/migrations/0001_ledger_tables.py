"""Schema `ledger`, its four tables, and the triggers that keep the journal append-only."""

from django.db import migrations

from billing.sql import read


class Migration(migrations.Migration):
    """Backwards drops the tables with all that is in them; the schema stays, roles.sql may have
    made it.
    """

    initial = True

    dependencies = []

    operations = [
        migrations.RunSQL("CREATE SCHEMA IF NOT EXISTS ledger", migrations.RunSQL.noop),
        migrations.RunSQL(
            read("tables"), "DROP TABLE ledger.entry, ledger.hold, ledger.lot, ledger.wallet"
        ),
        migrations.RunSQL(
            read("guards"),
            # The triggers go with the function.
            "DROP FUNCTION ledger.refuse_change() CASCADE",
        ),
    ]

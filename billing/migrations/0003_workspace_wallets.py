"""A wallet for every workspace, new ones by trigger."""

from django.db import migrations

from billing.sql import read


class Migration(migrations.Migration):
    """Backwards keeps the wallets: they may hold credit, and 0001 drops their table."""

    dependencies = [("billing", "0002_ledger_functions"), ("accounts", "0001_initial")]

    operations = [
        migrations.RunSQL(
            read("wallets"),
            # The trigger goes with the function.
            "DROP FUNCTION ledger.follow_workspace() CASCADE",
        ),
    ]

"""Entries know their transaction, and what was found in order is kept: for incremental checks."""

from django.db import migrations

from billing.sql import read

_DROP = """
DROP TABLE public.reconciled_wallet, public.reconciled_lot, public.reconciled_to;
ALTER TABLE ledger.entry DROP COLUMN transaction_id;
"""


class Migration(migrations.Migration):
    """The index is made under a lock: some seconds for ten million entries."""

    dependencies = [("billing", "0081_what_reversals_took")]

    operations = [migrations.RunSQL(read("reconciled"), _DROP)]

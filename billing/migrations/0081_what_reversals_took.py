"""Refunds and disputes of before took all that they were about: a cent is 10 000 000 µcr."""

from django.db import migrations

_TOOK_ALL = """
UPDATE billing_reversal SET taken_ucr = amount_cents * 10000000 WHERE state = 'taken'
"""


class Migration(migrations.Migration):
    """What a refund took is what it gives back if it fails."""

    dependencies = [("billing", "0080_payouts_and_refunds")]
    operations = [migrations.RunSQL(_TOOK_ALL, migrations.RunSQL.noop)]

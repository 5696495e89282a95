"""Calls that hold nothing in the ledger can be found by themselves."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """The index names no column that an update changes, so updates stay in their page (HOT)."""

    dependencies = [("gateway", "0003_usage_violations")]

    operations = [
        migrations.AddIndex(
            "call",
            models.Index(
                fields=["id"], condition=models.Q(("billing", "byok")), name="call_by_user_key"
            ),
        ),
    ]

"""On whose behalf a message leaves, and until when it is tried."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    """Lists of messages per source, and the question whether any arrives, have indexes."""

    dependencies = [("billing", "0070_reconciled")]

    operations = [
        migrations.AddField(
            model_name="outboxmessage",
            name="source_id",
            field=models.UUIDField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="outboxmessage",
            name="give_up_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddIndex(
            model_name="outboxmessage",
            index=models.Index(
                condition=Q(source_id__isnull=False),
                fields=["source_id", "-id"],
                name="outbox_by_source",
            ),
        ),
        migrations.AddIndex(
            model_name="outboxmessage",
            index=models.Index(
                condition=Q(source_id__isnull=False, state="failed"),
                fields=["source_id", "created_at"],
                name="outbox_given_up",
            ),
        ),
        migrations.AddIndex(
            model_name="outboxmessage",
            index=models.Index(
                condition=Q(source_id__isnull=False, state="delivered"),
                fields=["source_id", "delivered_at"],
                name="outbox_arrived",
            ),
        ),
    ]

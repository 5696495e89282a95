"""The bytes behind assets: who may need them, and when nobody does."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("gateway", "0030_upstream_model")]

    operations = [
        migrations.CreateModel(
            name="StoredFile",
            fields=[
                ("sha256", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("size_bytes", models.BigIntegerField()),
                ("created_at", models.DateTimeField()),
                ("keep_until", models.DateTimeField()),
                ("removal_until", models.DateTimeField(null=True)),
            ],
            options={
                "indexes": [models.Index(fields=["keep_until"], name="stored_file_kept_until")],
            },
        ),
        migrations.AddIndex(
            model_name="asset",
            index=models.Index(
                fields=["deleted_at"],
                condition=Q(deleted_at__isnull=False),
                name="asset_deleted",
            ),
        ),
    ]

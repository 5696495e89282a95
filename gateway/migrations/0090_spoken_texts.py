"""Speech that was made before, kept to be given again."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("gateway", "0070_personas")]

    operations = [
        migrations.CreateModel(
            name="SpokenText",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("workspace_id", models.BigIntegerField()),
                ("digest", models.BinaryField(max_length=32)),
                ("asset_id", models.UUIDField()),
                ("sha256", models.CharField(max_length=64)),
                ("size_bytes", models.IntegerField()),
                ("media_ms", models.IntegerField()),
                ("created_at", models.DateTimeField()),
                ("used_at", models.DateTimeField()),
            ],
            options={
                "indexes": [
                    models.Index(fields=["workspace_id", "-used_at"], name="spoken_text_by_use"),
                    models.Index(fields=["created_at"], name="spoken_text_by_age"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("workspace_id", "digest"), name="spoken_text_once"
                    )
                ],
            },
        ),
    ]

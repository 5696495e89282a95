"""What a workspace's brands look and sound like."""

import django.db.models.deletion
from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models
from django.db.models import Q
from django.db.models.functions import Now


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0005_asset_url_life"),
        ("gateway", "0060_inputs"),
    ]

    operations = [
        migrations.CreateModel(
            name="Persona",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                (
                    "workspace",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.workspace",
                    ),
                ),
                ("name", models.TextField()),
                ("tone", models.TextField(blank=True)),
                ("colors", ArrayField(models.TextField(), blank=True, default=list)),
                ("style_words", ArrayField(models.TextField(), blank=True, default=list)),
                ("avoid_words", ArrayField(models.TextField(), blank=True, default=list)),
                ("is_default", models.BooleanField(default=False, verbose_name="default")),
                ("created_at", models.DateTimeField(db_default=Now())),
                ("updated_at", models.DateTimeField(db_default=Now())),
            ],
            options={
                "default_permissions": ("view", "delete"),
                "ordering": ["workspace", "pk"],
                "constraints": [
                    models.UniqueConstraint(fields=("workspace", "name"), name="persona_name_once"),
                    models.UniqueConstraint(
                        condition=Q(is_default=True),
                        fields=("workspace",),
                        name="persona_default_once",
                    ),
                ],
            },
        ),
    ]

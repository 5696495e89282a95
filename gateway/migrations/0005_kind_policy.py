"""How a kind chooses among its routes, as catalogue data."""

import django.core.validators
from django.db import migrations, models
from django.db.models import Q

_TRIGGER = """
CREATE TRIGGER raise_revision AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON gateway_kindpolicy
  FOR EACH STATEMENT EXECUTE FUNCTION gateway_raise_catalogue_revision();
"""
_NO_TRIGGER = "DROP TRIGGER raise_revision ON gateway_kindpolicy;"


class Migration(migrations.Migration):
    """One table; running processes notice its changes as they do those of the others."""

    dependencies = [("gateway", "0004_calls_by_user_keys")]

    operations = [
        migrations.CreateModel(
            name="KindPolicy",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("enabled", models.BooleanField(default=True)),
                ("edited_by_staff", models.BooleanField(default=False, editable=False)),
                (
                    "channel",
                    models.TextField(
                        choices=[
                            ("stable", "Stable"),
                            ("experimental", "Experimental"),
                            ("fast", "Fast"),
                            ("quality", "Quality"),
                        ]
                    ),
                ),
                ("kind", models.TextField()),
                (
                    "order",
                    models.TextField(
                        choices=[
                            ("listed", "as listed"),
                            ("weighted", "at random, by weight"),
                            ("cheapest", "the cheapest for the request"),
                            ("fastest", "the one that was fastest lately"),
                        ],
                        default="listed",
                    ),
                ),
                (
                    "patience_ms",
                    models.PositiveIntegerField(
                        default=0,
                        help_text="How long a route may be silent before its first byte while "
                        "another is left; 0 for what is usual.",
                        validators=[django.core.validators.MaxValueValidator(600000)],
                        verbose_name="patience (ms)",
                    ),
                ),
            ],
            options={
                "verbose_name": "kind's policy",
                "verbose_name_plural": "kinds' policies",
                "constraints": [
                    models.UniqueConstraint(fields=("channel", "kind"), name="kind_policy_once"),
                    models.CheckConstraint(
                        condition=Q(channel__in=["stable", "experimental", "fast", "quality"]),
                        name="kind_policy_channel_known",
                    ),
                    models.CheckConstraint(
                        condition=Q(order__in=["listed", "weighted", "cheapest", "fastest"]),
                        name="kind_policy_order_known",
                    ),
                ],
            },
        ),
        migrations.RunSQL(_TRIGGER, _NO_TRIGGER),
    ]

"""How long the address of a generated file works, by tier: a day unless staff says otherwise."""

import django.core.validators
from django.db import migrations, models
from django.db.models import Q

_LONGEST_S = 30 * 86_400


class Migration(migrations.Migration):
    """One column with its bounds."""

    dependencies = [("accounts", "0004_billing_scope")]

    operations = [
        migrations.AddField(
            model_name="tier",
            name="asset_url_life_s",
            field=models.PositiveIntegerField(
                "life of a file's address (seconds)",
                db_default=86_400,
                default=86_400,
                help_text="How long the address of a generated file works; 86400 is a day.",
                validators=[
                    django.core.validators.MinValueValidator(60),
                    django.core.validators.MaxValueValidator(_LONGEST_S),
                ],
            ),
        ),
        migrations.RemoveConstraint(model_name="tier", name="tier_numbers_make_sense"),
        migrations.AddConstraint(
            model_name="tier",
            constraint=models.CheckConstraint(
                name="tier_numbers_make_sense",
                condition=Q(
                    markup_bp__lte=1_000_000,
                    request_limit__gte=1,
                    window_s__gte=1,
                    concurrency_limit__gte=1,
                    default_max_tokens__gte=1,
                    asset_url_life_s__gte=60,
                    asset_url_life_s__lte=_LONGEST_S,
                ),
            ),
        ),
    ]

"""What a provider calls a model whose name is ours."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Names that callers and the price book know may be kept alive by another model."""

    dependencies = [("gateway", "0020_jobs")]

    operations = [
        migrations.AddField(
            model_name="cataloguemodel",
            name="upstream_model",
            field=models.TextField(
                blank=True,
                default="",
                help_text="What the provider calls it, where the name is ours "
                "(image and music only).",
            ),
        ),
    ]

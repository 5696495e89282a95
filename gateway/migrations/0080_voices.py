"""Voices to choose from, and how they sound."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q

_TRIGGER = """
CREATE TRIGGER raise_revision AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON gateway_voice
  FOR EACH STATEMENT EXECUTE FUNCTION gateway_raise_catalogue_revision();
CREATE TRIGGER raise_revision AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON gateway_voicepreview
  FOR EACH STATEMENT EXECUTE FUNCTION gateway_raise_catalogue_revision();
"""
_NO_TRIGGER = """
DROP TRIGGER raise_revision ON gateway_voicepreview;
DROP TRIGGER raise_revision ON gateway_voice;
"""


class Migration(migrations.Migration):
    """Two tables; running processes notice changes of voices as they do those of models."""

    dependencies = [("gateway", "0090_spoken_texts")]

    operations = [
        migrations.CreateModel(
            name="Voice",
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
                    "slug",
                    models.SlugField(help_text="The id that callers use.", unique=True),
                ),
                ("name", models.TextField()),
                ("provider", models.TextField()),
                (
                    "provider_voice",
                    models.TextField(
                        help_text="What the provider calls it: a name or an id.",
                        verbose_name="provider's id",
                    ),
                ),
                ("language", models.TextField(default="en", help_text="ISO 639-1.")),
                (
                    "gender",
                    models.TextField(
                        choices=[("female", "Female"), ("male", "Male"), ("neutral", "Neutral")]
                    ),
                ),
                ("archetype", models.TextField(blank=True)),
                ("characteristics", models.JSONField(blank=True, default=list)),
                (
                    "use",
                    models.TextField(blank=True, help_text="One word: narration, conversation …"),
                ),
                ("example_text", models.TextField(help_text="What its preview says.")),
                (
                    "emotions",
                    models.JSONField(
                        blank=True,
                        default=dict,
                        help_text="Word → what is put before the text, "
                        '{"sad": "<sigh>", "calm": ""}.',
                    ),
                ),
                ("position", models.SmallIntegerField(default=0)),
                ("source", models.TextField(blank=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("provider", "provider_voice"), name="voice_once"
                    ),
                    models.CheckConstraint(
                        condition=Q(gender__in=["female", "male", "neutral"]),
                        name="voice_gender_known",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="VoicePreview",
            fields=[
                (
                    "voice",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="preview",
                        serialize=False,
                        to="gateway.voice",
                    ),
                ),
                ("data", models.BinaryField()),
                ("media_type", models.TextField()),
                ("media_ms", models.IntegerField()),
                ("sha256", models.CharField(max_length=64)),
                ("text", models.TextField()),
                ("model", models.TextField()),
                ("made_at", models.DateTimeField()),
            ],
        ),
        migrations.RunSQL(_TRIGGER, _NO_TRIGGER),
    ]

"""The voices that callers may choose from, as data."""

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q

from gateway.models.catalogue import CatalogueRow


class Voice(CatalogueRow):
    """One voice of one provider, and what is said of it.

    `emotions` maps each word that callers may use to what is put before a text for it, or to
    nothing. Rows come from `gateway/voices/voices.json` and from staff.
    """

    class Gender(models.TextChoices):
        """How it sounds."""

        FEMALE = "female"
        MALE = "male"
        NEUTRAL = "neutral"

    slug = models.SlugField(unique=True, help_text="The id that callers use.")
    name = models.TextField()
    provider = models.TextField()
    provider_voice = models.TextField(
        "provider's id", help_text="What the provider calls it: a name or an id."
    )
    language = models.TextField(default="en", help_text="ISO 639-1.")
    gender = models.TextField(choices=Gender)
    archetype = models.TextField(blank=True)
    characteristics = models.JSONField(default=list, blank=True)
    use = models.TextField(blank=True, help_text="One word: narration, conversation …")
    example_text = models.TextField(help_text="What its preview says.")
    emotions = models.JSONField(
        default=dict,
        blank=True,
        help_text='Word → what is put before the text, {"sad": "<sigh>", "calm": ""}.',
    )
    position = models.SmallIntegerField(default=0)
    source = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "provider_voice"], name="voice_once"),
            models.CheckConstraint(
                condition=Q(gender__in=["female", "male", "neutral"]), name="voice_gender_known"
            ),
        ]

    def __str__(self) -> str:
        return self.slug

    def clean(self) -> None:
        """Check the two fields that are JSON."""
        words = self.characteristics
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise ValidationError({"characteristics": "A list of words."})
        tags = self.emotions
        if not isinstance(tags, dict) or not all(isinstance(tag, str) for tag in tags.values()):
            raise ValidationError({"emotions": "Words, each with a text, which may be empty."})


class VoicePreview(models.Model):
    """How a voice sounds: its example text, spoken once and kept.

    `text` and `model` are what was spoken and by what; a preview of another text is an old one.
    """

    voice = models.OneToOneField(
        Voice, on_delete=models.CASCADE, primary_key=True, related_name="preview"
    )
    data = models.BinaryField()
    media_type = models.TextField()
    media_ms = models.IntegerField()
    sha256 = models.CharField(max_length=64)
    text = models.TextField()
    model = models.TextField()
    made_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.voice_id}"

"""Speech that was made before, to be given again."""

from django.db import models


class SpokenText(models.Model):
    """One sound of a workspace: its bytes are those of the asset, which nobody else is told of.

    `digest` is of everything that makes the sound what it is (`gateway/speech/cache.py`), never the
    text itself. Written by that module only.
    """

    workspace_id = models.BigIntegerField()
    digest = models.BinaryField(max_length=32)
    asset_id = models.UUIDField()
    sha256 = models.CharField(max_length=64)
    size_bytes = models.IntegerField()
    media_ms = models.IntegerField()
    created_at = models.DateTimeField()
    used_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace_id", "digest"], name="spoken_text_once")
        ]
        indexes = [
            models.Index(fields=["workspace_id", "-used_at"], name="spoken_text_by_use"),
            models.Index(fields=["created_at"], name="spoken_text_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.workspace_id} {self.sha256}"

"""Files we host: what jobs made, under our own addresses."""

from django.db import models
from django.db.models import Q


class Asset(models.Model):
    """One file of a workspace. Its bytes lie in storage under their digest, shared by equal files.

    `media_ms` is the length of sound, pixels are of pictures; the other kind has 0. After
    `keep_until` the row's file is let go and `deleted_at` says when.
    """

    id = models.UUIDField(primary_key=True)
    workspace_id = models.BigIntegerField()
    job_id = models.UUIDField(null=True)
    sha256 = models.CharField(max_length=64)
    media_type = models.TextField()
    size_bytes = models.BigIntegerField()
    width = models.IntegerField(default=0)
    height = models.IntegerField(default=0)
    media_ms = models.IntegerField(default=0)
    created_at = models.DateTimeField()
    keep_until = models.DateTimeField()
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["workspace_id", "-id"], name="asset_by_workspace"),
            models.Index(fields=["sha256"], name="asset_by_digest"),
            models.Index(fields=["job_id"], name="asset_by_job"),
            models.Index(
                fields=["keep_until"], condition=Q(deleted_at__isnull=True), name="asset_kept_until"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.id} {self.media_type}"

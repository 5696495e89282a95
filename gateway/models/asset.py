"""Files we host: what jobs made, under our own addresses, and what they work on."""

from django.db import models
from django.db.models import Q


class Asset(models.Model):
    """One file of a workspace. Its bytes lie in storage under their digest, shared by equal files.

    `media_ms` is the length of sound, pixels are of pictures; the other kind has 0. `is_input` is
    one that a caller sent in: it is never shown, and goes with its job's request. After
    `keep_until`, or once `deleted_at` is set, the file is nobody's any more. Written by
    `gateway/media` only.
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
    is_input = models.BooleanField(default=False, db_default=False)
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
            models.Index(
                fields=["deleted_at"],
                condition=Q(deleted_at__isnull=False),
                name="asset_deleted",
            ),
            models.Index(
                fields=["job_id"],
                condition=Q(is_input=True, deleted_at__isnull=True),
                name="asset_input_by_job",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.id} {self.media_type}"


class StoredFile(models.Model):
    """The bytes of one digest in storage, whoever shares them.

    Nobody is known to need them after `keep_until`: every asset of theirs, and everyone who is
    about to store them, has moved it ahead. `removal_until` is set while they are being deleted.
    """

    sha256 = models.CharField(max_length=64, primary_key=True)
    size_bytes = models.BigIntegerField()
    created_at = models.DateTimeField()
    keep_until = models.DateTimeField()
    removal_until = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["keep_until"], name="stored_file_kept_until")]

    def __str__(self) -> str:
        return self.sha256

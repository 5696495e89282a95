"""The row of one call to a provider: written with its hold, finished with its settle."""

from django.db import models
from django.db.models import Q


class Call(models.Model):
    """One operation at a provider, under way or done. `id` is the request id and the hold's id.

    Written by the statements of `gateway/statements.py` only. Kept for a week (the usage row is for
    ever); the stored answer of an Idempotency-Key for 24 hours.
    """

    class State(models.TextChoices):
        """`open` until settled; the others are final and equal the usage row's status."""

        OPEN = "open"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        CANCELLED = "cancelled"
        INTERRUPTED = "interrupted"

    id = models.UUIDField(primary_key=True)
    workspace_id = models.BigIntegerField()
    app_key_id = models.BigIntegerField(null=True)
    app_id = models.TextField()
    user_ref = models.TextField()
    surface = models.TextField()
    operation = models.TextField()
    kind = models.TextField()
    channel = models.TextField()
    provider = models.TextField()
    model = models.TextField()
    billing = models.TextField()
    attempts = models.SmallIntegerField(default=1)
    state = models.TextField(choices=State, default=State.OPEN)
    fence = models.IntegerField(default=0)
    lease_until = models.DateTimeField()
    hold_ucr = models.BigIntegerField()
    price_version = models.IntegerField()
    markup_bp = models.IntegerField()
    input_estimate = models.IntegerField()
    checkpoint_tokens = models.IntegerField(default=0)
    idempotency_digest = models.BinaryField(null=True)
    request_digest = models.BinaryField(null=True)
    answer = models.BinaryField(null=True)
    answer_status = models.SmallIntegerField(null=True)
    answer_media_type = models.TextField(default="")
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["id"], condition=Q(billing="byok"), name="call_by_user_key"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["workspace_id", "idempotency_digest"],
                condition=Q(idempotency_digest__isnull=False),
                name="call_idempotency",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["open", "succeeded", "failed", "cancelled", "interrupted"]),
                name="call_state_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.id} {self.state}"

"""Where customers want to be told how their jobs ended, and what was sent there."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from billing.models import OutboxMessage
from studio.accounts.models import Workspace


class WebhookEndpoint(models.Model):
    """An address of a customer's, and the events it is told.

    Its secrets are sealed for this row. The old one signs along until `old_secret_until`. `off`
    says why nothing is sent there; `counted_from` is since when it must have taken something not
    to be switched off. Written by `gateway/webhooks` only.
    """

    class Off(models.TextChoices):
        """`failing` was switched off by us, the other two by people."""

        ON = "", "no"
        OWNER = "owner", "by its owner"
        STAFF = "staff", "by staff"
        FAILING = "failing", "took nothing for a day"

    EVENTS = ("job.succeeded", "job.failed", "job.canceled", "job.expired")

    id = models.UUIDField(primary_key=True)
    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="+")
    url = models.TextField("URL")
    description = models.TextField(blank=True)
    events = ArrayField(models.TextField())
    off = models.TextField("switched off", choices=Off, default=Off.ON, blank=True)
    off_at = models.DateTimeField("off since", null=True)
    counted_from = models.DateTimeField(db_default=Now(), editable=False)
    sealed_secret = models.BinaryField(editable=False)
    sealed_old_secret = models.BinaryField(null=True, editable=False)
    old_secret_until = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        default_permissions = ("view", "change")
        ordering = ["workspace", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["workspace", "url"], name="webhook_url_once"),
            models.CheckConstraint(
                name="webhook_events_are_known",
                condition=Q(
                    events__contained_by=[
                        "job.succeeded",
                        "job.failed",
                        "job.canceled",
                        "job.expired",
                    ],
                    events__len__gte=1,
                ),
            ),
            models.CheckConstraint(
                name="webhook_off_is_known",
                condition=Q(off="", off_at__isnull=True)
                | Q(off__in=["owner", "staff", "failing"], off_at__isnull=False),
            ),
            models.CheckConstraint(
                name="webhook_old_secret_ends",
                condition=Q(sealed_old_secret__isnull=True, old_secret_until__isnull=True)
                | Q(sealed_old_secret__isnull=False, old_secret_until__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.url

    @property
    def is_on(self) -> bool:
        """Whether it is told anything."""
        return self.off == self.Off.ON


class WebhookDelivery(OutboxMessage):
    """A webhook of the outbox, as staff see it: to an endpoint, or to an address for alerts."""

    class Meta:
        proxy = True
        default_permissions = ("view", "change")
        verbose_name_plural = "webhook deliveries"

    def __str__(self) -> str:
        return f"{self.event} {self.pk}"

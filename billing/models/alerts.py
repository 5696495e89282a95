"""Whom a workspace wants told about its money, and messages on their way out."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from studio.accounts.models import Workspace


class AlertSettings(models.Model):
    """Where alerts of a workspace go, and below which balance there is one.

    `low_since` is when the balance fell below `low_balance_ucr`: one fall is told once. The
    webhook's secret is sealed for this workspace. Written by `alerts.py`.
    """

    workspace = models.OneToOneField(
        Workspace, on_delete=models.PROTECT, primary_key=True, related_name="alert_settings"
    )
    low_balance_ucr = models.BigIntegerField(null=True, blank=True)
    emails = ArrayField(models.EmailField(max_length=254), default=list, blank=True)
    webhook_url = models.TextField(blank=True)
    sealed_secret = models.BinaryField(null=True, editable=False)
    low_since = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name_plural = "alert settings"
        constraints = [
            models.CheckConstraint(
                name="alert_settings_make_sense",
                condition=(Q(low_balance_ucr__isnull=True) | Q(low_balance_ucr__gte=1))
                & (Q(webhook_url="") | Q(sealed_secret__isnull=False)),
            )
        ]

    def __str__(self) -> str:
        return f"alerts of workspace {self.pk}"


class OutboxMessage(models.Model):
    """A webhook or an e-mail that has to leave, written with what it tells about.

    `id` is the webhook's id too: a receiver that gets it twice knows it by that. `target` is an
    address of the one or the other; `sealed_secret` signs a webhook, sealed for this message.
    `source_id` is on whose behalf it leaves, for whoever keeps a list of such; after `give_up_at`
    it is not tried again, though its schedule goes on.
    """

    class Channel(models.TextChoices):
        """How it leaves."""

        WEBHOOK = "webhook"
        EMAIL = "email"

    class State(models.TextChoices):
        """`failed` after the last attempt; nobody tries it again by itself."""

        PENDING = "pending"
        DELIVERED = "delivered"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True)
    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="+")
    channel = models.TextField(choices=Channel)
    target = models.TextField()
    event = models.TextField()
    subject = models.TextField(blank=True)
    body = models.TextField()
    sealed_secret = models.BinaryField(null=True, editable=False)
    source_id = models.UUIDField(null=True, editable=False)
    state = models.TextField(choices=State, default=State.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(db_default=Now())
    give_up_at = models.DateTimeField(null=True)
    last_error = models.TextField(blank=True)
    created_at = models.DateTimeField(db_default=Now())
    delivered_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ("view",)
        indexes = [
            models.Index(fields=["next_at"], condition=Q(state="pending"), name="outbox_due"),
            models.Index(fields=["created_at"], name="outbox_by_age"),
            models.Index(
                fields=["source_id", "-id"],
                condition=Q(source_id__isnull=False),
                name="outbox_by_source",
            ),
            models.Index(
                fields=["source_id", "created_at"],
                condition=Q(source_id__isnull=False, state="failed"),
                name="outbox_given_up",
            ),
            models.Index(
                fields=["source_id", "delivered_at"],
                condition=Q(source_id__isnull=False, state="delivered"),
                name="outbox_arrived",
            ),
        ]
        constraints = [
            models.CheckConstraint(
                name="outbox_is_well_formed",
                condition=Q(channel="email", sealed_secret__isnull=True)
                | Q(channel="webhook", sealed_secret__isnull=False),
            ),
            models.CheckConstraint(
                name="outbox_state_is_known",
                condition=Q(state__in=["pending", "delivered", "failed"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event} by {self.channel}"

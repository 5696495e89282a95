"""What staff and payment providers asked of the ledger: requests for money, and disputes.

Written by `money_requests.py` and `disputes.py`. A trigger keeps a row as it was asked, and as it
was decided, for ever.
"""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from studio.accounts.models import Workspace

_SUBJECT_KINDS = ("refund", "payout")


class MoneyRequest(models.Model):
    """Money that a person of ours wants moved, and why. Above a limit a second person approves it.

    `id` is derived from its economic key; the ledger knows the movement by it. `amount_ucr` is
    negative only for an adjustment that takes credit away.
    """

    class Kind(models.TextChoices):
        """What is asked for."""

        REFUND = "refund", "Refund of a call"
        GRANT = "grant", "Grant"
        ADJUSTMENT = "adjustment", "Adjustment"
        PAYOUT = "payout", "Payout of a top-up"

    class State(models.TextChoices):
        """`waiting` for a second person; the others are final."""

        WAITING = "waiting"
        EXECUTED = "executed"
        REJECTED = "rejected"

    id = models.UUIDField(primary_key=True)
    kind = models.TextField(choices=Kind)
    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="+")
    subject_id = models.UUIDField("call or top-up", null=True)
    amount_ucr = models.BigIntegerField()
    paid = models.BooleanField(null=True, help_text="Of an adjustment: paid credit, or given.")
    reason = models.TextField()
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    requested_at = models.DateTimeField(db_default=Now())
    needs_approval = models.BooleanField()
    state = models.TextField(choices=State, default=State.WAITING)
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    rejected_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    decided_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ("view",)
        permissions = [
            ("refund_call", "Can refund calls"),
            ("approve_money", "Can approve and reject money requests"),
            ("pay_out_top_up", "Can pay out top-ups"),
        ]
        indexes = [
            models.Index(fields=["-requested_at"], name="moneyrequest_newest"),
            models.Index(
                fields=["requested_by", "workspace", "requested_at"], name="moneyrequest_by_person"
            ),
        ]
        constraints = [
            models.CheckConstraint(
                name="moneyrequest_is_well_formed",
                condition=Q(kind__in=["refund", "grant", "adjustment", "payout"])
                & (Q(amount_ucr__gt=0) | Q(kind="adjustment", amount_ucr__lt=0))
                & ~Q(reason="")
                & (
                    Q(kind__in=_SUBJECT_KINDS, subject_id__isnull=False)
                    | (~Q(kind__in=_SUBJECT_KINDS) & Q(subject_id__isnull=True))
                )
                & (
                    Q(kind="adjustment", paid__isnull=False)
                    | (~Q(kind="adjustment") & Q(paid__isnull=True))
                ),
            ),
            models.CheckConstraint(
                name="moneyrequest_needs_another_person",
                condition=Q(approved_by__isnull=True) | ~Q(approved_by=F("requested_by")),
            ),
            models.CheckConstraint(
                name="moneyrequest_is_decided_once",
                condition=Q(
                    state="waiting",
                    needs_approval=True,
                    approved_by__isnull=True,
                    rejected_by__isnull=True,
                    decided_at__isnull=True,
                )
                | Q(
                    state="executed",
                    needs_approval=True,
                    approved_by__isnull=False,
                    rejected_by__isnull=True,
                    decided_at__isnull=False,
                )
                | Q(
                    state="executed",
                    needs_approval=False,
                    approved_by__isnull=True,
                    rejected_by__isnull=True,
                    decided_at__isnull=False,
                )
                | Q(
                    state="rejected",
                    needs_approval=True,
                    approved_by__isnull=True,
                    rejected_by__isnull=False,
                    decided_at__isnull=False,
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"

    @property
    def ref(self) -> str:
        """What the journal says of it: the same each time, so that a repeat is known as one."""
        return f"{self.reason} [{self.id}]"


class Dispute(models.Model):
    """A payment that its payer disputes: paid out and the wallet frozen while it is open."""

    class State(models.TextChoices):
        """`won` and `lost` are as we see it, and final."""

        OPEN = "open"
        WON = "won"
        LOST = "lost"

    id = models.UUIDField(primary_key=True)
    reference = models.TextField(unique=True, help_text="The payment provider's id of it.")
    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="+")
    top_up_id = models.UUIDField("top-up")
    amount_ucr = models.BigIntegerField()
    reason = models.TextField()
    state = models.TextField(choices=State, default=State.OPEN)
    opened_at = models.DateTimeField(db_default=Now())
    closed_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(
                name="dispute_is_well_formed",
                condition=Q(state__in=["open", "won", "lost"])
                & Q(amount_ucr__gt=0)
                & ~Q(reference="")
                & ~Q(reason=""),
            ),
            models.CheckConstraint(
                name="dispute_is_closed_once",
                condition=Q(state="open", closed_at__isnull=True)
                | (~Q(state="open") & Q(closed_at__isnull=False)),
            ),
        ]

    def __str__(self) -> str:
        return self.reference

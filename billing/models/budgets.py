"""Spend caps of a workspace, of one of its keys or of an app label, and what was spent of them."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from studio.accounts.models import AppKey, Workspace


class Budget(models.Model):
    """The most that may be spent in a calendar window of the workspace's time zone.

    It is the workspace's own without a key and an app label, else that key's or that label's. Soft
    by what is in flight. Written by `budgets.py`.
    """

    class Period(models.TextChoices):
        """How long a window is; weeks begin on Monday."""

        DAY = "day"
        WEEK = "week"
        MONTH = "month"

    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="budgets")
    app_key = models.ForeignKey(
        AppKey, on_delete=models.CASCADE, null=True, blank=True, related_name="budgets"
    )
    app_id = models.TextField("app", null=True, blank=True)
    period = models.TextField(choices=Period)
    cap_ucr = models.BigIntegerField("cap (micro-credits)", validators=[MinValueValidator(1)])
    alert_percent = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(99)],
        help_text="Tell when this much of the cap is spent; empty: only when all of it is.",
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "app_key", "app_id", "period"],
                name="budget_once_per_window",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                name="budget_makes_sense",
                condition=Q(period__in=["day", "week", "month"], cap_ucr__gte=1)
                & (Q(app_key__isnull=True) | Q(app_id__isnull=True))
                & (Q(alert_percent__isnull=True) | Q(alert_percent__range=(1, 99))),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.scope} {self.period}"

    @property
    def scope(self) -> str:
        """Whose cap it is: `workspace`, `key` or `app`."""
        if self.app_key_id is not None:
            return "key"
        return "workspace" if self.app_id is None else "app"


class BudgetSpend(models.Model):
    """What was charged in one window. Counted by the gateway's settle statement.

    `budget_id` is no foreign key: a settle must not fail because a cap was taken away meanwhile.
    `told_percent` is the highest mark that was told about.
    """

    budget_id = models.BigIntegerField()
    starts_on = models.DateField()
    spent_ucr = models.BigIntegerField()
    told_percent = models.PositiveSmallIntegerField(default=0, db_default=0)
    counted_at = models.DateTimeField(db_default=Now())

    class Meta:
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["budget_id", "starts_on"], name="spend_once_per_window")
        ]

    def __str__(self) -> str:
        return f"{self.budget_id} {self.starts_on}"

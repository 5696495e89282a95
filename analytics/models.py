"""Usage as staff reads it: an unmanaged model over the view of `sql/admin_view.sql`. Nothing writes
through it.
"""

from django.db import models


class Usage(models.Model):
    """One finished call, or a minute's worth of refusals of one kind. `sql/usage.sql` says what
    each column means.
    """

    class Status(models.TextChoices):
        """How it ended, as the table's constraint knows it."""

        SUCCEEDED = "succeeded"
        FAILED = "failed"
        CANCELLED = "cancelled"
        INTERRUPTED = "interrupted"
        REFUSED = "refused"

    class Billing(models.TextChoices):
        """Who paid, as the table's constraint knows it."""

        CREDITS = "credits"
        BYOK = "byok", "BYOK"
        HOUSE = "house"
        IMPORTED = "imported"
        NONE = "none"

    key = models.TextField(primary_key=True)
    at = models.DateTimeField()
    request_id = models.UUIDField("request")
    transaction_id = models.BigIntegerField()
    started_at = models.DateTimeField(null=True)
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
    status = models.TextField(choices=Status)
    reason = models.TextField()
    billing = models.TextField(choices=Billing)
    request_count = models.IntegerField()
    attempts = models.SmallIntegerField()
    http_status = models.SmallIntegerField(null=True)
    price_version = models.IntegerField(null=True)
    markup_bp = models.IntegerField(null=True)
    cost_ucr = models.BigIntegerField()
    charge_ucr = models.BigIntegerField()
    input_tokens = models.IntegerField(null=True)
    cached_input_tokens = models.IntegerField(null=True)
    cache_write_tokens = models.IntegerField(null=True)
    output_tokens = models.IntegerField(null=True)
    reasoning_tokens = models.IntegerField(null=True)
    item_count = models.IntegerField(null=True)
    character_count = models.IntegerField(null=True)
    media_ms = models.IntegerField(null=True)
    usage_source = models.TextField()
    latency_ms = models.IntegerField(null=True)
    first_byte_ms = models.IntegerField(null=True)
    workspace_name = models.TextField("workspace")
    attempt_log = models.JSONField(null=True)
    counted_input_tokens = models.IntegerField(null=True)
    counted_output_tokens = models.IntegerField(null=True)

    class Meta:
        managed = False
        default_permissions = ("view",)
        verbose_name_plural = "usage"
        constraints = [
            models.UniqueConstraint(fields=["request_id", "at"], name="usage_by_request")
        ]

    def __str__(self) -> str:
        return f"{self.request_id} {self.status}"


class TokenDrift(models.Model):
    """How far our own token counts were from a provider's on one day (UTC), over the last
    week's calls. Percentages are of the provider's figure; our input count is what would be charged
    without it.
    """

    key = models.TextField(primary_key=True)
    day = models.DateField()
    provider = models.TextField()
    model = models.TextField()
    request_count = models.BigIntegerField()
    input_tokens = models.BigIntegerField(null=True)
    counted_input_tokens = models.BigIntegerField(null=True)
    output_tokens = models.BigIntegerField(null=True)
    counted_output_tokens = models.BigIntegerField(null=True)
    input_drift_percent = models.DecimalField(max_digits=12, decimal_places=2, null=True)
    output_drift_percent = models.DecimalField(max_digits=12, decimal_places=2, null=True)

    class Meta:
        managed = False
        default_permissions = ("view",)
        verbose_name_plural = "token drift"

    def __str__(self) -> str:
        return self.key


class Calendar(models.Model):
    """By whose clock a workspace's days and weeks begin. The zone is what its sums are in now; it
    follows the workspace's own.
    """

    class Weekday(models.IntegerChoices):
        """As ISO 8601 numbers them."""

        MONDAY = 1
        TUESDAY = 2
        WEDNESDAY = 3
        THURSDAY = 4
        FRIDAY = 5
        SATURDAY = 6
        SUNDAY = 7

    workspace_id = models.BigIntegerField(primary_key=True)
    time_zone = models.TextField(default="UTC")
    week_start = models.SmallIntegerField(choices=Weekday, default=Weekday.MONDAY)
    own_days_from = models.DateField()

    class Meta:
        managed = False
        db_table = '"analytics"."calendar"'
        default_permissions = ("view", "change")

    def __str__(self) -> str:
        return f"Workspace {self.workspace_id}: {self.time_zone}"

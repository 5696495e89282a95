"""The ledger as staff reads it: unmanaged models over views (`sql/admin_views.sql` and
`sql/admin_views_of_money.sql`). Nothing writes through them.

`key` is a text key made for Django's admin; the ledger's own keys are (wallet_id, call_id, seq).
Amounts in µcr.
"""

from django.db import models


class Wallet(models.Model):
    """A workspace's credit: available now, held by open calls, and what it owes."""

    key = models.TextField(primary_key=True)
    wallet_id = models.BigIntegerField("workspace id")
    workspace_name = models.TextField("workspace")
    frozen = models.BooleanField()
    owed_ucr = models.BigIntegerField()
    available_ucr = models.BigIntegerField()
    held_ucr = models.BigIntegerField()

    class Meta:
        managed = False
        default_permissions = ("view",)
        permissions = [("adjust_wallet", "Can grant credits")]  # and adjust and freeze
        constraints = [models.UniqueConstraint(fields=["wallet_id"], name="wallet_by_workspace")]

    def __str__(self) -> str:
        return self.workspace_name or self.key


class Lot(models.Model):
    """Credit that came in at once. Lots burn by priority, then expiry, then id."""

    class Kind(models.TextChoices):
        """How it came in."""

        TOPUP = "topup", "Top-up"
        REINSTATEMENT = "reinstatement"
        PROMO = "promo"
        GRANT = "grant"
        REFUND = "refund"
        ADJUSTMENT = "adjustment"

    key = models.TextField(primary_key=True)
    lot_id = models.BigIntegerField("lot")
    wallet_id = models.BigIntegerField("workspace id")
    workspace_name = models.TextField("workspace")
    kind = models.TextField(choices=Kind)
    priority = models.SmallIntegerField()
    expires_at = models.DateTimeField(null=True)
    granted_ucr = models.BigIntegerField()
    remaining_ucr = models.BigIntegerField()
    held_ucr = models.BigIntegerField()
    live = models.BooleanField()
    paid = models.BooleanField(help_text="Cash stands behind it; else we gave it.")

    class Meta:
        managed = False
        default_permissions = ("view",)
        constraints = [models.UniqueConstraint(fields=["lot_id"], name="lot_by_id")]

    def __str__(self) -> str:
        return f"lot {self.key}"


class Hold(models.Model):
    """Credit reserved for an open call, one row per lot it draws on."""

    key = models.TextField(primary_key=True)
    wallet_id = models.BigIntegerField("workspace id")
    workspace_name = models.TextField("workspace")
    call_id = models.UUIDField("call")
    seq = models.SmallIntegerField()
    lot_id = models.BigIntegerField("lot")
    amount_ucr = models.BigIntegerField()
    price_version = models.IntegerField()
    markup_bp = models.IntegerField("markup (basis points)")
    expires_at = models.DateTimeField()

    class Meta:
        managed = False
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["wallet_id", "call_id", "seq"], name="hold_by_call")
        ]

    def __str__(self) -> str:
        return f"{self.call_id} {self.seq}"


class Entry(models.Model):
    """A line of the journal: `amount_ucr` moved from `debit` to `credit`. Never changed, never
    deleted.
    """

    class Kind(models.TextChoices):
        """What moved it, or what ended its hold."""

        TOPUP = "topup", "Top-up"
        REINSTATEMENT = "reinstatement"
        PROMO = "promo"
        GRANT = "grant"
        REFUND = "refund"
        ADJUSTMENT = "adjustment"
        USAGE = "usage"
        PAYOUT = "payout"
        REPAY = "repay"
        EXPIRY = "expiry"
        VOID = "void"
        LAPSE = "lapse"

    key = models.TextField(primary_key=True)
    wallet_id = models.BigIntegerField("workspace id")
    workspace_name = models.TextField("workspace")
    call_id = models.UUIDField("call or event")
    seq = models.SmallIntegerField()
    kind = models.TextField(choices=Kind)
    debit = models.TextField()
    credit = models.TextField()
    lot_id = models.BigIntegerField("lot", null=True)
    amount_ucr = models.BigIntegerField()
    cost_ucr = models.BigIntegerField()
    price_version = models.IntegerField(null=True)
    markup_bp = models.IntegerField("markup (basis points)", null=True)
    at = models.DateTimeField()
    ref = models.TextField("reason or reference")

    class Meta:
        managed = False
        default_permissions = ("view",)
        verbose_name_plural = "entries"
        constraints = [
            models.UniqueConstraint(fields=["wallet_id", "call_id", "seq"], name="entry_by_call")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.call_id} {self.seq}"


class Freeze(models.Model):
    """A reason why a wallet takes no holds, until it is lifted."""

    key = models.TextField(primary_key=True)
    wallet_id = models.BigIntegerField("workspace id")
    workspace_name = models.TextField("workspace")
    freeze_id = models.UUIDField("freeze")
    ref = models.TextField("reason")
    at = models.DateTimeField("since")
    lifted_at = models.DateTimeField(null=True)
    lifted_ref = models.TextField("lifted because")

    class Meta:
        managed = False
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["wallet_id", "freeze_id"], name="freeze_by_wallet")
        ]

    def __str__(self) -> str:
        return f"{self.workspace_name} {self.ref}"


class ClosedMonth(models.Model):
    """A calendar month (UTC) whose books are closed."""

    key = models.TextField(primary_key=True)
    month = models.DateField()
    closed_by = models.TextField()
    confirmed_by = models.TextField()
    closed_at = models.DateTimeField()

    class Meta:
        managed = False
        default_permissions = ("view",)

    def __str__(self) -> str:
        return self.key

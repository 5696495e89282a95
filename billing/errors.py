"""Billing's leaves of the error tree."""

from studio.core.errors import Conflict, Forbidden, InvalidRequest, NotFound


class WalletNotFound(NotFound):
    """No workspace has this wallet."""


class CreditMismatch(Conflict):
    """The id of a credit was used before, for another amount or kind. Nothing was credited."""


class CreditRefused(InvalidRequest):
    """The amount, the reason, the key or the expiry makes no sense. Nothing was moved."""


class CallNotCharged(NotFound):
    """There is no such call in the ledger, or it was not charged. Nothing was moved."""


class TopUpNotFound(NotFound):
    """There is no such top-up in this wallet. Nothing was moved."""


class MoreThanThereIs(Conflict):
    """More than what is left of the charge, of the top-up or of the credit. Nothing was moved."""


class RefundedAtStripe(Conflict):
    """Stripe's refunds of this payment take its credit: a payout would take more. Nothing moved."""


class KeyUsedBefore(Conflict):
    """The key stands for something else that was asked before. Nothing was moved."""


class MoneyRequestNotFound(NotFound):
    """There is no such request."""


class AlreadyDecided(Conflict):
    """Somebody has approved, rejected or closed it before. Nothing was moved."""


class SecondPersonNeeded(Forbidden):
    """Whoever asks for money does not approve it. Nothing was moved."""


class DisputeNotFound(NotFound):
    """There is no such dispute."""


class FreezeNotFound(NotFound):
    """There is no such freeze of this wallet."""


class MonthNotOver(Conflict):
    """A month is closed when it is over."""


class BudgetRefused(InvalidRequest):
    """A spend cap makes no sense, or names what this workspace has not. Nothing was written."""


class AlertRefused(InvalidRequest):
    """An address, a webhook or a threshold makes no sense. Nothing was written."""


class ReceiptNotFound(NotFound):
    """There is no such call, it was refused before it began, or it is another workspace's."""


class CursorUnreadable(InvalidRequest):
    """The cursor is none of ours, or of another question."""

"""Billing's leaves of the error tree."""

from studio.core.errors import Conflict, InvalidRequest, NotFound


class WalletNotFound(NotFound):
    """No workspace has this wallet."""


class CreditMismatch(Conflict):
    """The id of a credit was used before, for another amount or kind. Nothing was credited."""


class CreditRefused(InvalidRequest):
    """The amount, the reason or the expiry of a credit makes no sense. Nothing was credited."""

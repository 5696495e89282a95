"""Models by subject: the ledger as staff reads it, and the price book."""

from billing.models.ledger import Entry, Hold, Lot, Wallet
from billing.models.prices import Price, PriceBook

__all__ = ["Entry", "Hold", "Lot", "Price", "PriceBook", "Wallet"]

"""Admin by subject; importing registers."""

from billing.admin import ledger, prices

__all__ = ["ledger", "prices"]

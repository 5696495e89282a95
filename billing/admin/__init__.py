"""Admin by subject; importing registers."""

from billing.admin import alerts, finance, ledger, money, payments, prices

__all__ = ["alerts", "finance", "ledger", "money", "payments", "prices"]

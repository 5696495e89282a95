"""Models by subject: the ledger as staff reads it, requests, payments, and the price book."""

from billing.models.alerts import AlertSettings, OutboxMessage
from billing.models.budgets import Budget, BudgetSpend
from billing.models.finance import (
    ClosedMargin,
    ClosedStatement,
    MonthClose,
    ProviderInvoice,
    ProviderInvoiceLine,
    StripeBalanceLine,
)
from billing.models.ledger import ClosedMonth, Entry, Freeze, Hold, Lot, Wallet
from billing.models.money import Dispute, MoneyRequest
from billing.models.payments import (
    AutoRecharge,
    BackFill,
    Payment,
    PaymentInvoice,
    PaymentOrder,
    Quarantine,
    Reversal,
    StripeCustomer,
    StripeEvent,
)
from billing.models.prices import Price, PriceBook

__all__ = [
    "AlertSettings",
    "AutoRecharge",
    "BackFill",
    "Budget",
    "BudgetSpend",
    "ClosedMargin",
    "ClosedMonth",
    "ClosedStatement",
    "Dispute",
    "Entry",
    "Freeze",
    "Hold",
    "Lot",
    "MoneyRequest",
    "MonthClose",
    "OutboxMessage",
    "Payment",
    "PaymentInvoice",
    "PaymentOrder",
    "Price",
    "PriceBook",
    "ProviderInvoice",
    "ProviderInvoiceLine",
    "Quarantine",
    "Reversal",
    "StripeBalanceLine",
    "StripeCustomer",
    "StripeEvent",
    "Wallet",
]

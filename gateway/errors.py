"""The gateway's leaves of the error tree.

`UpstreamFailure` is the providers' own; surfaces, which know no provider, find it here.
"""

from gateway.providers.failures import UpstreamFailure
from studio.core.errors import Conflict, GatewayError, Unavailable

__all__ = [
    "AnswerNotKept",
    "BudgetSpent",
    "IdempotencyConflict",
    "IdempotencyMismatch",
    "InsufficientCredits",
    "KeyBudgetSpent",
    "LedgerUnavailable",
    "NoPrice",
    "NoProvider",
    "OutcomeUnknown",
    "RoutesResting",
    "UpstreamFailure",
    "UserKeyNeeded",
    "UserKeyRefused",
    "UserQuotaExceeded",
    "UserRateLimited",
    "WalletFrozen",
]


class NoProvider(Unavailable):
    """No provider is configured for what was asked."""

    code = "no_provider"
    retryable = False


class NoPrice(Unavailable):
    """The model has no price, and nothing is ever free by accident."""

    code = "no_price"
    retryable = False


class RoutesResting(Unavailable):
    """Every provider that could answer failed lately and is left alone. Nothing was held or sent.

    `Retry-After` says when the first of them is tried again.
    """

    code = "upstream_unavailable"

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__(message, headers={"Retry-After": str(retry_after_s)})


class UserKeyRefused(UpstreamFailure):
    """The provider does not accept the caller's own key."""

    code = "user_key_refused"
    status = 401


class UserQuotaExceeded(UpstreamFailure):
    """The caller's own account with the provider is used up."""

    code = "user_quota_exceeded"
    status = 429


class UserRateLimited(UpstreamFailure):
    """The provider limits the rate of the caller's own key."""

    code = "user_rate_limited"
    status = 429
    retryable = True


class InsufficientCredits(GatewayError):
    """The wallet does not afford the call. Nothing was held."""

    code = "insufficient_credits"
    status = 402


class WalletFrozen(GatewayError):
    """The wallet is frozen (a dispute, or staff)."""

    code = "wallet_frozen"
    status = 402


class KeyBudgetSpent(GatewayError):
    """The app key's spend cap is used up."""

    code = "key_budget_spent"
    status = 402


class BudgetSpent(GatewayError):
    """A spend cap of the workspace, the key or the app is used up for its calendar window."""

    code = "budget_spent"
    status = 402


class UserKeyNeeded(GatewayError):
    """The workspace is on the tier byok, and the request brings no provider key of its own."""

    code = "user_key_needed"
    status = 402


class LedgerUnavailable(Unavailable):
    """The database did not take the hold in time. Nothing was sent to a provider."""

    code = "ledger_unavailable"

    def __init__(self, message: str) -> None:
        super().__init__(message, headers={"Retry-After": "2"})


class OutcomeUnknown(Unavailable):
    """The provider answered but the database did not take the settle in time; it will be settled,
    once.
    """

    code = "outcome_unknown"

    def __init__(self, message: str) -> None:
        super().__init__(message, headers={"Retry-After": "60"})


class IdempotencyConflict(Conflict):
    """The same Idempotency-Key is being served right now, or its answer is not known yet."""

    code = "idempotency_conflict"
    retryable = True

    def __init__(self, message: str) -> None:
        super().__init__(message, headers={"Retry-After": "2"})


class AnswerNotKept(Conflict):
    """The Idempotency-Key was answered, and the answer is not to be had again: use a new key."""

    code = "idempotent_answer_not_kept"


class IdempotencyMismatch(GatewayError):
    """The Idempotency-Key was used with another body or path."""

    code = "idempotency_mismatch"
    status = 422

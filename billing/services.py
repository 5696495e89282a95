"""Writes outside the proxy path: credits that are given, and the sweeps. Amounts are µcr."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from billing import ledger
from billing.errors import CreditMismatch, CreditRefused, WalletNotFound
from studio.accounts.models import Workspace
from studio.core.ids import new_id

MAX_GRANT_UCR = 10**17
"""$100 million: the largest lot the ledger takes."""

_LONGEST_REASON = 500

SWEEP_LIMIT = 500
"""Holds or lots per transaction: short enough that no request waits long for a wallet."""


def grant_credits(  # noqa: PLR0913  the facts of a grant
    *,
    workspace_id: int,
    amount_ucr: int,
    reason: str,
    kind: ledger.CreditKind = "promo",
    credit_id: UUID | None = None,
    priority: int | None = None,
    expires_at: datetime | None = None,
) -> ledger.CreditVerdict:
    """Give a workspace credit, for a reason that stays in the journal.

    `credit_id` makes it happen once, however often it is asked for (`studio.core.ids.event_id` of
    the economic key); without one every call is another grant. `promo` is given by a programme,
    `grant` by a person; `topup` was paid for, and repays what is owed first. Given credit burns
    before paid credit unless `priority` says otherwise.

    Returns: verdict `credited`, or `replay` if it was done before, and what the workspace has now.
    Raises: CreditRefused, WalletNotFound, CreditMismatch; nothing was written.
    """
    if not 0 < amount_ucr <= MAX_GRANT_UCR:
        raise CreditRefused("A grant is more than 0 and at most 100 000 000 000 credits")
    reason = clean_reason(reason)
    with transaction.atomic(durable=True):
        verdict = ledger.credit(
            workspace_id=workspace_id,
            id=credit_id or new_id(),
            kind=kind,
            amount_ucr=amount_ucr,
            ref=reason,
            priority=priority,
            expires_at=expires_at,
        )
    if verdict.verdict == "no_wallet":
        raise WalletNotFound(f"No workspace with id {workspace_id}")
    if verdict.verdict == "mismatch":
        raise CreditMismatch(f"{credit_id} was credited before, with another amount or kind")
    return verdict


def clean_reason(reason: str) -> str:
    """Read a reason that stays in the journal. Raises: CreditRefused unless it is one line."""
    reason = reason.strip()
    if not reason or not reason.isprintable() or len(reason) > _LONGEST_REASON:
        raise CreditRefused("A reason is one line of at most 500 characters")
    return reason


def lock_workspace(workspace_id: int) -> bool:
    """Let nobody else ask for money of this workspace until the transaction ends. Calls go on.

    Taken before the wallet's own lock, never after it. Returns: whether there is such a workspace.
    """
    found = Workspace.objects.select_for_update(no_key=True).filter(pk=workspace_id)
    return bool(found.values_list("pk"))


def lapse_overdue_holds(*, limit: int = SWEEP_LIMIT) -> int:
    """End calls whose hold nobody extended or settled in time; they cost nothing. Returns: how
    many, of `limit`.
    """
    with transaction.atomic(durable=True):
        return ledger.sweep_holds(limit)


def book_expired_lots(*, limit: int = SWEEP_LIMIT) -> int:
    """Write to the journal what has expired unused. Returns: how many lots, of `limit`."""
    with transaction.atomic(durable=True):
        return ledger.sweep_lots(limit)

"""Wallets that take no new calls: each reason stands for itself, and is lifted for itself.

A workspace that is not active (accounts) has a frozen wallet too. What is open still settles, and
credit still comes in.
"""

from uuid import UUID

import msgspec
from django.contrib.auth.models import User
from django.db import transaction

from billing import ledger
from billing.errors import AlreadyDecided, CreditRefused, FreezeNotFound, WalletNotFound
from billing.services import clean_reason
from studio.core.ids import event_id


class Freeze(msgspec.Struct, frozen=True, kw_only=True):
    """A reason to keep a wallet frozen; `repeated` if it stood already."""

    freeze_id: UUID
    repeated: bool


class Lifted(msgspec.Struct, frozen=True, kw_only=True):
    """What lifting came to: `still_frozen` for another reason; `repeated` if nothing changed."""

    still_frozen: bool
    repeated: bool


def freeze_wallet(*, workspace_id: int, reason: str, staff: User, key: str) -> Freeze:
    """Let a workspace's wallet take no new calls, once per `key`.

    Raises: CreditRefused, WalletNotFound, AlreadyDecided if that very freeze was lifted before;
    nothing was written.
    """
    ref = f"{clean_reason(reason)} ({staff.get_username()})"
    if not key:
        raise CreditRefused("A freeze needs a key, so that it happens once")
    freeze_id = event_id(f"freeze:{workspace_id}:{key}")
    with transaction.atomic(durable=True):
        verdict = ledger.freeze(workspace_id=workspace_id, id=freeze_id, ref=ref)
    if verdict == "no_wallet":
        raise WalletNotFound(f"No workspace with id {workspace_id}")
    if verdict == "lifted":
        raise AlreadyDecided("This freeze was lifted before: freeze again under another key")
    return Freeze(freeze_id=freeze_id, repeated=verdict == "replay")


def unfreeze_wallet(*, workspace_id: int, freeze_id: UUID, reason: str, staff: User) -> Lifted:
    """Lift one reason, whoever or whatever gave it.

    Raises: CreditRefused, FreezeNotFound; nothing was written.
    """
    ref = f"{clean_reason(reason)} ({staff.get_username()})"
    with transaction.atomic(durable=True):
        verdict = ledger.unfreeze(workspace_id=workspace_id, id=freeze_id, ref=ref)
    if verdict.verdict == "unknown":
        raise FreezeNotFound("No such freeze of this wallet")
    return Lifted(still_frozen=bool(verdict.frozen), repeated=verdict.verdict == "replay")

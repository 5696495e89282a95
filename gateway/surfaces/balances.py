"""The answer of every surface that tells what a workspace has."""

import msgspec

from billing.queries import Balance, read_balance
from gateway.admission import require_scope
from gateway.surfaces.asking import allow_methods, caller_of, credit_number, in_thread
from gateway.surfaces.middleware import ApiRequest


class BalanceBody(msgspec.Struct, kw_only=True):
    """Amounts are credits, exact JSON numbers."""

    available: msgspec.Raw
    held: msgspec.Raw
    expiring: msgspec.Raw
    tier: str
    currency: str = "credits"


async def balance_body(request: ApiRequest) -> BalanceBody:
    """Say what the caller's workspace has. Raises: MethodNotAllowed, Forbidden."""
    allow_methods(request, "GET")
    caller = caller_of(request)
    require_scope(caller, "credits:read")
    balance: Balance = await in_thread(read_balance, caller.workspace_id)
    return BalanceBody(
        available=credit_number(balance.available_ucr),
        held=credit_number(balance.held_ucr),
        expiring=credit_number(balance.expiring_ucr),
        tier=caller.tier,
    )

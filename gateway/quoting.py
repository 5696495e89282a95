"""What a chat may cost at most, and holding that much: route, price, ceilings, hold, and the clamp
of a thin wallet.
"""

import msgspec
import psycopg

from billing.pricing import ChatPrice
from gateway.calls import HoldVerdict
from gateway.catalogue.snapshot import Resolution
from gateway.errors import (
    IdempotencyConflict,
    InsufficientCredits,
    KeyBudgetSpent,
    LedgerUnavailable,
    UserKeyNeeded,
    WalletFrozen,
)
from gateway.idempotency import Claim
from gateway.operations.chat import (
    ChatRequest,
    input_token_ceiling,
    input_token_estimate,
    output_token_ceiling,
    unpriced_options,
)
from gateway.pool import borrowed
from gateway.routing import PricedRoute, priced_route
from gateway.runtime import Runtime
from gateway.statements import NewCall
from gateway.user_keys import UserKeys
from studio.accounts.callers import Caller
from studio.core.errors import Forbidden, InvalidRequest
from studio.core.money import credits_text

_USEFUL_TOKENS = 64
"""An answer clamped below this is refused instead: it would be of no use to its caller."""

_SPENT = "SELECT spent_ucr FROM accounts_appkey WHERE id = %s"


class ChatTask(msgspec.Struct, frozen=True, kw_only=True):
    """One chat on its way: who asks, through which surface, for what.

    `started_s` is a perf_counter reading.
    """

    id: str
    caller: Caller
    surface: str
    channel: str
    app_id: str
    user_ref: str
    request: ChatRequest
    body_bytes: int
    claim: Claim | None
    started_s: float
    user_keys: UserKeys | None = None


class HeldChat(msgspec.Struct, frozen=True, kw_only=True):
    """A chat whose credits are held: it may be sent, and must be settled.

    `max_tokens` is the most one choice may answer; `held_ucr` what is reserved; tokens are counts.
    """

    task: ChatTask
    priced: PricedRoute
    kind: str
    channel: str
    deprecation: str
    max_tokens: int
    output_ceiling: int
    input_estimate: int
    held_ucr: int

    @property
    def price(self) -> ChatPrice:
        """The price that was held by, and that will be charged by."""
        return self.priced.price


class _Ceilings(msgspec.Struct, frozen=True, kw_only=True):
    input_tokens: int
    choices: int
    max_tokens: int
    may_clamp: bool


async def hold_chat(runtime: Runtime, task: ChatTask) -> HeldChat:
    """Resolve, price and hold one chat.

    Raises: UnknownKind, NoProvider, NoPrice, Forbidden (model not on the key's list),
    KeyBudgetSpent, InsufficientCredits, WalletFrozen, IdempotencyConflict, LedgerUnavailable; in
    each case nothing is held.
    """
    world = runtime.world
    caller = task.caller
    resolution = world.catalogue.resolve(
        kind=task.request.kind, model=task.request.model, channel=task.channel, operation="chat"
    )
    _check_options(task.request)
    priced = priced_route(resolution, upstreams=runtime.upstreams, book=world.book)
    _check_model(caller, {resolution.asked, resolution.kind, priced.route.model})
    if caller.tier == "byok":
        raise UserKeyNeeded(
            "Workspaces on the tier byok bring their own provider key; this request has none."
        )
    if caller.spend_cap_ucr is not None:
        await _check_budget(runtime, caller)
    ceilings = _ceilings(task, priced)
    call = _new_call(task, resolution, priced, ceilings, price_version=world.book.version)
    call, ceilings = await _place(runtime, task, call, priced.price, ceilings)
    return HeldChat(
        task=task,
        priced=priced,
        kind=resolution.kind,
        channel=resolution.channel,
        deprecation=resolution.deprecation_header(),
        max_tokens=ceilings.max_tokens,
        output_ceiling=ceilings.max_tokens * ceilings.choices,
        input_estimate=call.input_estimate,
        held_ucr=call.hold_ucr,
    )


def _check_options(request: ChatRequest) -> None:
    unpriced = unpriced_options(request)
    if unpriced:
        raise InvalidRequest(
            f"{unpriced[0]}: this has no price here and cannot be used.",
            details={"param": unpriced[0]},
        )


def _check_model(caller: Caller, names: set[str]) -> None:
    if caller.models is not None and names.isdisjoint(caller.models):
        raise Forbidden(f'This key may not use "{min(names)}".')


async def _check_budget(runtime: Runtime, caller: Caller) -> None:
    """Refuse a key whose cap is used up; soft by what is in flight, since the wallet is hard."""
    async with borrowed(runtime.pool) as connection:
        cursor = await connection.execute(_SPENT, (caller.app_key_id,))
        row = await cursor.fetchone()
    assert caller.spend_cap_ucr is not None
    if row is not None and row[0] >= caller.spend_cap_ucr:
        raise KeyBudgetSpent("This key's spend cap is used up.")


def _ceilings(task: ChatTask, priced: PricedRoute) -> _Ceilings:
    request = task.request
    return _Ceilings(
        input_tokens=input_token_ceiling(
            request,
            task.body_bytes,
            image_tokens=priced.route.image_tokens,
            context_tokens=priced.route.context_tokens,
        ),
        choices=request.n or 1,
        max_tokens=output_token_ceiling(
            request,
            default_max_tokens=task.caller.default_max_tokens,
            model_max_tokens=priced.route.max_output_tokens,
        ),
        may_clamp=request.max_completion_tokens is None and request.max_tokens is None,
    )


def _new_call(
    task: ChatTask,
    resolution: Resolution,
    priced: PricedRoute,
    ceilings: _Ceilings,
    *,
    price_version: int,
) -> NewCall:
    caller = task.caller
    return NewCall(
        id=task.id,
        workspace_id=caller.workspace_id,
        hold_ucr=_ceiling_ucr(priced.price, ceilings, caller),
        price_version=price_version,
        markup_bp=caller.markup_bp,
        app_key_id=caller.app_key_id,
        input_estimate=min(ceilings.input_tokens, input_token_estimate(task.request)),
        app_id=task.app_id,
        user_ref=task.user_ref,
        surface=task.surface,
        operation="chat",
        kind=resolution.kind,
        channel=resolution.channel,
        provider=priced.route.provider,
        model=priced.route.model,
        idempotency_digest=task.claim.key_digest if task.claim else None,
        request_digest=task.claim.request_digest if task.claim else None,
    )


def _ceiling_ucr(price: ChatPrice, ceilings: _Ceilings, caller: Caller) -> int:
    return price.ceiling_ucr(
        ceilings.input_tokens, ceilings.max_tokens * ceilings.choices, caller.markup_bp
    )


async def _place(
    runtime: Runtime, task: ChatTask, call: NewCall, price: ChatPrice, ceilings: _Ceilings
) -> tuple[NewCall, _Ceilings]:
    """Place the hold; without a maximum of the caller's, once more with what the wallet affords."""
    verdict = await _hold(runtime, call)
    if verdict.verdict == "insufficient" and ceilings.may_clamp:
        affordable = price.affordable_output_tokens(
            verdict.available_ucr, ceilings.input_tokens, task.caller.markup_bp
        )
        clamped = min(ceilings.max_tokens, affordable // ceilings.choices)
        if clamped >= _USEFUL_TOKENS:
            ceilings = msgspec.structs.replace(ceilings, max_tokens=clamped)
            amount_ucr = _ceiling_ucr(price, ceilings, task.caller)
            call = msgspec.structs.replace(call, hold_ucr=amount_ucr)
            verdict = await _hold(runtime, call)
    if verdict.verdict == "held":
        return call, ceilings
    if verdict.verdict == "insufficient":
        raise InsufficientCredits(
            f"Insufficient credits. Balance: {credits_text(verdict.available_ucr)}, "
            f"Estimated cost: {credits_text(call.hold_ucr)} credits"
        )
    if verdict.verdict == "frozen":
        raise WalletFrozen("This workspace's wallet is frozen. Please contact support.")
    raise LedgerUnavailable(f"The ledger refused the hold ({verdict.verdict}).")


async def _hold(runtime: Runtime, call: NewCall) -> HoldVerdict:
    try:
        return await runtime.desk.hold(call)
    except psycopg.errors.UniqueViolation as error:
        raise IdempotencyConflict(
            "A request with this Idempotency-Key is still being served."
        ) from error

"""What an operation of one question and one answer may cost at most, and holding that much.

Generic over the operation: `Work` says what is asked and what it may use; works.py has them.
"""

import math
from typing import Generic, Protocol, TypeVar

import msgspec

from billing.pricing import CallPrice, PriceBookSnapshot
from gateway.breaker import Circuit
from gateway.budgets import check_budgets
from gateway.catalogue.snapshot import Resolution, Route
from gateway.errors import (
    InsufficientCredits,
    LedgerUnavailable,
    NoPrice,
    NoProvider,
    RoutesResting,
    UserKeyNeeded,
    WalletFrozen,
)
from gateway.idempotency import Claim
from gateway.operations.chat import ChatUsage
from gateway.providers.base import Provider, Target, UpstreamAnswer, UpstreamRequest
from gateway.quoting import check_model, place_hold
from gateway.routing import RESTING
from gateway.runtime import Runtime
from gateway.statements import NewCall
from gateway.transport import Upstream
from gateway.user_keys import NO_KEYS, UserKeys
from studio.accounts.callers import Caller
from studio.core.errors import InvalidRequest
from studio.core.money import credits_text

_Answer = TypeVar("_Answer")


class Done(msgspec.Struct, Generic[_Answer], frozen=True, kw_only=True):
    """What a provider answered, and what that used."""

    answer: _Answer
    usage: ChatUsage


class Work(Protocol[_Answer]):
    """One question, as its operation knows it.

    `ceiling` is the most it can use, `estimate` what it likely uses. `media_ms` is how long the
    sound in question is, None where there is none; `media_type` is of what `kept` keeps.
    """

    operation: str
    patience_s: float
    kind: str | None
    model: str | None
    ceiling: ChatUsage
    estimate: ChatUsage
    media_ms: int | None
    media_type: str

    def price(self, book: PriceBookSnapshot, route: Route) -> CallPrice | None:
        """Give what a route costs; None if it has no price."""

    def serves(self, provider: Provider) -> bool:
        """Tell whether a provider does this at all."""

    def unsupported(self, provider: Provider, target: Target) -> str | None:
        """Name the field of the request that the provider cannot serve; None if it can."""

    def build(self, provider: Provider, target: Target) -> UpstreamRequest:
        """Write the provider's request."""

    def parse(self, provider: Provider, target: Target, answer: UpstreamAnswer) -> Done[_Answer]:
        """Read the provider's answer. Raises: UpstreamFailure."""

    def kept(self, answer: _Answer) -> bytes | None:
        """Give what an Idempotency-Key keeps of the answer; None for nothing."""


class SingleTask(msgspec.Struct, frozen=True, kw_only=True):
    """One call on its way: who asks, through which surface, for whom.

    `started_s` is a perf_counter reading.
    """

    id: str
    caller: Caller
    surface: str
    channel: str
    app_id: str
    user_ref: str
    claim: Claim | None
    started_s: float
    user_keys: UserKeys | None = None


class SingleQuote(msgspec.Struct, frozen=True, kw_only=True):
    """What a call would be made by, and what would be held for it, in µcr.

    By a user's own key (`billing` is `byok`) that is nothing, and there need be no price.
    """

    resolution: Resolution
    route: Route
    upstream: Upstream
    circuit: Circuit
    price: CallPrice | None
    price_version: int
    hold_ucr: int
    markup_bp: int
    billing: str


def quote_single(runtime: Runtime, task: SingleTask, work: Work[_Answer]) -> SingleQuote:
    """Resolve one call, choose its route and price it; nothing is asked, held or sent.

    Raises: UnknownKind, UnknownChannel, WrongOperation, NoProvider, NoPrice, Forbidden (model not
    on the key's list), UserKeyNeeded, InvalidRequest (the provider lacks a field), RoutesResting.
    """
    world, caller = runtime.world, task.caller
    resolution = world.catalogue.resolve(
        kind=work.kind, model=work.model, channel=task.channel, operation=work.operation
    )
    route, upstream, price = _choose(runtime, task, work, resolution)
    check_model(caller, {resolution.asked, resolution.kind, route.model})
    own = upstream.user_key
    if caller.tier == "byok" and not own:
        raise UserKeyNeeded(
            "Workspaces on the tier byok bring their own provider key; this request has none."
        )
    lacking = work.unsupported(upstream.provider, target_of(route))
    if lacking is not None:
        raise InvalidRequest(
            f"{lacking}: {route.model} does not support this.", details={"param": lacking}
        )
    circuit = runtime.breaker.circuit(upstream)
    wait_s = circuit.wait_s(route.model)
    if wait_s:
        raise RoutesResting(RESTING, retry_after_s=max(1, math.ceil(wait_s)))
    paid_price = None if own else price
    return SingleQuote(
        resolution=resolution,
        route=route,
        upstream=upstream,
        circuit=circuit,
        price=price,
        price_version=world.book.version,
        hold_ucr=max(1, paid_price.charge_ucr(work.ceiling, caller.markup_bp)) if paid_price else 0,
        markup_bp=caller.markup_bp if paid_price else 0,
        billing="byok" if own else "credits",
    )


async def hold_single(runtime: Runtime, task: SingleTask, work: Work[_Answer]) -> SingleQuote:
    """Quote one call and hold that much: afterwards it may be sent, and must be settled.

    Raises: what `quote_single` raises, KeyBudgetSpent, BudgetSpent, InsufficientCredits,
    WalletFrozen, IdempotencyConflict, LedgerUnavailable; in each case nothing is held.
    """
    quote = quote_single(runtime, task, work)
    if quote.billing == "credits":
        await check_budgets(runtime, task.caller, task.app_id)
    await _place(runtime, _new_call(task, work, quote))
    return quote


def target_of(route: Route) -> Target:
    """Say what a provider is asked for."""
    return Target(model=route.model, drop_parameters=route.drop_parameters)


def _choose(
    runtime: Runtime, task: SingleTask, work: Work[_Answer], resolution: Resolution
) -> tuple[Route, Upstream, CallPrice | None]:
    """Pick the first route that can be called: by a user's own key if there is one, else by ours,
    which needs a price.

    Raises: NoProvider, NoPrice: why the preferred route cannot be called.
    """
    keys = task.user_keys or NO_KEYS
    own = [route for route in resolution.routes if keys.get(route.provider)]
    refusal: NoProvider | NoPrice | None = None
    for route in own or resolution.routes:
        key = keys.get(route.provider)
        upstreams = runtime.upstreams
        try:
            upstream = (
                upstreams.of_user(route.provider, key) if key else upstreams.get(route.provider)
            )
        except NoProvider as error:
            refusal = refusal or error
            continue
        price = work.price(runtime.world.book, route)
        if not work.serves(upstream.provider):
            refusal = refusal or NoProvider(
                f"No provider is configured for this model ({route.provider})."
            )
        elif price is None and not key:
            refusal = refusal or NoPrice(
                f'Model "{route.model}" has no price and cannot be called.'
            )
        else:
            return route, upstream, price
    assert refusal is not None, "a resolution has at least one route"
    raise refusal


def _new_call(task: SingleTask, work: Work[_Answer], quote: SingleQuote) -> NewCall:
    caller = task.caller
    return NewCall(
        id=task.id,
        workspace_id=caller.workspace_id,
        hold_ucr=quote.hold_ucr,
        price_version=quote.price_version,
        markup_bp=quote.markup_bp,
        app_key_id=caller.app_key_id,
        input_estimate=work.estimate.input_tokens,
        app_id=task.app_id,
        user_ref=task.user_ref,
        surface=task.surface,
        operation=work.operation,
        kind=quote.resolution.kind,
        channel=quote.resolution.channel,
        provider=quote.route.provider,
        model=quote.route.model,
        idempotency_digest=task.claim.key_digest if task.claim else None,
        request_digest=task.claim.request_digest if task.claim else None,
        billing=quote.billing,
    )


async def _place(runtime: Runtime, call: NewCall) -> None:
    """Place the hold, or say why it cannot be."""
    verdict = await place_hold(runtime, call)
    check_held(verdict.verdict, available_ucr=verdict.available_ucr, hold_ucr=call.hold_ucr)


def check_held(verdict: str, *, available_ucr: int, hold_ucr: int) -> None:
    """Say why a hold was not placed, if it was not.

    Raises: InsufficientCredits, WalletFrozen, LedgerUnavailable.
    """
    if verdict == "held":
        return
    if verdict == "insufficient":
        raise InsufficientCredits(
            f"Insufficient credits. Balance: {credits_text(available_ucr)}, "
            f"Estimated cost: {credits_text(hold_ucr)} credits"
        )
    if verdict == "frozen":
        raise WalletFrozen("This workspace's wallet is frozen. Please contact support.")
    raise LedgerUnavailable(f"The ledger refused the hold ({verdict}).")

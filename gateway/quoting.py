"""What a chat may cost at most, and holding that much: routes, prices, ceilings, one hold for the
dearest route, and the clamp of a thin wallet.
"""

from collections.abc import Awaitable, Callable

import msgspec
import psycopg

from gateway.budgets import check_budgets
from gateway.calls import HoldVerdict
from gateway.catalogue.snapshot import Resolution
from gateway.errors import (
    IdempotencyConflict,
    InsufficientCredits,
    LedgerUnavailable,
    UserKeyNeeded,
    WalletFrozen,
)
from gateway.idempotency import Claim
from gateway.operations.chat import (
    ChatRequest,
    ChatSize,
    ChatUsage,
    input_token_ceiling,
    input_token_estimate,
    measure_chat,
    output_token_ceiling,
    unpriced_options,
)
from gateway.routing import PricedRoute, fitting_routes, reached_routes, waking_routes
from gateway.runtime import Runtime
from gateway.statements import NewCall
from gateway.user_keys import UserKeys
from studio.accounts.callers import Caller
from studio.core.errors import Forbidden, InvalidRequest
from studio.core.money import credits_text

MOST_ROUTES = 4
"""More are not tried for one call."""
_USEFUL_TOKENS = 64
"""An answer clamped below this is refused instead: it would be of no use to its caller."""


class ChatTask(msgspec.Struct, frozen=True, kw_only=True):
    """One chat on its way: who asks, through which surface, for what.

    `started_s` is a perf_counter reading. `client_left` returns when nobody waits for the answer
    any more; None where that cannot be known.
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
    client_left: Callable[[], Awaitable[None]] | None = None


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A route this chat may be sent to.

    `max_tokens` is the most that one choice may answer there, None where that is left to the
    provider (a user's own key); `input_tokens` and `output_tokens` are ceilings of the whole
    answer, `ceiling_ucr` what they cost.
    """

    priced: PricedRoute
    max_tokens: int | None
    input_tokens: int
    output_tokens: int
    ceiling_ucr: int


class ChatQuote(msgspec.Struct, frozen=True, kw_only=True):
    """What a chat may cost: its candidates in the order they are tried, and the estimates.

    `billing` is `credits`, or `byok` by a user's own key; then nothing is held or charged.
    """

    task: ChatTask
    resolution: Resolution
    candidates: tuple[Candidate, ...]
    input_estimate: int
    price_version: int
    billing: str

    @property
    def ceiling_ucr(self) -> int:
        """What is held: the ceiling of the dearest candidate, so that each of them is covered."""
        return max([candidate.ceiling_ucr for candidate in self.candidates])


class HeldChat(msgspec.Struct, frozen=True, kw_only=True):
    """A chat whose credits are held: it may be sent, and must be settled.

    Which candidate answers is known only afterwards (`attempts.Attempts`). `held_ucr` is what is
    reserved, for the dearest of them; `paid` is whether it costs credits.
    """

    task: ChatTask
    resolution: Resolution
    candidates: tuple[Candidate, ...]
    input_estimate: int
    held_ucr: int
    billing: str
    paid: bool

    @property
    def deprecation(self) -> str:
        """The value of a Deprecation header, empty if nothing is deprecated."""
        return self.resolution.deprecation_header()

    @property
    def sandbox(self) -> bool:
        """Whether the sandbox answers; it never does beside a real provider."""
        return self.candidates[0].priced.upstream.sandbox


async def hold_chat(runtime: Runtime, task: ChatTask) -> HeldChat:
    """Quote and hold one chat; by a user's own key only its call row is written.

    Raises: what `quote_chat` raises, KeyBudgetSpent, BudgetSpent, TooManyWaiting,
    InsufficientCredits, WalletFrozen, IdempotencyConflict, LedgerUnavailable; in each case nothing
    is held.
    """
    quote = quote_chat(runtime, task)
    if quote.billing == "credits":
        await check_budgets(runtime, task.caller, task.app_id)
    await _keep_pace(runtime, quote)
    quote, held_ucr = await _place(runtime, quote)
    return HeldChat(
        task=task,
        resolution=quote.resolution,
        candidates=quote.candidates,
        input_estimate=quote.input_estimate,
        held_ucr=held_ucr,
        billing=quote.billing,
        paid=quote.billing == "credits",
    )


async def _keep_pace(runtime: Runtime, quote: ChatQuote) -> None:
    """Wait until the first candidate's provider may be asked, before anything is held."""
    task, first = quote.task, quote.candidates[0]
    tokens = quote.input_estimate + (first.max_tokens or 0) * (task.request.n or 1)
    await runtime.pacer.keep(
        task.surface, first.priced.upstream, tokens=tokens, client_left=task.client_left
    )


def quote_chat(runtime: Runtime, task: ChatTask) -> ChatQuote:
    """Resolve one chat, choose its routes and price them; nothing is asked, held or sent.

    Raises: UnknownKind, NoProvider, NoPrice, Forbidden (model not on the key's list),
    InvalidRequest (an option nobody serves), RoutesResting, UserKeyNeeded.
    """
    world, request = runtime.world, task.request
    resolution = world.catalogue.resolve(
        kind=request.kind, model=request.model, channel=task.channel, operation="chat"
    )
    size = measure_chat(request)
    if not size.plain:
        check_options(request)
    routes = allowed_routes(task.caller, resolution, _reached(runtime, task, resolution))
    by_user = routes[0].upstream.user_key
    if task.caller.tier == "byok" and not by_user:
        raise UserKeyNeeded(
            "Workspaces on the tier byok bring their own provider key; this request has none."
        )
    routes = waking_routes(fitting_routes(routes, request, plain=size.plain))
    estimate = input_token_estimate(request, size=size)
    if resolution.order != "listed" and len(routes) > 1:
        usage = _likely_usage(task, routes, estimate)
        routes = runtime.route_order.arrange(
            routes, resolution.order, usage=usage, streamed=bool(request.stream)
        )
    candidates = _candidates(task, routes[:MOST_ROUTES], size)
    return ChatQuote(
        task=task,
        resolution=resolution,
        candidates=candidates,
        input_estimate=min(estimate, candidates[0].input_tokens),
        price_version=world.book.version,
        billing="byok" if by_user else "credits",
    )


def _reached(runtime: Runtime, task: ChatTask, resolution: Resolution) -> list[PricedRoute]:
    """Give the routes that can be called, remembered where no key of the user's has a say."""
    if not task.user_keys:
        return runtime.known_routes.of(resolution, runtime.world.book)
    return reached_routes(
        resolution,
        upstreams=runtime.upstreams,
        breaker=runtime.breaker,
        book=runtime.world.book,
        user_keys=task.user_keys,
    )


def check_options(request: ChatRequest) -> None:
    """Refuse options that providers bill by rates we do not have. Raises: InvalidRequest."""
    unpriced = unpriced_options(request)
    if unpriced:
        raise InvalidRequest(
            f"{unpriced[0]}: this has no price here and cannot be used.",
            details={"param": unpriced[0]},
        )


def allowed_routes(
    caller: Caller, resolution: Resolution, routes: list[PricedRoute]
) -> list[PricedRoute]:
    """Leave out models that are not on the key's list, unless the name asked for is on it.

    Raises: Forbidden, if none is left.
    """
    if caller.models is None:
        return routes
    names = {resolution.asked, resolution.kind}
    check_model(caller, names | {route.route.model for route in routes})
    if not names.isdisjoint(caller.models):
        return routes
    return [route for route in routes if route.route.model in caller.models]


def check_model(caller: Caller, names: set[str]) -> None:
    if caller.models is not None and names.isdisjoint(caller.models):
        raise Forbidden(f'This key may not use "{min(names)}".')


def _likely_usage(task: ChatTask, routes: list[PricedRoute], estimate: int) -> ChatUsage:
    """Give what routes are compared by: the same answer from each, as long as all of them can."""
    shortest = min(route.route.max_output_tokens for route in routes)
    tokens = output_token_ceiling(
        task.request,
        default_max_tokens=task.caller.default_max_tokens,
        model_max_tokens=shortest,
    )
    return ChatUsage(input_tokens=estimate, output_tokens=tokens * (task.request.n or 1))


def _candidates(task: ChatTask, routes: list[PricedRoute], size: ChatSize) -> tuple[Candidate, ...]:
    """Work out the ceilings; without images and files the input's is the same for all models."""
    if routes[0].upstream.user_key:
        return tuple([_by_user_key(task, priced, size) for priced in routes])
    input_tokens = _input_tokens(task, routes[0], size)
    wanted = output_token_ceiling(
        task.request, default_max_tokens=task.caller.default_max_tokens, model_max_tokens=None
    )
    found = []
    for priced in routes:
        if size.images or size.files:
            input_tokens = _input_tokens(task, priced, size)
        max_tokens = min(wanted, priced.route.max_output_tokens)
        found.append(_priced(task, priced, input_tokens=input_tokens, max_tokens=max_tokens))
    return tuple(found)


def _input_tokens(task: ChatTask, priced: PricedRoute, size: ChatSize) -> int:
    return input_token_ceiling(
        task.request,
        task.body_bytes,
        image_tokens=priced.route.image_tokens,
        context_tokens=priced.route.context_tokens,
        size=size,
    )


def _by_user_key(task: ChatTask, priced: PricedRoute, size: ChatSize) -> Candidate:
    request, route = task.request, priced.route
    return Candidate(
        priced=priced,
        max_tokens=_asked_tokens(request, route.max_output_tokens),
        input_tokens=_input_tokens(task, priced, size),
        output_tokens=route.max_output_tokens * (request.n or 1),
        ceiling_ucr=0,
    )


def _priced(
    task: ChatTask, priced: PricedRoute, *, input_tokens: int, max_tokens: int
) -> Candidate:
    output_tokens = max_tokens * (task.request.n or 1)
    assert priced.price is not None, "only calls by a user's own key have no price"
    return Candidate(
        priced=priced,
        max_tokens=max_tokens,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        ceiling_ucr=priced.price.ceiling_ucr(input_tokens, output_tokens, task.caller.markup_bp),
    )


def _asked_tokens(request: ChatRequest, model_max_tokens: int) -> int | None:
    """Give the limit the caller named, as far as the model goes; None if it named none."""
    asked = request.max_completion_tokens or request.max_tokens
    return None if asked is None else min(asked, model_max_tokens)


def _new_call(quote: ChatQuote) -> NewCall:
    task, resolution = quote.task, quote.resolution
    caller, first = task.caller, quote.candidates[0].priced.route
    return NewCall(
        id=task.id,
        workspace_id=caller.workspace_id,
        hold_ucr=quote.ceiling_ucr,
        price_version=quote.price_version,
        markup_bp=caller.markup_bp if quote.billing == "credits" else 0,
        app_key_id=caller.app_key_id,
        input_estimate=quote.input_estimate,
        app_id=task.app_id,
        user_ref=task.user_ref,
        surface=task.surface,
        operation="chat",
        kind=resolution.kind,
        channel=resolution.channel,
        provider=first.provider,
        model=first.model,
        idempotency_digest=task.claim.key_digest if task.claim else None,
        request_digest=task.claim.request_digest if task.claim else None,
        billing=quote.billing,
    )


async def _place(runtime: Runtime, quote: ChatQuote) -> tuple[ChatQuote, int]:
    """Place the hold; if the wallet is too thin for all candidates, once more for what it affords.

    Returns: the quote that was held, and how much that is.
    """
    call = _new_call(quote)
    verdict = await place_hold(runtime, call)
    if verdict.verdict == "insufficient":
        affordable = affordable_candidates(quote, verdict.available_ucr)
        if affordable:
            quote = msgspec.structs.replace(quote, candidates=affordable)
            call = _new_call(quote)
            verdict = await place_hold(runtime, call)
    if verdict.verdict == "held":
        return quote, call.hold_ucr
    if verdict.verdict == "insufficient":
        first_ucr = quote.candidates[0].ceiling_ucr
        raise InsufficientCredits(
            f"Insufficient credits. Balance: {credits_text(verdict.available_ucr)}, "
            f"Estimated cost: {credits_text(first_ucr)} credits"
        )
    if verdict.verdict == "frozen":
        raise WalletFrozen("This workspace's wallet is frozen. Please contact support.")
    raise LedgerUnavailable(f"The ledger refused the hold ({verdict.verdict}).")


def affordable_candidates(quote: ChatQuote, available_ucr: int) -> tuple[Candidate, ...]:
    """Leave out candidates beyond a wallet, or shorten their answers where none was named.

    Where the catalogue says which route is preferred, a thin wallet does not choose another.
    """
    fit = [_within(quote.task, candidate, available_ucr) for candidate in quote.candidates]
    if quote.resolution.order == "listed" and fit[0] is None:
        return ()
    return tuple(candidate for candidate in fit if candidate is not None)


def _within(task: ChatTask, candidate: Candidate, available_ucr: int) -> Candidate | None:
    request, price = task.request, candidate.priced.price
    if candidate.ceiling_ucr <= available_ucr:
        return candidate
    if price is None or candidate.max_tokens is None:
        return None
    if request.max_completion_tokens is not None or request.max_tokens is not None:
        return None
    affordable = price.affordable_output_tokens(
        available_ucr, candidate.input_tokens, task.caller.markup_bp
    )
    clamped = min(candidate.max_tokens, affordable // (request.n or 1))
    if clamped < _USEFUL_TOKENS:
        return None
    return _priced(task, candidate.priced, input_tokens=candidate.input_tokens, max_tokens=clamped)


async def place_hold(runtime: Runtime, call: NewCall) -> HoldVerdict:
    try:
        return await runtime.desk.hold(call)
    except psycopg.errors.UniqueViolation as error:
        raise IdempotencyConflict(
            "A request with this Idempotency-Key is still being served."
        ) from error

"""What speech may cost at most, by which model it is made, and holding that much.

One route is called: the next one would speak with another voice.
"""

import math
from collections.abc import Awaitable, Callable

import msgspec
from django.conf import settings

from billing.pricing_speech import SpeechPrice
from gateway.breaker import Circuit
from gateway.budgets import check_budgets
from gateway.catalogue.snapshot import Resolution, Route
from gateway.errors import NoPrice, NoProvider, RoutesResting, UserKeyNeeded
from gateway.idempotency import Claim
from gateway.operations.chat_tokens import counted_tokens, utf8_bytes
from gateway.operations.speech import LEAST_SPEED, SpeechRequest, SpeechUse
from gateway.providers.base import Target
from gateway.providers.speech import SpeechProvider, speaks
from gateway.quoting import check_model, place_hold
from gateway.routing import RESTING
from gateway.runtime import Runtime
from gateway.single_quotes import check_held
from gateway.statements import NewCall
from gateway.transport import Upstream
from gateway.user_keys import NO_KEYS, UserKeys
from studio.accounts.callers import Caller
from studio.core.errors import InvalidRequest

OPERATION = "speech"
TOKENS_PER_S = 20
"""Of sound. Source: OpenAI, guide realtime-costs (2026): a token of speech is 50 ms."""
_LIKELY_CHARACTERS_PER_S = 15
_SLOWEST_CHARACTERS_PER_S = 2
"""Digits and Chinese take longest to say; a pause at a text's ends comes on top."""
_PAUSE_S = 5
_MARK_TOKENS = 32


class SpeechTask(msgspec.Struct, frozen=True, kw_only=True):
    """One text to be spoken: who asks, through which surface, by which name of a model.

    `started_s` is a perf_counter reading. `reads_cache` and `fills_cache` are whether the same
    sound may be given, and kept, for other requests of the workspace. `client_left` returns when
    nobody waits any more; None where that cannot be known. `names` are what the surface calls
    fields that it calls otherwise than a SpeechRequest.
    """

    id: str
    caller: Caller
    surface: str
    channel: str
    app_id: str
    user_ref: str
    request: SpeechRequest
    started_s: float
    kind: str | None = None
    model: str | None = None
    claim: Claim | None = None
    user_keys: UserKeys | None = None
    reads_cache: bool = True
    fills_cache: bool = True
    client_left: Callable[[], Awaitable[None]] | None = None
    names: dict[str, str] = {}


class SpeechQuote(msgspec.Struct, frozen=True, kw_only=True):
    """By what a text would be spoken, and what would be held for it, in µcr.

    `request` has the provider's own voice in it. By a user's own key (`billing` is `byok`) nothing
    is held, and there need be no price. `most` and `likely` are what it can and may use.
    """

    task: SpeechTask
    request: SpeechRequest
    resolution: Resolution
    route: Route
    provider: SpeechProvider
    upstream: Upstream
    circuit: Circuit
    price: SpeechPrice | None
    price_version: int
    most: SpeechUse
    likely: SpeechUse
    hold_ucr: int
    markup_bp: int
    billing: str

    @property
    def target(self) -> Target:
        """Where it goes."""
        return target_of(self.route)

    @property
    def by_tokens(self) -> bool:
        """Whether tokens are billed rather than characters."""
        return self.price is not None and self.price.by_tokens

    @property
    def shares(self) -> bool:
        """Whether sounds like this one are kept for other calls of the workspace."""
        return self.billing == "credits" and settings.SPEECH_CACHE_MB > 0

    @property
    def deprecation(self) -> str:
        """The value of a Deprecation header, empty if nothing is deprecated."""
        return self.resolution.deprecation_header()


def target_of(route: Route) -> Target:
    """Say where a route leads to."""
    return Target(model=route.upstream_model or route.model, drop_parameters=route.drop_parameters)


def quote_speech(runtime: Runtime, task: SpeechTask) -> SpeechQuote:
    """Resolve one text's model, check what it can and price it; nothing is asked, held or sent.

    Raises: UnknownKind, UnknownChannel, WrongOperation, NoProvider, NoPrice, Forbidden (model not
    on the key's list), UserKeyNeeded, InvalidRequest (the provider lacks a field), RoutesResting.
    """
    world, caller = runtime.world, task.caller
    resolution = world.catalogue.resolve(
        kind=task.kind, model=task.model, channel=task.channel, operation=OPERATION
    )
    route, upstream = _choose(runtime, task, resolution)
    check_model(caller, {resolution.asked, resolution.kind, route.model})
    if caller.tier == "byok" and not upstream.user_key:
        raise UserKeyNeeded(
            "Workspaces on the tier byok bring their own provider key; this request has none."
        )
    provider = upstream.provider
    assert speaks(provider), "the route was chosen for it"
    request = _spoken_by(provider, route, task, resolution)
    circuit = runtime.breaker.circuit(upstream)
    wait_s = circuit.wait_s(route.model)
    if wait_s:
        raise RoutesResting(RESTING, retry_after_s=max(1, math.ceil(wait_s)))
    price = world.book.speech(route.provider, route.model)
    paid = None if upstream.user_key else price
    by_tokens = price is not None and price.by_tokens
    most = most_used(request, by_tokens=by_tokens)
    return SpeechQuote(
        task=task,
        request=request,
        resolution=resolution,
        route=route,
        provider=provider,
        upstream=upstream,
        circuit=circuit,
        price=price,
        price_version=world.book.version,
        most=most,
        likely=likely_used(request, by_tokens=by_tokens),
        hold_ucr=max(1, paid.charge_ucr(most, caller.markup_bp)) if paid else 0,
        markup_bp=caller.markup_bp if paid else 0,
        billing="byok" if upstream.user_key else "credits",
    )


async def hold_speech(runtime: Runtime, quote: SpeechQuote) -> None:
    """Hold what a text may cost: afterwards it may be sent, and must be settled.

    Raises: KeyBudgetSpent, BudgetSpent, TooManyWaiting, CallerLeft, InsufficientCredits,
    WalletFrozen, IdempotencyConflict, LedgerUnavailable; in each case nothing is held.
    """
    task = quote.task
    if quote.billing == "credits":
        await check_budgets(runtime, task.caller, task.app_id)
    await runtime.pacer.keep(
        task.surface,
        quote.upstream,
        tokens=text_tokens(quote.request),
        client_left=task.client_left,
    )
    verdict = await place_hold(runtime, _new_call(quote))
    check_held(verdict.verdict, available_ucr=verdict.available_ucr, hold_ucr=quote.hold_ucr)


def most_used(request: SpeechRequest, *, by_tokens: bool) -> SpeechUse:
    """Give the most that a text can use: every byte a token, and spoken as slowly as digits are.

    Where the sound should be longer still, what it cost beyond this is taken from the wallet.
    """
    if not by_tokens:
        return SpeechUse(character_count=len(request.text))
    slowest = min(request.speed, 1.0) * _SLOWEST_CHARACTERS_PER_S
    longest_s = len(request.text) / slowest + _PAUSE_S / LEAST_SPEED
    text_bytes = utf8_bytes(request.text) + utf8_bytes(request.instructions)
    return SpeechUse(
        character_count=len(request.text),
        input_tokens=text_bytes + _MARK_TOKENS,
        output_tokens=math.ceil(longest_s * TOKENS_PER_S),
    )


def likely_used(request: SpeechRequest, *, by_tokens: bool) -> SpeechUse:
    """Give what a text likely uses."""
    if not by_tokens:
        return SpeechUse(character_count=len(request.text))
    likely_s = len(request.text) / (_LIKELY_CHARACTERS_PER_S * request.speed)
    return SpeechUse(
        character_count=len(request.text),
        input_tokens=text_tokens(request),
        output_tokens=math.ceil(likely_s * TOKENS_PER_S),
    )


def text_tokens(request: SpeechRequest) -> int:
    """Count a request's text where the provider did not."""
    return counted_tokens(utf8_bytes(request.text) + utf8_bytes(request.instructions))


def _spoken_by(
    provider: SpeechProvider, route: Route, task: SpeechTask, resolution: Resolution
) -> SpeechRequest:
    """Give the request with the provider's own voice in it.

    A model that took another's place does not know its voices, and speaks with its own.
    Raises: InvalidRequest naming the field that the provider lacks.
    """
    request, target = task.request, target_of(route)
    lacking = provider.unsupported_speech(request, target)
    retired = resolution.deprecation
    if lacking == "voice" and retired is not None and retired.model != route.model:
        request = msgspec.structs.replace(request, voice="")
        lacking = provider.unsupported_speech(request, target)
    if lacking is not None:
        field = task.names.get(lacking, lacking)
        raise InvalidRequest(
            f"{field}: {route.model} does not support this.", details={"param": field}
        )
    return msgspec.structs.replace(request, voice=provider.voice_of(request, target))


def _choose(runtime: Runtime, task: SpeechTask, resolution: Resolution) -> tuple[Route, Upstream]:
    """Pick the first route that can be called: by a user's own key if there is one, else by ours,
    which needs a price.

    Raises: NoProvider, NoPrice: why the preferred route cannot be called.
    """
    keys = task.user_keys or NO_KEYS
    own = [route for route in resolution.routes if keys.get(route.provider)]
    refusal: NoProvider | NoPrice | None = None
    for route in own or resolution.routes:
        try:
            return route, _reached(runtime, route, keys.get(route.provider))
        except (NoProvider, NoPrice) as error:
            refusal = refusal or error
    assert refusal is not None, "a resolution has at least one route"
    raise refusal


def _reached(runtime: Runtime, route: Route, key: str | None) -> Upstream:
    """Give a route's upstream, at its deployment's address if it has one.

    Raises: NoProvider, NoPrice.
    """
    upstreams = runtime.upstreams
    upstream = upstreams.of_user(route.provider, key) if key else upstreams.get(route.provider)
    provider = upstream.provider
    if not speaks(provider):
        raise NoProvider(f"No provider is configured for this model ({route.provider}).")
    if not key and runtime.world.book.speech(route.provider, route.model) is None:
        raise NoPrice(f'Model "{route.model}" has no price and cannot be called.')
    if upstream.sandbox:
        return upstream
    address = settings.DEPLOYMENT_BASE_URLS.get(f"{route.provider}:{route.model}")
    if address:
        return msgspec.structs.replace(upstream, base_url=address)
    if provider.needs_deployment and upstream.base_url == provider.default_base_url:
        raise NoProvider(f"No deployment is configured for this model ({route.model}).")
    return upstream


def _new_call(quote: SpeechQuote) -> NewCall:
    task, caller = quote.task, quote.task.caller
    return NewCall(
        id=task.id,
        workspace_id=caller.workspace_id,
        hold_ucr=quote.hold_ucr,
        price_version=quote.price_version,
        markup_bp=quote.markup_bp,
        app_key_id=caller.app_key_id,
        input_estimate=quote.likely.input_tokens,
        app_id=task.app_id,
        user_ref=task.user_ref,
        surface=task.surface,
        operation=OPERATION,
        kind=quote.resolution.kind,
        channel=quote.resolution.channel,
        provider=quote.route.provider,
        model=quote.route.model,
        idempotency_digest=task.claim.key_digest if task.claim else None,
        request_digest=task.claim.request_digest if task.claim else None,
        billing=quote.billing,
    )

"""What a job may cost at most, where it may be made, and in how many runs. Nothing is held or sent.

The hold covers the dearest of its routes, so that any of them may make it in the end.
"""

import math
import time
from collections.abc import Mapping
from typing import Any

import msgspec
from django.conf import settings

from billing.pricing_items import ItemNotPriced
from gateway.catalogue.errors import UnknownKind, WrongOperation
from gateway.catalogue.snapshot import Resolution, Route
from gateway.errors import NoPrice, NoProvider, RoutesResting, UserKeyNeeded
from gateway.idempotency import Claim
from gateway.jobs.asked import asked_use, item_count_of
from gateway.jobs.statements import JobRoute
from gateway.providers.media import Maker, MediaRequest, MediaTarget, makes, works_here
from gateway.quoting import check_model
from gateway.routing import RESTING
from gateway.runtime import Runtime
from gateway.transport import Upstream
from gateway.user_keys import NO_KEYS, UserKeys
from studio.accounts.callers import Caller
from studio.core.errors import Forbidden, InvalidRequest

MOST_ROUTES = 4


class JobTask(msgspec.Struct, frozen=True, kw_only=True):
    """One job on its way: who asks, through which surface, for which kind or model.

    `models` are names of models, or `provider:model`, whose routes together may make it, the first
    preferred; those that the catalogue does not have are left out. `kind` is then a label alone.
    `parameters` is what may be shown of the request afterwards: no prompt, no key. `started_s` is a
    perf_counter reading.
    """

    id: str
    caller: Caller
    surface: str
    channel: str
    app_id: str
    user_ref: str
    kind: str | None = None
    model: str | None = None
    models: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = {}
    claim: Claim | None = None
    user_keys: UserKeys | None = None
    started_s: float = msgspec.field(default_factory=time.perf_counter)


class JobQuote(msgspec.Struct, frozen=True, kw_only=True):
    """What a job would be made by, and what would be held for it, in µcr.

    `runs` are the items of each run. By a user's own key (`billing` is `byok`), and where we
    ask nothing for it (`house`), nothing is held.
    """

    resolution: Resolution
    routes: tuple[JobRoute, ...]
    runs: tuple[int, ...]
    hold_ucr: int
    price_version: int
    markup_bp: int
    billing: str
    sandbox: bool

    @property
    def item_count(self) -> int:
        """All items of the job."""
        return sum(self.runs)


class _Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A route that can be called. `most_ucr` is what it costs at most, None where nobody pays."""

    route: Route
    upstream: Upstream
    provider: Maker
    most_per_run: int
    most_ucr: int | None


def quote_job(runtime: Runtime, task: JobTask, request: MediaRequest) -> JobQuote:
    """Resolve one job, choose its routes, price and split it.

    Raises: UnknownKind, UnknownChannel, WrongOperation, NoProvider, NoPrice, Forbidden (model not
    on the key's list), UserKeyNeeded, InvalidRequest (nobody can make that), RoutesResting.
    """
    world, caller = runtime.world, task.caller
    resolution = _resolved(runtime, task, request)
    keys = task.user_keys or NO_KEYS
    own = any(keys.get(route.provider) for route in resolution.routes)
    candidates = _awake(runtime, _fitting(runtime, task, request, resolution, own=own))
    runs = _split(item_count_of(request), candidates[0].most_per_run)
    # A run is sent on as it is, so whoever makes fewer at once than it has cannot stand in.
    candidates = [found for found in candidates if found.most_per_run >= runs[0]][:MOST_ROUTES]
    most_ucr = max(found.most_ucr or 0 for found in candidates)
    billing = "byok" if own else "credits" if most_ucr else "house"
    if caller.tier == "byok" and billing == "credits":
        raise UserKeyNeeded(
            "Workspaces on the tier byok bring their own provider key; this request has none."
        )
    return JobQuote(
        resolution=resolution,
        routes=tuple(_job_route(found.route) for found in candidates),
        runs=runs,
        hold_ucr=most_ucr if billing == "credits" else 0,
        price_version=world.book.version,
        markup_bp=caller.markup_bp if billing == "credits" else 0,
        billing=billing,
        sandbox=candidates[0].upstream.sandbox,
    )


def deadline_s(operation: str) -> int:
    """Give after how many seconds a job of this operation is given up."""
    found: int = settings.JOB_DEADLINES_S[operation]
    return found


def inputs_kept_s(operation: str) -> int:
    """Give for how many seconds pictures that were sent in are kept at most: as long as their job
    may take and its request may be kept, and an hour more.
    """
    hours: int = settings.JOB_REQUESTS_KEPT_HOURS + 1
    return deadline_s(operation) + hours * 3600


def target_of(
    route: Route | JobRoute, *, count: int, deadline_s: int, first: int = 0
) -> MediaTarget:
    """Give where a run goes, as its provider's file needs it."""
    return MediaTarget(
        model=route.upstream_model or route.model,
        count=count,
        first=first,
        deadline_s=deadline_s,
        drop_parameters=route.drop_parameters,
    )


def _resolved(runtime: Runtime, task: JobTask, request: MediaRequest) -> Resolution:
    """Find the routes of a kind or a model, or of several models, that the caller's key may use.

    Raises: UnknownKind, UnknownChannel, WrongOperation, Forbidden.
    """
    catalogue, operation = runtime.world.catalogue, request.operation
    if not task.models:
        found = catalogue.resolve(
            kind=task.kind, model=task.model, channel=task.channel, operation=operation
        )
        check_model(task.caller, {found.asked, found.kind, found.routes[0].model})
        return found
    refusal: UnknownKind | WrongOperation | Forbidden | None = None
    each: list[Resolution] = []
    for name in task.models:
        try:
            found = catalogue.resolve_model(name, channel=task.channel, operation=operation)
            check_model(task.caller, {name, task.kind or name, found.asked, found.routes[0].model})
            each.append(found)
        except (UnknownKind, WrongOperation, Forbidden) as error:
            refusal = refusal or error
    if not each:
        assert refusal is not None, "there is at least one name"
        raise refusal
    routes = dict.fromkeys(route for found in each for route in found.routes)
    return msgspec.structs.replace(each[0], kind=task.kind or each[0].kind, routes=tuple(routes))


def _fitting(
    runtime: Runtime, task: JobTask, request: MediaRequest, resolution: Resolution, *, own: bool
) -> list[_Candidate]:
    """Give the routes that can make this, in the catalogue's order.

    Raises: NoProvider, NoPrice, InvalidRequest: why the preferred route cannot.
    """
    keys = task.user_keys or NO_KEYS
    refusal: NoProvider | NoPrice | InvalidRequest | None = None
    found: list[_Candidate] = []
    for route in resolution.routes:
        key = keys.get(route.provider)
        if own and not key:
            continue
        try:
            found.append(_candidate(runtime, task, request, route, key))
        except (NoProvider, NoPrice, InvalidRequest) as error:
            refusal = refusal or error
    if found:
        return [one for one in found if not one.upstream.sandbox] or found
    assert refusal is not None, "a resolution has at least one route"
    raise refusal


def _candidate(
    runtime: Runtime, task: JobTask, request: MediaRequest, route: Route, key: str | None
) -> _Candidate:
    upstreams = runtime.upstreams
    upstream = upstreams.of_user(route.provider, key) if key else upstreams.get(route.provider)
    provider = upstream.provider
    if not makes(provider, request.operation):
        raise NoProvider(f"No provider is configured for this model ({route.provider}).")
    target = target_of(
        route, count=item_count_of(request), deadline_s=deadline_s(request.operation)
    )
    lacking = provider.unsupported_media(request, target)
    if lacking is not None:
        raise InvalidRequest(
            f"{lacking}: {route.model} does not support this.", details={"param": lacking}
        )
    return _Candidate(
        route=route,
        upstream=upstream,
        provider=provider,
        most_per_run=max(1, provider.most_per_run(request, target)),
        most_ucr=None if key else _most_ucr(runtime, task, request, route),
    )


def _most_ucr(runtime: Runtime, task: JobTask, request: MediaRequest, route: Route) -> int:
    price = runtime.world.book.media(request.operation, route.provider, route.model)
    if price is None:
        raise NoPrice(f'Model "{route.model}" has no price and cannot be called.')
    use = asked_use(request, item_count_of(request))
    try:
        return price.most_ucr(use, task.caller.markup_bp)
    except ItemNotPriced as error:
        raise InvalidRequest(
            f"size: {route.model} does not make {use.size} {use.quality}".rstrip() + ".",
            details={"param": "size"},
        ) from error


def _awake(runtime: Runtime, candidates: list[_Candidate]) -> list[_Candidate]:
    """Leave out providers that are left alone for now. Raises: RoutesResting."""
    waits_s = [
        0.0
        if works_here(found.provider)
        else runtime.breaker.circuit(found.upstream).wait_s(found.route.model)
        for found in candidates
    ]
    awake = [found for found, wait_s in zip(candidates, waits_s, strict=True) if not wait_s]
    if not awake:
        raise RoutesResting(RESTING, retry_after_s=max(1, math.ceil(min(waits_s))))
    return awake


def _split(item_count: int, most_per_run: int) -> tuple[int, ...]:
    """Split into as few runs as there can be; the first is the largest."""
    whole, rest = divmod(item_count, most_per_run)
    return (most_per_run,) * whole + ((rest,) if rest else ())


def _job_route(route: Route) -> JobRoute:
    return JobRoute(
        provider=route.provider,
        model=route.model,
        upstream_model=route.upstream_model or route.model,
        drop_parameters=route.drop_parameters,
    )

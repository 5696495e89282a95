"""What so much of a job's work costs, by the price and the markup it was held by."""

import functools
from typing import Protocol

import msgspec

from billing.pricing import PriceBookSnapshot, load_price_book
from billing.pricing_items import ItemNotPriced
from gateway.jobs.asked import asked_use, unseal_request
from gateway.jobs.statements import JobRoute
from gateway.models import Job, JobRun
from gateway.operations.media import MediaUse
from studio.core.secrets import SealBroken

_BEGUN = (
    JobRun.State.SUBMITTING,
    JobRun.State.UNKNOWN,
    JobRun.State.RUNNING,
    JobRun.State.STORING,
)


class Priced(Protocol):
    """What a price is found by."""

    @property
    def operation(self) -> str:
        """What is done."""

    @property
    def billing(self) -> str:
        """`credits`, or `byok` and `house`, which cost nobody here anything."""

    @property
    def price_version(self) -> int:
        """The version of the price book the job was held by."""

    @property
    def markup_bp(self) -> int:
        """The markup it was held by."""

    @property
    def route(self) -> JobRoute:
        """Where it is made."""


class _PricedRun(msgspec.Struct, frozen=True, kw_only=True):
    operation: str
    billing: str
    price_version: int
    markup_bp: int
    route: JobRoute


def charge_and_cost_ucr(priced: Priced, use: MediaUse) -> tuple[int, int]:
    """Give what so much costs the caller and us.

    A use that the book does not know (a size that nobody asked for) costs as what it fits best: the
    caller pays the least, we reckon with the most. By a user's own key both are 0.
    """
    if priced.billing != "credits":
        return 0, 0
    route = priced.route
    price = _book(priced.price_version).media(priced.operation, route.provider, route.model)
    if price is None:
        return 0, 0
    try:
        charge_ucr, cost_ucr = price.charge_ucr(use, priced.markup_bp), price.cost_ucr(use)
    except ItemNotPriced:
        anything = MediaUse(item_count=use.item_count, media_ms=use.media_ms)
        charge_ucr = price.charge_ucr(anything, priced.markup_bp)
        cost_ucr = price.cost_ucr(anything)
    told_ucr = use.provider_cost_ucr
    return charge_ucr, cost_ucr if told_ucr is None else told_ucr


def loss_ucr(job: Job, run: JobRun) -> int:
    """Give what a run that is given up may cost us: all it was asked for, if it may have begun."""
    if run.state not in _BEGUN or job.request is None:
        return 0
    try:
        request = unseal_request(bytes(job.request), job.operation, job.pk)
    except SealBroken:
        return 0  # the vault's secret changed: the job ends all the same
    priced = _PricedRun(
        operation=job.operation,
        billing=job.billing,
        price_version=job.price_version,
        markup_bp=job.markup_bp,
        route=msgspec.convert(job.routes[run.route_position], JobRoute),
    )
    return charge_and_cost_ucr(priced, asked_use(request, run.item_count))[1]


@functools.lru_cache(maxsize=8)
def _book(version: int) -> PriceBookSnapshot:
    return load_price_book(version)

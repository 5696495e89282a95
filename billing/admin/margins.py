"""What is left of a price on each tier that pays by credits: staff see at once what sells below
cost. A tier's margin is the list price with its markup, less what the provider bills us.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from django.contrib import admin
from django.db.models import F, QuerySet
from django.http import HttpRequest

from billing.models.prices import Price
from billing.pricing import PriceRow
from studio.accounts.models import Tier
from studio.core.money import BASIS_POINTS

_OWN_KEYS_ALONE = "byok"
"""Whose calls are by keys of their own: no price of ours is charged there."""


class Markup(msgspec.Struct, frozen=True, kw_only=True):
    """What a tier adds to list prices, in basis points."""

    tier: str
    markup_bp: int


def paying_tiers() -> list[Markup]:
    """Read the tiers whose calls are charged by prices, the smallest markup first."""
    tiers = Tier.objects.exclude(pk=_OWN_KEYS_ALONE).order_by("markup_bp", "pk")
    return [Markup(tier=tier.name, markup_bp=tier.markup_bp) for tier in tiers]


def margin_bp(price: Price | PriceRow, markup_bp: int) -> int:
    """Give what is left in basis points of what is charged, rounded down; negative below cost."""
    charged = price.list_ucr * (BASIS_POINTS + markup_bp)
    return (charged - price.cost_ucr * BASIS_POINTS) * BASIS_POINTS // charged


def losing(price: Price | PriceRow, tiers: Sequence[Markup]) -> list[Markup]:
    """Give the tiers on which a price sells below cost."""
    return [tier for tier in tiers if margin_bp(price, tier.markup_bp) < 0]


class BelowCostFilter(admin.SimpleListFilter):
    """Prices that lose money on some tier."""

    title = "margin"
    parameter_name = "margin"

    def lookups(
        self, request: HttpRequest, model_admin: "admin.ModelAdmin[Any]"
    ) -> list[tuple[str, str]]:
        """Offer the one choice."""
        return [("below", "below cost on some tier")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Price]) -> QuerySet[Price]:
        """Compare with the tier that adds least."""
        if self.value() != "below":
            return queryset
        tiers = paying_tiers()
        least_bp = tiers[0].markup_bp if tiers else 0
        charged = F("list_ucr") * (BASIS_POINTS + least_bp)
        return queryset.filter(cost_ucr__gt=charged / BASIS_POINTS)

"""Catalogue and prices as one consistent picture, read again when their revision moves; and which
workspaces have spend caps per window.
"""

import msgspec
from django.db import connection, transaction

from billing.pricing import PriceBookSnapshot, latest_price_book
from gateway.catalogue.snapshot import CatalogueSnapshot, load_catalogue_snapshot, read_revision

_BUDGETED = "SELECT DISTINCT workspace_id FROM billing_budget"
"""Each second in each process: some ten thousand caps take it 2 ms."""


class World(msgspec.Struct, frozen=True, kw_only=True):
    """What may be called and what it costs, at one revision; who has spend caps per window."""

    revision: int
    catalogue: CatalogueSnapshot
    book: PriceBookSnapshot
    budgeted: frozenset[int] = frozenset()


def read_world(known: World | None) -> World:
    """Read catalogue and prices unless `known` is still current. Synchronous: call it in a thread.

    The connection goes back to the pool, since nothing else would return it from this thread.
    """
    try:
        revision, budgeted = read_revision(), _read_budgeted()
        if known is not None and known.revision == revision:
            same = known.budgeted == budgeted
            return known if same else msgspec.structs.replace(known, budgeted=budgeted)
        with transaction.atomic():
            return World(
                revision=revision,
                catalogue=load_catalogue_snapshot(),
                book=latest_price_book(),
                budgeted=budgeted,
            )
    finally:
        connection.close()


def _read_budgeted() -> frozenset[int]:
    with connection.cursor() as cursor:
        cursor.execute(_BUDGETED)
        return frozenset(workspace_id for (workspace_id,) in cursor.fetchall())

"""Catalogue and prices as one consistent picture, read again when their revision moves."""

import msgspec
from django.db import connection, transaction

from billing.pricing import PriceBookSnapshot, latest_price_book
from gateway.catalogue.snapshot import CatalogueSnapshot, load_catalogue_snapshot, read_revision


class World(msgspec.Struct, frozen=True, kw_only=True):
    """What may be called and what it costs, at one revision."""

    revision: int
    catalogue: CatalogueSnapshot
    book: PriceBookSnapshot


def read_world(known: World | None) -> World:
    """Read catalogue and prices unless `known` is still current. Synchronous: call it in a thread.

    The connection goes back to the pool, since nothing else would return it from this thread.
    """
    try:
        revision = read_revision()
        if known is not None and known.revision == revision:
            return known
        with transaction.atomic():
            return World(
                revision=revision,
                catalogue=load_catalogue_snapshot(),
                book=latest_price_book(),
            )
    finally:
        connection.close()

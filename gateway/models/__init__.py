"""Tables of the gateway: the catalogue and the calls."""

from gateway.models.call import Call
from gateway.models.catalogue import (
    Alias,
    CatalogueChange,
    CatalogueModel,
    CatalogueRevision,
    KindPolicy,
    KindRoute,
)

__all__ = [
    "Alias",
    "Call",
    "CatalogueChange",
    "CatalogueModel",
    "CatalogueRevision",
    "KindPolicy",
    "KindRoute",
]

"""Tables of the gateway: the catalogue, the calls, the jobs and what they made."""

from gateway.models.asset import Asset
from gateway.models.call import Call
from gateway.models.catalogue import (
    Alias,
    CatalogueChange,
    CatalogueModel,
    CatalogueRevision,
    KindPolicy,
    KindRoute,
)
from gateway.models.job import Job, JobBell, JobEvent, JobRun

__all__ = [
    "Alias",
    "Asset",
    "Call",
    "CatalogueChange",
    "CatalogueModel",
    "CatalogueRevision",
    "Job",
    "JobBell",
    "JobEvent",
    "JobRun",
    "KindPolicy",
    "KindRoute",
]

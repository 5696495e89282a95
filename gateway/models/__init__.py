"""Tables of the gateway: the catalogue, the calls, the jobs, what they made, who is told of it."""

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
from gateway.models.health import ProviderHealth
from gateway.models.job import Job, JobEvent, JobRun
from gateway.models.persona import Persona
from gateway.models.speech import SpokenText
from gateway.models.voice import Voice, VoicePreview
from gateway.models.webhook import WebhookDelivery, WebhookEndpoint

__all__ = [
    "Alias",
    "Asset",
    "Call",
    "CatalogueChange",
    "CatalogueModel",
    "CatalogueRevision",
    "Job",
    "JobEvent",
    "JobRun",
    "KindPolicy",
    "KindRoute",
    "Persona",
    "ProviderHealth",
    "SpokenText",
    "Voice",
    "VoicePreview",
    "WebhookDelivery",
    "WebhookEndpoint",
]

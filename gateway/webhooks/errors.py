"""Why nothing was done with an address."""

from studio.core.errors import Conflict, InvalidRequest


class EndpointRefused(InvalidRequest):
    """The URL, the events or the description make no sense. Nothing was written."""


class TooManyEndpoints(Conflict):
    """The workspace has as many addresses as it may."""

    code = "too_many_webhooks"


class EndpointTaken(Conflict):
    """The workspace has this address already."""

    code = "webhook_exists"


class EndpointOff(Conflict):
    """Nothing is sent to an address that is switched off."""

    code = "webhook_off"

"""The studio surface's webhooks: where a workspace wants to be told how its jobs ended, and what
was sent there.
"""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from django.conf import settings
from django.http import HttpResponse

from billing.models import OutboxMessage
from gateway.admission import require_scope
from gateway.models import WebhookEndpoint
from gateway.operations.json_body import read_body
from gateway.surfaces import asking
from gateway.surfaces.middleware import ApiRequest, json_response
from gateway.webhooks import endpoints, queries
from gateway.webhooks.endpoints import EndpointWish, NewSecret
from gateway.webhooks.errors import EndpointRefused
from studio.accounts.callers import Caller
from studio.core.egress import AddressRefused, choose_address, read_address
from studio.core.errors import InvalidRequest
from studio.core.webhooks import resolve_host

_SCOPE = "jobs"
_RESOLVE_PATIENCE_S = 3.0
_DELIVERIES_QUERY = ("state", "cursor", "limit")


class _Asked(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """An endpoint to add."""

    url: str
    events: list[str] | None = None
    description: str = ""


class _Changed(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What to change of one; what is not named stays."""

    url: str | None = None
    events: list[str] | None = None
    description: str | None = None
    enabled: bool | None = None


class _EndpointBody(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An endpoint. `secret` is there once, when it is new."""

    id: str
    object: str
    url: str
    description: str
    events: list[str]
    enabled: bool
    off_because: str | None
    off_at: datetime | None
    old_secret_until: datetime | None
    created_at: datetime
    secret: str | msgspec.UnsetType = msgspec.UNSET


class _DeliveryBody(msgspec.Struct, kw_only=True):
    """A message to an endpoint: what it is about, and whether it arrived."""

    id: str
    object: str
    webhook: str
    event: str
    job: str | None
    state: str
    attempts: int
    last_error: str | None
    next_attempt_at: datetime | None
    created_at: datetime
    delivered_at: datetime | None


class _AboutJob(msgspec.Struct):
    """What of a message's `data` names its job."""

    id: str | None = None


class _Sent(msgspec.Struct):
    """What of a message tells its job."""

    data: _AboutJob


_ASKED = msgspec.json.Decoder(_Asked)
_CHANGED = msgspec.json.Decoder(_Changed)
_SENT = msgspec.json.Decoder(_Sent)


async def webhooks(request: ApiRequest) -> HttpResponse:
    """List the workspace's endpoints, or add one; its secret is told in this answer alone."""
    caller = _enter(request, "GET", "POST")
    if request.method != "POST":
        found = await asking.in_thread(queries.list_endpoints, caller.workspace_id)
        return _answer({"object": "list", "data": [_endpoint_body(one) for one in found]})
    asked = read_body(_ASKED, request.body)
    await _check_host(asked.url)
    added = await asking.in_thread(
        endpoints.add_endpoint,
        workspace_id=caller.workspace_id,
        url=asked.url,
        events=asked.events,
        description=asked.description,
    )
    return _answer(_secret_body(added), status=201)


async def webhook(request: ApiRequest, webhook_id: UUID) -> HttpResponse:
    """Show one endpoint, change it, or forget it."""
    caller = _enter(request, "GET", "PATCH", "DELETE")
    workspace_id = caller.workspace_id
    if request.method == "DELETE":
        await asking.in_thread(endpoints.delete_endpoint, webhook_id, workspace_id=workspace_id)
        return HttpResponse(status=204)
    if request.method != "PATCH":
        found = await asking.in_thread(
            queries.access_endpoint, webhook_id, workspace_id=workspace_id
        )
        return _answer(_endpoint_body(found))
    changed = read_body(_CHANGED, request.body)
    if changed.url is not None:
        await _check_host(changed.url)
    wish = EndpointWish(**msgspec.structs.asdict(changed))
    found = await asking.in_thread(
        endpoints.change_endpoint, webhook_id, workspace_id=workspace_id, wish=wish
    )
    return _answer(_endpoint_body(found))


async def test(request: ApiRequest, webhook_id: UUID) -> HttpResponse:
    """Send an endpoint a message that says nothing, once; its delivery tells whether it arrived."""
    caller = _enter(request, "POST")
    sent = await asking.in_thread(endpoints.send_test, webhook_id, workspace_id=caller.workspace_id)
    return _answer(_delivery_body(sent), status=202)


async def rotate(request: ApiRequest, webhook_id: UUID) -> HttpResponse:
    """Make a new secret; the old one signs along for a day."""
    caller = _enter(request, "POST")
    rotated = await asking.in_thread(
        endpoints.rotate_secret, webhook_id, workspace_id=caller.workspace_id
    )
    return _answer(_secret_body(rotated))


async def deliveries(request: ApiRequest, webhook_id: UUID) -> HttpResponse:
    """List what was sent to an endpoint, or waits; the newest first, a page at a time."""
    caller = _enter(request, "GET")
    asking.check_query(request.GET, _DELIVERIES_QUERY)
    state = request.GET.get("state")
    if state is not None and state not in OutboxMessage.State.values:
        known = ", ".join(OutboxMessage.State.values)
        raise InvalidRequest(f"state: one of {known}.", details={"param": "state"})
    page = await asking.in_thread(
        queries.list_deliveries,
        webhook_id,
        workspace_id=caller.workspace_id,
        question=queries.DeliveryQuestion(
            state=state,
            before=asking.read_id(request.GET.get("cursor"), "cursor"),
            limit=asking.read_count(request.GET, "limit", default=20, most=queries.MOST_DELIVERIES),
        ),
    )
    return _answer(
        {
            "object": "list",
            "data": [_delivery_body(one) for one in page.deliveries],
            "has_more": page.next_before is not None,
            "next_cursor": None if page.next_before is None else str(page.next_before),
        }
    )


async def replay(request: ApiRequest, delivery_id: UUID) -> HttpResponse:
    """Send a message again, under its own id."""
    caller = _enter(request, "POST")
    sent = await asking.in_thread(
        endpoints.replay_delivery, delivery_id, workspace_id=caller.workspace_id
    )
    return _answer(_delivery_body(sent), status=202)


def _enter(request: ApiRequest, *methods: str) -> Caller:
    asking.allow_methods(request, *methods)
    caller = asking.caller_of(request)
    require_scope(caller, _SCOPE)
    return caller


async def _check_host(url: str) -> None:
    """Refuse a URL whose name leads inside today; it is asked again whenever something is sent.

    A name that nobody knows yet may be known tomorrow. Raises: EndpointRefused.
    """
    try:
        address = read_address(url, allowed_origins=settings.WEBHOOK_ALLOWED_ORIGINS)
        async with asyncio.timeout(_RESOLVE_PATIENCE_S):
            choose_address(address, await resolve_host(address.host, address.port))
    except AddressRefused as error:
        raise EndpointRefused(f"url: {error}", details={"param": "url"}) from error
    except (OSError, UnicodeError):
        return


def _endpoint_body(endpoint: WebhookEndpoint) -> _EndpointBody:
    until = endpoint.old_secret_until
    return _EndpointBody(
        id=str(endpoint.pk),
        object="webhook",
        url=endpoint.url,
        description=endpoint.description,
        events=endpoint.events,
        enabled=endpoint.is_on,
        off_because=endpoint.off or None,
        off_at=endpoint.off_at,
        old_secret_until=until if until and until > datetime.now(UTC) else None,
        created_at=endpoint.created_at,
    )


def _secret_body(new: NewSecret) -> _EndpointBody:
    return msgspec.structs.replace(_endpoint_body(new.endpoint), secret=new.secret)


def _delivery_body(message: OutboxMessage) -> _DeliveryBody:
    waits = message.state == OutboxMessage.State.PENDING
    return _DeliveryBody(
        id=str(message.pk),
        object="webhook.delivery",
        webhook=str(message.source_id),
        event=message.event,
        job=_SENT.decode(message.body).data.id,
        state=message.state,
        attempts=message.attempts,
        last_error=message.last_error or None,
        next_attempt_at=message.next_at if waits else None,
        created_at=message.created_at,
        delivered_at=message.delivered_at,
    )


def _answer(body: Any, *, status: int = 200) -> HttpResponse:  # noqa: ANN401  JSON
    """Answer; a secret in it, or an old state, is for nobody's cache."""
    response = json_response(body, status=status)
    response["cache-control"] = "no-store"
    return response

"""What customers and staff do with the addresses of webhooks. Each call is one transaction."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import IntegrityError, transaction

from billing import outbox
from billing.models import OutboxMessage
from billing.outbox import Event, Source, enqueue_webhook
from billing.services import lock_workspace
from gateway.models import WebhookDelivery, WebhookEndpoint
from gateway.webhooks.errors import EndpointOff, EndpointRefused, EndpointTaken, TooManyEndpoints
from gateway.webhooks.queries import access_delivery, access_endpoint
from studio.core.egress import AddressRefused, read_address
from studio.core.errors import NotFound
from studio.core.ids import new_id
from studio.core.webhooks import new_webhook_secret

MOST_ENDPOINTS = 10
TEST_EVENT = "webhook.test"
TRIED_FOR = timedelta(hours=24)
OLD_SECRET_LIFE = timedelta(hours=24)
_LONGEST_DESCRIPTION = 200
_DELETED = "The endpoint was deleted."
_SWITCHED_OFF = "The endpoint was switched off."


class EndpointWish(msgspec.Struct, frozen=True, kw_only=True):
    """What an endpoint shall be; None leaves a field as it is."""

    url: str | None = None
    events: Sequence[str] | None = None
    description: str | None = None
    enabled: bool | None = None


class NewSecret(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint with its secret, which is told this once."""

    endpoint: WebhookEndpoint
    secret: str

    def __repr__(self) -> str:
        """Show no secret."""
        return f"NewSecret({self.endpoint.pk})"


def add_endpoint(
    *, workspace_id: int, url: str, events: Sequence[str] | None = None, description: str = ""
) -> NewSecret:
    """Tell an address of a workspace's how its jobs end; without `events`, of every end.

    Raises: EndpointRefused, TooManyEndpoints, EndpointTaken; nothing was written.
    """
    chosen = WebhookEndpoint.EVENTS if events is None else events
    _check(EndpointWish(url=url, events=chosen, description=description))
    secret = new_webhook_secret()
    endpoint_id = new_id()
    with transaction.atomic(durable=True):
        lock_workspace(workspace_id)
        known = WebhookEndpoint.objects.filter(workspace_id=workspace_id)
        if known.filter(url=url).exists():
            raise EndpointTaken("This workspace has a webhook with this URL already.")
        if known.count() >= MOST_ENDPOINTS:
            raise TooManyEndpoints(f"A workspace has at most {MOST_ENDPOINTS} webhooks.")
        endpoint = WebhookEndpoint.objects.create(
            id=endpoint_id,
            workspace_id=workspace_id,
            url=url,
            description=description,
            events=sorted(set(chosen)),
            sealed_secret=_seal(secret, endpoint_id),
        )
    endpoint.refresh_from_db()
    return NewSecret(endpoint=endpoint, secret=secret)


def change_endpoint(
    endpoint_id: UUID, *, workspace_id: int | None, wish: EndpointWish
) -> WebhookEndpoint:
    """Change an endpoint; for staff (`workspace_id` None) of any workspace.

    What waits goes to the new address, or nowhere where it is switched off. Raises: NotFound,
    EndpointRefused, EndpointTaken; nothing was written.
    """
    _check(wish)
    try:
        with transaction.atomic(durable=True):
            endpoint = access_endpoint(endpoint_id, workspace_id=workspace_id, lock=True)
            _set(endpoint, wish, by_staff=workspace_id is None)
            endpoint.save()
    except IntegrityError as error:
        raise EndpointTaken("This workspace has a webhook with this URL already.") from error
    return endpoint


def delete_endpoint(endpoint_id: UUID, *, workspace_id: int) -> None:
    """Forget an endpoint; what waits is not sent. Raises: NotFound."""
    with transaction.atomic(durable=True):
        access_endpoint(endpoint_id, workspace_id=workspace_id, lock=True).delete()
        outbox.give_up_waiting(source_id=endpoint_id, why=_DELETED)


def rotate_secret(endpoint_id: UUID, *, workspace_id: int) -> NewSecret:
    """Give an endpoint a new secret. For a day messages are signed by the old one as well.

    Raises: NotFound.
    """
    secret = new_webhook_secret()
    with transaction.atomic(durable=True):
        endpoint = access_endpoint(endpoint_id, workspace_id=workspace_id, lock=True)
        endpoint.sealed_old_secret = endpoint.sealed_secret
        endpoint.old_secret_until = datetime.now(UTC) + OLD_SECRET_LIFE
        endpoint.sealed_secret = _seal(secret, endpoint.pk)
        endpoint.save()
        _readdress(endpoint)
    return NewSecret(endpoint=endpoint, secret=secret)


def send_test(endpoint_id: UUID, *, workspace_id: int | None) -> OutboxMessage:
    """Send an endpoint a message that says nothing, once; also where it is switched off.

    Raises: NotFound.
    """
    with transaction.atomic(durable=True):
        endpoint = access_endpoint(endpoint_id, workspace_id=workspace_id)
        message_id = enqueue_webhook(
            workspace_id=endpoint.workspace_id,
            url=endpoint.url,
            secret=secrets_of(endpoint),
            event=Event(type=TEST_EVENT, data={"webhook": str(endpoint.pk)}),
            source=Source(id=endpoint.pk, tried_for=timedelta()),
        )
    return OutboxMessage.objects.get(pk=message_id)


def replay_delivery(delivery_id: UUID, *, workspace_id: int) -> OutboxMessage:
    """Send a message to its endpoint again, as that is now, under the same id.

    Raises: NotFound, EndpointOff.
    """
    with transaction.atomic(durable=True):
        delivery = access_delivery(delivery_id, workspace_id=workspace_id)
        assert delivery.source_id is not None, "of an endpoint"
        endpoint = access_endpoint(delivery.source_id, workspace_id=workspace_id)
        if not endpoint.is_on:
            raise EndpointOff("This webhook is switched off. Switch it on first.")
        outbox.send_again(delivery.pk, tried_for=TRIED_FOR)
        _readdress(endpoint)
    delivery.refresh_from_db()
    return delivery


def replay_for_staff(delivery: WebhookDelivery) -> None:
    """Send a webhook again, be it of an endpoint or an alert. Raises: NotFound, EndpointOff."""
    if delivery.source_id is not None:
        replay_delivery(delivery.pk, workspace_id=delivery.workspace_id)
    elif not outbox.send_again(delivery.pk):
        raise NotFound("This message is not kept any more.")


def secrets_of(endpoint: WebhookEndpoint) -> str:
    """Give what signs for an endpoint now, as `WebhookMessage.secret` has it.

    Raises: SealBroken.
    """
    sealed = [endpoint.sealed_secret]
    until = endpoint.old_secret_until
    if endpoint.sealed_old_secret is not None and until is not None and datetime.now(UTC) < until:
        sealed.append(endpoint.sealed_old_secret)
    context = _context(endpoint.pk)
    return " ".join(outbox.unseal_secret(bytes(one), context=context) for one in sealed)


def _set(endpoint: WebhookEndpoint, wish: EndpointWish, *, by_staff: bool) -> None:
    now = datetime.now(UTC)
    if wish.events is not None:
        endpoint.events = sorted(set(wish.events))
    if wish.description is not None:
        endpoint.description = wish.description
    if wish.url is not None and wish.url != endpoint.url:
        endpoint.url = wish.url
        endpoint.counted_from = now
        _readdress(endpoint)
    if wish.enabled and not endpoint.is_on:
        endpoint.off, endpoint.off_at = WebhookEndpoint.Off.ON, None
        endpoint.counted_from = now
    elif wish.enabled is False and endpoint.is_on:
        off = WebhookEndpoint.Off
        endpoint.off, endpoint.off_at = (off.STAFF if by_staff else off.OWNER), now
        outbox.give_up_waiting(source_id=endpoint.pk, why=_SWITCHED_OFF)


def _readdress(endpoint: WebhookEndpoint) -> None:
    outbox.readdress_waiting(source_id=endpoint.pk, url=endpoint.url, secret=secrets_of(endpoint))


def _check(wish: EndpointWish) -> None:
    if wish.url is not None:
        try:
            read_address(wish.url, allowed_origins=settings.WEBHOOK_ALLOWED_ORIGINS)
        except AddressRefused as error:
            raise EndpointRefused(f"url: {error}", details={"param": "url"}) from error
    known = WebhookEndpoint.EVENTS
    if wish.events is not None and not (wish.events and set(wish.events) <= set(known)):
        raise EndpointRefused(
            f"events: one or more of {', '.join(known)}.", details={"param": "events"}
        )
    text = wish.description
    if text and (len(text) > _LONGEST_DESCRIPTION or not text.isprintable()):
        raise EndpointRefused(
            f"description: one line of at most {_LONGEST_DESCRIPTION} characters.",
            details={"param": "description"},
        )


def _seal(secret: str, endpoint_id: UUID) -> bytes:
    return outbox.seal_secret(secret, context=_context(endpoint_id))


def _context(endpoint_id: UUID) -> bytes:
    return b"webhook:" + endpoint_id.bytes

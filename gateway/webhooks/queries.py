"""What is read of webhooks' addresses and of what was sent there; of another workspace nothing."""

from uuid import UUID

import msgspec

from billing.models import OutboxMessage
from gateway.models import WebhookEndpoint
from studio.core.errors import NotFound

MOST_DELIVERIES = 100


class DeliveryQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """Which deliveries to list; `before` is the last id seen."""

    state: str | None = None
    before: UUID | None = None
    limit: int = 20


class DeliveryPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some deliveries, the newest first, and where to go on."""

    deliveries: tuple[OutboxMessage, ...]
    next_before: UUID | None


def access_endpoint(
    endpoint_id: UUID, *, workspace_id: int | None, lock: bool = False
) -> WebhookEndpoint:
    """Read an endpoint of a workspace, or (None) of any. Raises: NotFound."""
    found = WebhookEndpoint.objects.filter(pk=endpoint_id)
    if workspace_id is not None:
        found = found.filter(workspace_id=workspace_id)
    endpoint = (found.select_for_update(no_key=True) if lock else found).first()
    if endpoint is None:
        raise NotFound("There is no such webhook.")
    return endpoint


def list_endpoints(workspace_id: int) -> list[WebhookEndpoint]:
    """List a workspace's endpoints, the oldest first; they are few."""
    return list(WebhookEndpoint.objects.filter(workspace_id=workspace_id).order_by("pk"))


def access_delivery(delivery_id: UUID, *, workspace_id: int) -> OutboxMessage:
    """Read a message that was sent to an endpoint of a workspace, or will be. Raises: NotFound."""
    found = OutboxMessage.objects.filter(
        pk=delivery_id, workspace_id=workspace_id, source_id__isnull=False
    ).first()
    if found is None:
        raise NotFound("There is no such delivery.")
    return found


def list_deliveries(
    endpoint_id: UUID, *, workspace_id: int, question: DeliveryQuestion
) -> DeliveryPage:
    """List what was sent to an endpoint in the last 30 days, or waits. Raises: NotFound."""
    access_endpoint(endpoint_id, workspace_id=workspace_id)
    found = OutboxMessage.objects.filter(source_id=endpoint_id).order_by("-id")
    if question.state is not None:
        found = found.filter(state=question.state)
    if question.before is not None:
        found = found.filter(id__lt=question.before)
    limit = min(question.limit, MOST_DELIVERIES)
    page = tuple(found[: limit + 1])
    shown = page[:limit]
    return DeliveryPage(deliveries=shown, next_before=shown[-1].pk if len(page) > limit else None)

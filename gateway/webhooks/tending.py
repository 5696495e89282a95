"""Addresses that took nothing for a day are switched off, and their owners are told by e-mail."""

import logging
from uuid import UUID

from django.db import connection, transaction

from billing import outbox
from billing.models import AlertSettings
from billing.outbox import Event, enqueue_mail
from gateway.webhooks.endpoints import TEST_EVENT, TRIED_FOR
from studio.accounts.models import Member

logger = logging.getLogger(__name__)

_WHY = "The endpoint took nothing for a day and was switched off."
_AT_ONCE = 100
# A message a day old that was given up, and nothing that arrived since it was written.
_FAILING = """
SELECT e.id FROM gateway_webhookendpoint e
WHERE e.off = '' AND EXISTS (
  SELECT FROM billing_outboxmessage m
  WHERE m.source_id = e.id AND m.state = 'failed' AND m.event <> %(test)s
    AND m.created_at >= e.counted_from
    AND m.created_at <= now() - make_interval(secs => %(after_s)s)
    AND NOT EXISTS (
      SELECT FROM billing_outboxmessage d
      WHERE d.source_id = e.id AND d.state = 'delivered' AND d.delivered_at > m.created_at))
LIMIT %(limit)s
"""
_SWITCH_OFF = """
UPDATE gateway_webhookendpoint SET off = 'failing', off_at = now()
WHERE id = ANY (%s) AND off = '' RETURNING id, workspace_id, url
"""


def switch_off_failing(*, limit: int = _AT_ONCE) -> int:
    """Switch off up to `limit` addresses. Returns: how many; call again until 0."""
    after_s = TRIED_FOR.total_seconds()
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute(_FAILING, {"test": TEST_EVENT, "after_s": after_s, "limit": limit})
        failing = [endpoint_id for (endpoint_id,) in cursor.fetchall()]
        cursor.execute(_SWITCH_OFF, [failing])
        switched = cursor.fetchall()
        for endpoint_id, workspace_id, url in switched:
            outbox.give_up_waiting(source_id=endpoint_id, why=_WHY)
            _tell_owners(endpoint_id, workspace_id, url)
    return len(switched)


def _tell_owners(endpoint_id: UUID, workspace_id: int, url: str) -> None:
    """Write to whom the workspace wants told about its money, and to its owners."""
    alerts = AlertSettings.objects.filter(pk=workspace_id).first()
    owners = Member.objects.filter(workspace_id=workspace_id, role=Member.Role.OWNER)
    addresses = {*(alerts.emails if alerts else ()), *owners.values_list("user__email", flat=True)}
    event = Event(
        type="webhook.switched_off",
        subject="A webhook was switched off",
        text=(
            f"{url} took nothing for a day, so nothing more is sent there.\n\n"
            "When it works again, switch it on by PATCH /v1/webhooks/"
            f"{endpoint_id} with"
            ' {"enabled": true}; what failed can be sent again from its list of deliveries.\n'
        ),
    )
    for address in sorted(addresses - {""}):
        enqueue_mail(workspace_id=workspace_id, to=address, event=event)
    logger.warning("webhook %s of workspace %d was switched off", endpoint_id, workspace_id)

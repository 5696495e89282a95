"""Webhooks and e-mails that have to leave: written with what they tell about, sent afterwards.

At least once: a message that left while its process died is sent again, under the same id. Attempts
are spaced out over three days, or over as long as its writer says. Workspaces take turns: one whose
receivers hang keeps nobody else's messages.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import connection, transaction

from billing.models.alerts import OutboxMessage
from studio.core.ids import new_id
from studio.core.mail import Mail, MailFailed, send_mail
from studio.core.secrets import SealBroken, seal, unseal
from studio.core.webhooks import WebhookFailed, WebhookMessage, WebhookRefused, deliver

logger = logging.getLogger(__name__)

_PURPOSE = "webhook-secret"
_LEASE_S = 60
"""Longer than an attempt takes: then whoever had it is gone."""
PAUSES = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
"""Between attempts.

Source: Standard Webhooks 1.0.0, recommended schedule of retries.
"""
AT_ONCE = 20
KEPT = timedelta(days=30)
_LOOKED_AT = 5000
"""Due messages among which workspaces take turns."""

_CLAIM = """
WITH due AS MATERIALIZED (
  SELECT id, workspace_id, next_at FROM billing_outboxmessage
  WHERE state = 'pending' AND next_at <= now() ORDER BY next_at LIMIT %s
), turns AS (
  SELECT id, next_at, row_number() OVER (PARTITION BY workspace_id ORDER BY next_at) AS turn
  FROM due
)
UPDATE billing_outboxmessage
SET attempts = attempts + 1, next_at = now() + make_interval(secs => %s)
WHERE id IN (
  SELECT id FROM billing_outboxmessage
  WHERE id IN (SELECT id FROM turns ORDER BY turn, next_at LIMIT %s)
    AND state = 'pending' AND next_at <= now()
  FOR UPDATE SKIP LOCKED)
RETURNING id
"""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """What happened: `type` is a word, `data` becomes the webhook's, the other two the e-mail's."""

    type: str
    subject: str = ""
    text: str = ""
    data: dict[str, object] = {}


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """On whose behalf a webhook leaves, and how long it is tried."""

    id: UUID
    tried_for: timedelta


class _Envelope(msgspec.Struct, kw_only=True):
    """The body of every webhook."""

    type: str
    timestamp: datetime
    data: dict[str, object]


def enqueue_webhook(
    *, workspace_id: int, url: str, secret: str, event: Event, source: Source | None = None
) -> UUID:
    """Write a webhook to the outbox, in the caller's transaction. Returns: its id."""
    message_id = new_id()
    body = msgspec.json.encode(
        _Envelope(type=event.type, timestamp=datetime.now(UTC), data=event.data)
    )
    OutboxMessage.objects.create(
        id=message_id,
        workspace_id=workspace_id,
        channel=OutboxMessage.Channel.WEBHOOK,
        target=url,
        event=event.type,
        body=body.decode(),
        sealed_secret=seal_secret(secret, context=message_id.bytes),
        source_id=source.id if source else None,
        give_up_at=datetime.now(UTC) + source.tried_for if source else None,
    )
    return message_id


def enqueue_mail(*, workspace_id: int, to: str, event: Event) -> UUID:
    """Write an e-mail to the outbox, in the caller's transaction. Returns: its id."""
    message_id = new_id()
    OutboxMessage.objects.create(
        id=message_id,
        workspace_id=workspace_id,
        channel=OutboxMessage.Channel.EMAIL,
        target=to,
        event=event.type,
        subject=event.subject,
        body=event.text,
    )
    return message_id


def seal_secret(secret: str, *, context: bytes) -> bytes:
    """Seal a webhook's secret for the one row that carries it."""
    return seal(
        secret.encode(), master_secret=settings.VAULT_SECRET, purpose=_PURPOSE, context=context
    )


def unseal_secret(sealed: bytes, *, context: bytes) -> str:
    """Open what `seal_secret` made. Raises: SealBroken."""
    return unseal(
        sealed, master_secret=settings.VAULT_SECRET, purpose=_PURPOSE, context=context
    ).decode()


def send_due(*, limit: int = AT_ONCE) -> int:
    """Send up to `limit` messages whose time has come, at once; a failed one gets its next time.

    Returns: how many were tried; call again until 0.
    """
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute(_CLAIM, [_LOOKED_AT, _LEASE_S, limit])
        claimed = [row[0] for row in cursor.fetchall()]
    messages = list(OutboxMessage.objects.filter(pk__in=claimed))
    if not messages:
        return 0
    connection.close()  # others need it while receivers take their time
    for message, fault in zip(messages, asyncio.run(_send_all(messages)), strict=True):
        _note(message, fault)
    return len(messages)


def send_again(message_id: UUID, *, tried_for: timedelta | None = None) -> bool:
    """Send a message anew, under its own id and by its schedule from the start.

    Returns: False if it is not kept any more.
    """
    now = datetime.now(UTC)
    again = OutboxMessage.objects.filter(pk=message_id).update(
        state=OutboxMessage.State.PENDING,
        attempts=0,
        next_at=now,
        give_up_at=None if tried_for is None else now + tried_for,
        last_error="",
        delivered_at=None,
    )
    return again == 1


def give_up_waiting(*, source_id: UUID, why: str) -> int:
    """Send nothing more on somebody's behalf of what waits. Returns: how many that were."""
    waiting = OutboxMessage.objects.filter(source_id=source_id, state=OutboxMessage.State.PENDING)
    return waiting.update(state=OutboxMessage.State.FAILED, last_error=why)


def readdress_waiting(*, source_id: UUID, url: str, secret: str) -> None:
    """Let what waits on somebody's behalf go elsewhere, or be signed otherwise."""
    waiting = OutboxMessage.objects.filter(source_id=source_id, state=OutboxMessage.State.PENDING)
    for message_id in waiting.values_list("pk", flat=True):
        sealed = seal_secret(secret, context=message_id.bytes)
        waiting.filter(pk=message_id).update(target=url, sealed_secret=sealed)


def forget_sent() -> int:
    """Drop messages that left, or were given up, long ago. Returns: how many."""
    old = OutboxMessage.objects.filter(created_at__lt=datetime.now(UTC) - KEPT)
    deleted, _ = old.exclude(state=OutboxMessage.State.PENDING).delete()
    return deleted


class _Fault(msgspec.Struct, frozen=True):
    """Why a message did not leave, and whether it is of use to try again."""

    text: str
    final: bool = False


async def _send_all(messages: Sequence[OutboxMessage]) -> list[_Fault | None]:
    return await asyncio.gather(*[_send(message) for message in messages])


async def _send(message: OutboxMessage) -> _Fault | None:
    try:
        if message.channel == OutboxMessage.Channel.EMAIL:
            mail = Mail(
                id=str(message.pk), to=message.target, subject=message.subject, text=message.body
            )
            await asyncio.to_thread(send_mail, mail)
        else:
            await deliver(_webhook(message), allowed_origins=settings.WEBHOOK_ALLOWED_ORIGINS)
    except (WebhookRefused, SealBroken) as refusal:
        return _Fault(str(refusal), final=True)
    except (WebhookFailed, MailFailed) as failure:
        return _Fault(str(failure))
    except Exception as error:
        # One message that shows a bug of ours must not keep the others from leaving.
        logger.exception("message %s could not be sent", message.pk)
        return _Fault(type(error).__name__)
    return None


def _webhook(message: OutboxMessage) -> WebhookMessage:
    assert message.sealed_secret is not None, "a constraint of the table"
    return WebhookMessage(
        id=str(message.pk),
        url=message.target,
        body=message.body.encode(),
        secret=unseal_secret(bytes(message.sealed_secret), context=message.pk.bytes),
    )


def _note(message: OutboxMessage, fault: _Fault | None) -> None:
    """Write how an attempt ended, unless the message was settled by another meanwhile."""
    now = datetime.now(UTC)
    mine = OutboxMessage.objects.filter(pk=message.pk, state=OutboxMessage.State.PENDING)
    if fault is None:
        mine.update(state=OutboxMessage.State.DELIVERED, delivered_at=now, last_error="")
    elif (next_at := _next_at(message, fault, now)) is None:
        mine.update(state=OutboxMessage.State.FAILED, last_error=fault.text)
    else:
        mine.update(next_at=next_at, last_error=fault.text)


def _next_at(message: OutboxMessage, fault: _Fault, now: datetime) -> datetime | None:
    """Say when to try again; None if that is of no use, or was tried long enough."""
    if fault.final or message.attempts > len(PAUSES):
        return None
    next_at = now + PAUSES[message.attempts - 1]
    if message.give_up_at is None:
        return next_at
    return min(next_at, message.give_up_at) if now < message.give_up_at else None

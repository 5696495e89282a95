"""The receipt of a call: hold, attempts, charge, refund, by which prices, and who caused it.

Put together from the ledger (billing), the usage row (for ever) and the call row (a week: it alone
knows how much was held). Amounts are µcr.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from django.db import connection

from billing.errors import ReceiptNotFound
from billing.pricing import PER_MILLION
from billing.receipts import (
    CallMoney,
    PriceLine,
    media_lines,
    price_lines,
    read_call_money,
    read_call_price,
    read_media_price,
    read_speech_price,
    speech_lines,
)
from gateway.attempts import FailedAttempt
from gateway.operations.chat import ChatUsage
from gateway.operations.media import MediaUse
from gateway.operations.speech import SpeechUse
from studio.accounts.models import AppKey

_COMMON = """
workspace_id, app_key_id, app_id, user_ref, surface, operation, kind, channel, provider, model,
billing, price_version, markup_bp, started_at
"""
_USAGE = f"""
SELECT {_COMMON}, at, status, reason, http_status, attempt_log::text, usage_source, cost_ucr,
       COALESCE(input_tokens, 0), COALESCE(cached_input_tokens, 0), COALESCE(cache_write_tokens, 0),
       COALESCE(output_tokens, 0), COALESCE(reasoning_tokens, 0), latency_ms,
       item_count, COALESCE(media_ms, 0), COALESCE(character_count, 0)
FROM usage WHERE request_id = %s AND request_count > 0 AND status <> 'refused' ORDER BY at LIMIT 1
"""  # noqa: S608  our own words alone
_CALL = f"SELECT {_COMMON}, hold_ucr, attempts FROM gateway_call WHERE id = %s"  # noqa: S608  as above

_MADE = """
SELECT use::text FROM gateway_jobrun
WHERE job_id = %s AND state = 'succeeded' ORDER BY number LIMIT 1
"""
"""All runs of a job make the same kind of thing. Jobs are kept for months, usage for ever."""

_BY_ITEM = frozenset({"realtime"})
_SPEECH = "speech"
_HEARD = "transcription"


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt at a provider. `code` is empty for the one that answered; `status` the
    provider's, None if it gave none; `after_ms` from the first one's beginning to this one's end.
    """

    number: int
    provider: str
    model: str
    code: str
    status: int | None
    after_ms: int | None


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """Who called: the key (None for a JWT, or a key that is gone), and the labels."""

    app_key_id: int | None
    key_id: str | None
    last_four: str | None
    app_id: str
    user_ref: str


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of one call.

    `held_ucr` is None where it is not known any more. `state` is `open` until it is settled.
    `usage` are the counts it was charged by, None while it is open; `made` is what a job made,
    or the sound that was written down, `spoken` what speech used.
    `lines` are empty where nothing was charged by a price of ours.
    """

    request_id: UUID
    workspace_id: int
    started_at: datetime | None
    ended_at: datetime | None
    state: str
    reason: str
    http_status: int | None
    surface: str
    operation: str
    kind: str
    channel: str
    provider: str
    model: str
    billing: str
    cause: Cause
    held_ucr: int | None
    attempts: tuple[Attempt, ...]
    price_version: int | None
    markup_bp: int | None
    usage: ChatUsage | None
    made: MediaUse | None
    spoken: SpeechUse | None
    lines: tuple[PriceLine, ...]
    money: CallMoney
    cost_ucr: int


def read_receipt(request_id: UUID, *, workspace_id: int | None) -> Receipt:
    """Read a call's receipt; for staff (`workspace_id` None) of any workspace.

    Raises: ReceiptNotFound, also for another workspace's call.
    """
    call, row = _row(_CALL, request_id), _row(_USAGE, request_id)
    found = row or call
    if found is None or workspace_id not in (None, found[0]):
        raise ReceiptNotFound("There is no receipt for this request id.")
    common, ended = found[:14], row[14:] if row else None
    money = read_call_money(workspace_id=found[0], call_id=request_id)
    usage = _usage(ended) if ended else None
    made = _made(request_id, common[5], ended) if ended else None
    spoken = _spoken(ended) if ended and common[5] == _SPEECH else None
    held_ucr = call[14] if call is not None else money.open_ucr
    return Receipt(
        request_id=request_id,
        workspace_id=found[0],
        started_at=common[13],
        ended_at=ended[0] if ended else None,
        state=ended[1] if ended else "open",
        reason=ended[2] if ended else "",
        http_status=ended[3] if ended else None,
        surface=common[4],
        operation=common[5],
        kind=common[6],
        channel=common[7],
        provider=common[8],
        model=common[9],
        billing=common[10],
        cause=_cause(*common[1:4]),
        held_ucr=held_ucr,
        attempts=_attempts(common, ended, call),
        price_version=common[11],
        markup_bp=common[12],
        usage=usage,
        made=made,
        spoken=spoken,
        lines=_lines_of_speech(common, spoken, money)
        if common[5] == _SPEECH
        else _lines(common, usage, made, money),
        money=money,
        cost_ucr=ended[6] if ended else 0,
    )


def _row(query: str, request_id: UUID) -> tuple[Any, ...] | None:
    with connection.cursor() as cursor:
        cursor.execute(query, [request_id])
        row: tuple[Any, ...] | None = cursor.fetchone()
    return row


def _usage(ended: tuple[Any, ...]) -> ChatUsage:
    return ChatUsage(
        input_tokens=ended[7],
        cached_input_tokens=ended[8],
        cache_write_tokens=ended[9],
        output_tokens=ended[10],
        reasoning_tokens=ended[11],
        source=ended[5],
    )


def _spoken(ended: tuple[Any, ...]) -> SpeechUse:
    return SpeechUse(
        character_count=ended[15],
        media_ms=ended[14],
        input_tokens=ended[7],
        output_tokens=ended[10],
        source=ended[5],
    )


def _lines_of_speech(
    common: tuple[Any, ...], spoken: SpeechUse | None, money: CallMoney
) -> tuple[PriceLine, ...]:
    """Give the lines of speech; what was not charged has none."""
    provider, model, version = common[8], common[9], common[11]
    if spoken is None or version is None or money.charged_ucr == 0:
        return ()
    price = read_speech_price(version=version, provider=provider, model=model)
    return speech_lines(price, spoken) if price is not None else ()


def _made(job_id: UUID, operation: str, ended: tuple[Any, ...]) -> MediaUse | None:
    """Give what a job made in all, of the size and quality that its runs say, or the sound that was
    written down; None for any other call.
    """
    if operation == _HEARD:
        return MediaUse(item_count=1, media_ms=ended[14])
    if ended[13] is None:
        return None
    row = _row(_MADE, job_id)
    use = msgspec.json.decode(row[0], type=MediaUse) if row else MediaUse(item_count=0)
    return msgspec.structs.replace(use, item_count=ended[13], media_ms=ended[14])


def _cause(app_key_id: int | None, app_id: str, user_ref: str) -> Cause:
    key = None
    if app_key_id is not None:
        key = AppKey.objects.filter(pk=app_key_id).values_list("key_id", "last_four").first()
    key_id, last_four = key or (None, None)
    return Cause(
        app_key_id=app_key_id,
        key_id=key_id,
        last_four=last_four,
        app_id=app_id,
        user_ref=user_ref,
    )


def _attempts(
    common: tuple[Any, ...], ended: tuple[Any, ...] | None, call: tuple[Any, ...] | None
) -> tuple[Attempt, ...]:
    """Give the attempts that failed before, then the one that answered, or is under way.

    What was given again as it was made before was sent nowhere.
    """
    if common[10] == "none":
        return ()
    log = ended[4] if ended else None
    failed = msgspec.json.decode(log, type=list[FailedAttempt]) if log else []
    done = [
        Attempt(number=number, **msgspec.structs.asdict(attempt))
        for number, attempt in enumerate(failed, 1)
    ]
    number = len(done) + 1 if ended or call is None else call[15]
    last = Attempt(
        number=number,
        provider=common[8],
        model=common[9],
        code=ended[2] if ended else "",
        status=ended[3] if ended else None,
        after_ms=ended[12] if ended else None,
    )
    return (*done, last)


def _lines(
    common: tuple[Any, ...], usage: ChatUsage | None, made: MediaUse | None, money: CallMoney
) -> tuple[PriceLine, ...]:
    """Give the lines of a charge; a call that was not charged has none."""
    operation, provider, model, version = common[5], common[8], common[9], common[11]
    if usage is None or version is None or money.charged_ucr == 0:
        return ()
    if made is not None:
        media = read_media_price(
            version=version, operation=operation, provider=provider, model=model
        )
        return media_lines(media, made) if media is not None and made.item_count else ()
    price = read_call_price(version=version, operation=operation, provider=provider, model=model)
    if price is None:
        return ()
    return price_lines(price, usage, per=1 if operation in _BY_ITEM else PER_MILLION)

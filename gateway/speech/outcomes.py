"""What speech that ended is charged and recorded as."""

import asyncio
import time

import msgspec

from gateway.operations.speech import SpeechUse
from gateway.outcomes import end_state
from gateway.providers.base import UpstreamFailure
from gateway.speech.quotes import SpeechQuote
from gateway.speech.sending import SpeechSound
from gateway.statements import Outcome
from studio.core.errors import GatewayError

_NOTHING = SpeechUse(source="none")


def ended(  # noqa: PLR0913  one row of the usage table has this many sources
    quote: SpeechQuote,
    sound: SpeechSound,
    *,
    failure: GatewayError | None,
    left: bool,
    answer: bytes | None,
    media_type: str | None,
) -> Outcome:
    """Put together what the settle of a sound that began writes: what was relayed is paid.

    Of a sound that broke off nothing is kept under its Idempotency-Key, and the key stays: its
    caller has a part, and has paid for it.
    """
    use = sound.used()
    if left:
        state, reason = "cancelled", "client_left"
    else:
        known = failure if isinstance(failure, UpstreamFailure) else None
        state, reason = end_state(known, left=False, delivered=use is not None)
        if failure is not None and known is None:
            state, reason = "interrupted" if use else "failed", failure.code
    return _outcome(
        quote,
        sound,
        use,
        state=state,
        reason=reason,
        http_status=200,
        answer=answer,
        media_type=media_type or "",
    )


def failed(quote: SpeechQuote, sound: SpeechSound, error: BaseException) -> Outcome:
    """Release the hold of a sound that nobody got; its Idempotency-Key is free again."""
    state, reason, status = "failed", type(error).__name__, 500
    if isinstance(error, GatewayError):
        reason, status = error.code, error.status
    if isinstance(error, asyncio.CancelledError) or reason == "client_left":
        state = "cancelled"
    return _outcome(
        quote,
        sound,
        None,
        state=state,
        reason=reason,
        http_status=status,
        answer=None,
        media_type="",
    )


def _outcome(  # noqa: PLR0913  as above
    quote: SpeechQuote,
    sound: SpeechSound,
    use: SpeechUse | None,
    *,
    state: str,
    reason: str,
    http_status: int,
    answer: bytes | None,
    media_type: str,
) -> Outcome:
    caller, used = quote.task.caller, use or _NOTHING
    price = quote.price if quote.billing == "credits" else None
    first_s, sent_s = sound.first_s, sound.sent_s
    counted = use is not None and quote.by_tokens
    return Outcome(
        id=quote.task.id,
        workspace_id=caller.workspace_id,
        ledger_kind="usage" if use else "void",
        charge_ucr=price.charge_ucr(used, quote.markup_bp) if price else 0,
        cost_ucr=_cost_ucr(quote, sound, used),
        provider=quote.route.provider,
        model=quote.route.model,
        state=state,
        reason=reason,
        http_status=http_status,
        input_tokens=used.input_tokens,
        cached_input_tokens=0,
        cache_write_tokens=0,
        output_tokens=used.output_tokens,
        reasoning_tokens=0,
        usage_source=used.source,
        latency_ms=round((time.perf_counter() - sent_s) * 1000),
        first_byte_ms=round((first_s - sent_s) * 1000) if use and first_s is not None else None,
        billing=quote.billing,
        attempts=sound.attempts,
        attempt_log=msgspec.json.encode(sound.failed).decode() if sound.failed else None,
        counted_input_tokens=quote.likely.input_tokens if counted else None,
        counted_output_tokens=sound.relayed_units if counted else None,
        capped=price is not None
        and caller.spend_cap_ucr is not None
        and caller.app_key_id is not None,
        keep_answer=quote.task.claim is not None and use is not None,
        answer=answer,
        answer_media_type=media_type,
        character_count=used.character_count,
        media_ms=used.media_ms,
    )


def _cost_ucr(quote: SpeechQuote, sound: SpeechSound, used: SpeechUse) -> int:
    """Give what the provider bills us: also for pieces that it began and nobody heard."""
    price = quote.price if quote.billing == "credits" else None
    if price is None:
        return 0
    return max(price.cost_ucr(used), price.cost_ucr(sound.begun))

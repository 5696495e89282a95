"""What speech would cost, from the very body that would have it spoken."""

from typing import Any

from gateway.admission import require_scope
from gateway.operations.json_body import read_body
from gateway.purse import read_purse
from gateway.speech.quotes import SpeechQuote, quote_speech
from gateway.surfaces.asking import credit_number
from gateway.surfaces.door import Request
from gateway.surfaces.voice.asking import SCOPE
from gateway.surfaces.voice.audio import SPEECH, audio_task
from gateway.surfaces.voice.voice import VOICE, voice_task
from studio.accounts.callers import Caller
from studio.core.money import UCR_PER_CREDIT


async def estimate_speech(
    request: Request, caller: Caller, body: bytes, *, is_voice: bool
) -> dict[str, Any]:
    """Give what a body of /v1/voice, or of /v1/audio/speech, would hold and likely cost.

    Nothing is asked, held or sent; what was spoken before is not looked for.
    Raises: InvalidRequest, and what `quote_speech` raises.
    """
    require_scope(caller, SCOPE)
    if is_voice:
        task = voice_task(request, caller, read_body(VOICE, body))
    else:
        task = audio_task(request, caller, read_body(SPEECH, body))
    quote = quote_speech(request.runtime, task)
    paid = quote.billing == "credits"
    purse = await read_purse(request.runtime, caller, app_id=task.app_id, paid=paid)
    return {
        "model": quote.route.model,
        "provider": quote.route.provider,
        "kind": quote.resolution.kind,
        "channel": quote.resolution.channel,
        "tier": caller.tier,
        "billing": quote.billing,
        "markup_percent": credit_number(quote.markup_bp * UCR_PER_CREDIT // 100),
        "currency": "credits",
        "ceiling": credit_number(quote.hold_ucr),
        "likely": credit_number(_likely_ucr(quote)),
        "characters": quote.likely.character_count,
        "price": _price(quote),
        "affordable": purse.open and quote.hold_ucr <= purse.available_ucr,
        "available": credit_number(purse.available_ucr),
    }


def _likely_ucr(quote: SpeechQuote) -> int:
    if quote.price is None or quote.billing != "credits":
        return 0
    return quote.price.charge_ucr(quote.likely, quote.markup_bp)


def _price(quote: SpeechQuote) -> dict[str, Any] | None:
    """Give credits per million of each class, before the markup."""
    if quote.price is None:
        return None
    found = quote.price.quantities(quote.likely).items()
    shown = {meter: credit_number(rate_ucr) for meter, (_, rate_ucr) in found}
    return {**shown, "price_version": quote.price_version}

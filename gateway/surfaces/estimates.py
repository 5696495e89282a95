"""POST /v1/estimate: what a call or a job would cost, from its very body."""

from typing import Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

from gateway.admission import require_scope
from gateway.estimating import Estimate, Tokens, estimate_chat, estimate_single
from gateway.operations.chat import decode_chat
from gateway.operations.embedding import decode_embedding
from gateway.operations.json_body import read_body
from gateway.quoting import ChatTask
from gateway.surfaces.chat import check_media_type
from gateway.surfaces.door import Answer, Request
from gateway.surfaces.entry import entered
from gateway.surfaces.jobs.estimates import estimate_job
from gateway.surfaces.single import single_task
from gateway.surfaces.voice.estimates import estimate_speech
from gateway.works import EmbeddingWork
from studio.accounts.callers import Caller
from studio.core.errors import InvalidRequest
from studio.core.money import UCR_PER_CREDIT, credits_text

_BODY_LIMIT_BYTES = 2 * 1024 * 1024
_ABSENT = Raw(b"")


class _Told(msgspec.Struct):
    """The fields that tell which call a body is for."""

    messages: Raw = _ABSENT
    input: Raw = _ABSENT
    prompt: Raw = _ABSENT
    text: Raw = _ABSENT
    voice: Raw = _ABSENT


class _Price(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Credits per million tokens before the markup, by class."""

    input: Raw
    cached_input: Raw | UnsetType = UNSET
    cache_write: Raw | UnsetType = UNSET
    output: Raw | UnsetType = UNSET
    price_version: int


class _Body(msgspec.Struct, kw_only=True):
    """The answer; amounts are credits, exact JSON numbers."""

    model: str
    provider: str
    kind: str
    channel: str
    tier: str
    billing: str
    markup_percent: Raw
    currency: str = "credits"
    ceiling: Raw
    likely: Raw
    input_tokens: Tokens
    output_tokens: Tokens
    price: _Price | None
    affordable: bool
    available: Raw


_TOLD = msgspec.json.Decoder(_Told)


async def estimate(request: Request) -> Answer:
    """Answer what the call would hold and likely cost; nothing is held, charged or sent."""
    async with entered(request, "estimate") as admitted:
        caller = admitted.caller
        check_media_type(request)
        body = await request.read_body(_BODY_LIMIT_BYTES)
        written = await _estimated(request, caller, body)
        return Answer(body=msgspec.json.encode(written), headers=[(b"cache-control", b"no-store")])


async def _estimated(request: Request, caller: Caller, body: bytes) -> "_Body | dict[str, Any]":
    told = read_body(_TOLD, body)
    fields = (told.messages, told.input, told.prompt, told.text)
    chat, embedding, job, text = (field != _ABSENT for field in fields)
    if chat + embedding + job + text != 1:
        raise InvalidRequest(
            "Send the body of a chat (with messages), of embeddings (with input), of images or "
            "music (with prompt), or of speech (with text, or with input and voice)."
        )
    if text or (embedding and told.voice != _ABSENT):
        return await estimate_speech(request, caller, body, is_voice=text)
    if job:
        return await estimate_job(request, caller, body)
    require_scope(caller, "chat")
    return _written(await (_chat if chat else _embedding)(request, caller, body), caller)


async def _chat(request: Request, caller: Caller, body: bytes) -> Estimate:
    task = single_task(request, caller)
    return await estimate_chat(
        request.runtime,
        ChatTask(
            id=task.id,
            caller=caller,
            surface=task.surface,
            channel=task.channel,
            app_id=task.app_id,
            user_ref=task.user_ref,
            request=decode_chat(body),
            body_bytes=len(body),
            claim=None,
            started_s=task.started_s,
            user_keys=task.user_keys,
        ),
    )


async def _embedding(request: Request, caller: Caller, body: bytes) -> Estimate:
    work = EmbeddingWork(decode_embedding(body))
    return await estimate_single(request.runtime, single_task(request, caller), work)


def _written(estimated: Estimate, caller: Caller) -> _Body:
    return _Body(
        model=estimated.model,
        provider=estimated.provider,
        kind=estimated.kind,
        channel=estimated.channel,
        tier=caller.tier,
        billing=estimated.billing,
        markup_percent=_hundredths(estimated.markup_bp),
        ceiling=_credits(estimated.ceiling_ucr),
        likely=_credits(estimated.likely_ucr),
        input_tokens=estimated.input_tokens,
        output_tokens=estimated.output_tokens,
        price=_price(estimated),
        affordable=estimated.affordable,
        available=_credits(estimated.available_ucr),
    )


def _price(estimated: Estimate) -> _Price | None:
    if estimated.price is None:
        return None
    by_meter = estimated.price.list_ucr_by_meter(estimated.likely)
    shown = {meter: _credits(amount_ucr) for meter, amount_ucr in by_meter.items()}
    return _Price(**shown, price_version=estimated.price_version)


def _credits(amount_ucr: int) -> Raw:
    """Write credits as a JSON number, exactly: no float in between."""
    return Raw(credits_text(amount_ucr).encode())


def _hundredths(markup_bp: int) -> Raw:
    """Write basis points as percent, exactly."""
    return _credits(markup_bp * UCR_PER_CREDIT // 100)

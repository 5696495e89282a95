"""What surfaces of speech share: the text to speak, and what the headers say of its sound."""

import asyncio
from base64 import b64encode

from gateway.idempotency import Claim
from gateway.operations.speech import MOST_CHARACTERS, SpeechRequest
from gateway.speech.answers import Speech, SpeechHead
from gateway.speech.quotes import SpeechTask
from gateway.surfaces.answers import Headers, paid_headers
from gateway.surfaces.door import Request
from gateway.surfaces.entry import read_channel, read_labels
from studio.accounts.callers import Caller
from studio.core.errors import InvalidRequest
from studio.core.money import credits_text

BODY_LIMIT_BYTES = 256 * 1024
SCOPE = "audio"
_PIECE_BYTES = 3 * 128 * 1024
"""A multiple of three, so that pieces of base64 join without padding in between."""


def speech_task(
    request: Request,
    caller: Caller,
    spoken: SpeechRequest,
    *,
    kind: str | None = None,
    model: str | None = None,
    claim: Claim | None = None,
) -> SpeechTask:
    """Give the call that a request asks for, with its labels, its channel and its wish to cache.

    Raises: InvalidRequest if a label is not printable text.
    """
    labels = read_labels(request, caller)
    wishes = _cache_control(request)
    return SpeechTask(
        id=request.id,
        caller=caller,
        surface=request.surface,
        channel=read_channel(request, caller),
        app_id=labels.app_id,
        user_ref=labels.user_ref,
        request=spoken,
        started_s=request.started,
        kind=kind,
        model=model,
        claim=claim,
        user_keys=request.user_keys,
        reads_cache=wishes.isdisjoint({"no-store", "no-cache"}),
        fills_cache="no-store" not in wishes,
        client_left=request.wait_for_disconnect,
    )


def check_text(text: str, field: str) -> str:
    """Refuse a text that cannot be spoken. Raises: InvalidRequest naming the field."""
    if not text.strip():
        raise InvalidRequest(f"{field}: cannot be empty.", details={"param": field})
    if len(text) > MOST_CHARACTERS:
        raise InvalidRequest(
            f"{field}: may have at most {MOST_CHARACTERS} characters.", details={"param": field}
        )
    return text


def speech_headers(request: Request, spoken: Speech | SpeechHead) -> Headers:
    """Say by what a text is spoken, and where its sound comes from."""
    headers: Headers = []
    if spoken.cached is not None:
        headers.append((b"x-cache", b"hit" if spoken.cached else b"miss"))
    if spoken.sandbox:
        request.upstream = "sandbox"
        headers.append((b"x-studio-upstream", b"sandbox"))
    if spoken.deprecation:
        headers.append((b"deprecation", spoken.deprecation.encode()))
    if spoken.attempts > 1:
        headers.append((b"x-studio-attempts", b"%d" % spoken.attempts))
    return headers


def whole_headers(request: Request, speech: Speech) -> Headers:
    """Say what a whole sound cost, and what is left."""
    paid = paid_headers(
        charged_ucr=speech.charged_ucr,
        remaining_ucr=speech.remaining_ucr,
        overhead_ms=speech.overhead_ms,
    )
    return paid + speech_headers(request, speech)


def relay_headers(request: Request, head: SpeechHead, media_type: bytes) -> Headers:
    """Say what is held for a sound that is on its way."""
    headers: Headers = []
    if head.held_ucr is not None:
        headers.append((b"x-credits-held", credits_text(head.held_ucr).encode()))
    headers += paid_headers(charged_ucr=None, remaining_ucr=None, overhead_ms=head.overhead_ms)
    headers += [
        (b"content-type", media_type),
        (b"cache-control", b"no-cache, no-transform"),
        (b"x-accel-buffering", b"no"),
    ]
    return headers + speech_headers(request, head)


async def base64_of(data: bytes) -> bytes:
    """Write bytes in base64, piece by piece, so that others get their turn between the pieces."""
    if len(data) <= _PIECE_BYTES:
        return b64encode(data)
    pieces = []
    for start in range(0, len(data), _PIECE_BYTES):
        pieces.append(b64encode(data[start : start + _PIECE_BYTES]))
        await asyncio.sleep(0)
    return b"".join(pieces)


def _cache_control(request: Request) -> set[str]:
    """Read what a client wishes of caches. Source: RFC 9111 (2022), 5.2.1."""
    header = request.headers.get(b"cache-control", b"").decode("latin-1").lower()
    return {wish.strip() for wish in header.split(",")}

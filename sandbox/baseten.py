"""Baseten's Orpheus: samples without a header, whatever the answer calls itself.

Source: github basetenlabs/truss-examples, orpheus-best-performance @dc9c166 (2026-04);
docs.baseten.co, Calling your model (2026): paths, `Api-Key`. Errors of the platform are JSON with
`error`, at second hand; those of the model plain text.
Left out: asynchronous calls, whether a deployment is FP8 or FP16 (its address says so).
"""

import re

import msgspec

from sandbox.faults import HEADER, UnknownFault, faults_of
from sandbox.messages import Json, Reply, Request
from sandbox.voices_files import Form, speech

FIRST_BYTE_MS, PACE_MS = 80, 4
_PATH = re.compile(
    r"(?:/[a-z0-9]+)?"
    r"(?:/environments/[a-z0-9-]+|/production|/development|/deployment/[a-z0-9]+)?/predict"
)
_FORM = Form("", "pcm_s16le", 24_000, media_type="audio/wav")
_FIELDS = (
    *("prompt", "voice", "max_tokens", "temperature", "top_p", "repetition_penalty"),
    *("max_chunk_size", "request_id", "stop_token_ids"),
)
_TAG = re.compile(r"<(?:laugh|chuckle|sigh|cough|sniffle|groan|yawn|gasp)>")
_DONE = "hhh"
"""How a tag sounds."""
_JSON = (b"content-type", b"application/json")
_PLAIN = (b"content-type", b"text/plain; charset=utf-8")


def answer(request: Request) -> Reply:
    """Answer one request as a deployment would."""
    if not _PATH.fullmatch(request.path):
        return _refusal(404, "model not found")
    if request.method != "POST":
        return _refusal(405, "method not allowed")
    scheme, _, key = request.header(b"authorization").partition(" ")
    if scheme != "Api-Key" or not key.strip():
        return _refusal(401, "missing or malformed Api-Key")
    if "invalid" in key:
        return _refusal(403, "API key is not valid")
    if "ratelimited" in key or "quota" in key:
        return _refusal(429, "too many requests")
    return _spoken(request)


def _spoken(request: Request) -> Reply:
    wanted = _decoded(request.body)
    text = wanted.get("prompt") if wanted is not None else None
    if wanted is None or not isinstance(text, str) or not text.strip():
        return _broken("prompt is required")
    try:
        asked, rest = faults_of(request.headers.get(HEADER), text)
    except UnknownFault as error:
        return _refusal(400, str(error))
    faults = request.due(asked) if asked.times else asked
    if faults.status:
        reply = _refusal(faults.status, "The sandbox was asked for it.")
        if faults.code == "text" or faults.status == 500:
            reply = _broken("Traceback: CUDA error", status=faults.status)
        if faults.retry_after:
            reply.headers.append((b"retry-after", faults.retry_after.encode()))
        return reply
    unknown = [name for name in wanted if name not in _FIELDS]
    if unknown or faults.reject in wanted:
        return _broken(f"unexpected field: {(unknown or [faults.reject])[0]}")
    said = _TAG.sub(_DONE, rest) or _DONE
    return Reply(
        headers=[
            (b"content-type", _FORM.media_type.encode()),
            (b"x-baseten-input-tokens", b"%d" % len(text)),
        ],
        pieces=speech(said, str(wanted.get("voice") or "tara"), _FORM),
        pace_ms=PACE_MS,
        faults=msgspec.structs.replace(faults, latency_ms=faults.latency_ms or FIRST_BYTE_MS),
    )


def _decoded(body: bytes) -> Json | None:
    try:
        wanted = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
    return wanted if isinstance(wanted, dict) else None


def _refusal(status: int, message: str) -> Reply:
    return Reply(status=status, headers=[_JSON], body=msgspec.json.encode({"error": message}))


def _broken(message: str, *, status: int = 500) -> Reply:
    return Reply(status=status, headers=[_PLAIN], body=message.encode())

"""POST /v1/audio/transcriptions, OpenAI's form: a sound goes in, text comes out.

Bodies are in memory, three times over while one is sent on; how much of them a process has at once
is bounded by `SOUND_BODIES_MB`.
"""

import asyncio
import secrets
from hashlib import sha256
from typing import cast, get_args

import msgspec
from django.conf import settings

from gateway.admission import require_scope
from gateway.idempotency import Claim, look_up, read_claim
from gateway.operations.transcription import (
    MOST_PROMPT_CHARACTERS,
    MOST_SOUND_BYTES,
    Granularity,
    SoundKind,
    TranscriptFormat,
    TranscriptionRequest,
    sound_kind,
)
from gateway.single import perform
from gateway.sound_children import SoundsBusy
from gateway.surfaces.door import Answer, Request
from gateway.surfaces.entry import entered
from gateway.surfaces.multipart import Form, FormReader
from gateway.surfaces.single import replayed, single_headers, single_task
from gateway.transcribing import TranscriptionWork, measure_sound
from studio.accounts.callers import Caller
from studio.core.errors import BodyTooLarge, InvalidRequest

_BODY_LIMIT_BYTES = MOST_SOUND_BYTES + 256 * 1024
_PATIENCE_S = 120
"""For 25 MB at 2 Mbit/s."""
_COPIES = 3
_FIELDS = frozenset(
    (
        *("model", "kind", "language", "prompt", "response_format", "temperature", "stream"),
        *("timestamp_granularities", "timestamp_granularities[]"),
    )
)
_LISTS = ("timestamp_granularities", "timestamp_granularities[]")
_LONGEST_NAME = 256
_LONGEST_LANGUAGE = 16


class _Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The texts of a form, checked; its file is still to be measured."""

    sound: bytes | bytearray
    sound_kind: SoundKind
    model: str | None
    asked_kind: str | None
    response_format: TranscriptFormat
    language: str
    prompt: str
    temperature: float | None
    granularities: tuple[Granularity, ...]


class _Memory:
    """How much of bodies this process has in memory; touched by its event loop alone."""

    def __init__(self) -> None:
        self._taken_bytes = 0

    def hold(self, request: Request) -> None:
        """Count a request's body until the request has ended. Raises: BodyTooLarge, SoundsBusy."""
        declared = request.headers.get(b"content-length", b"")
        amount_bytes = int(declared) if declared.isdigit() else _BODY_LIMIT_BYTES
        if amount_bytes > _BODY_LIMIT_BYTES:
            raise BodyTooLarge(f"A sound may have at most {MOST_SOUND_BYTES} bytes.")
        amount_bytes *= _COPIES
        if self._taken_bytes + amount_bytes > settings.SOUND_BODIES_MB * 1024 * 1024:
            raise SoundsBusy(
                "Too many sounds are being sent at this moment. Please try again.",
                headers={"Retry-After": "5"},
            )
        self._taken_bytes += amount_bytes
        request.at_end(lambda: self._give_back(amount_bytes))

    def _give_back(self, amount_bytes: int) -> None:
        self._taken_bytes -= amount_bytes


_memory = _Memory()


async def transcriptions(request: Request) -> Answer:
    """Answer with what a sound says."""
    async with entered(request, "transcription") as admitted:
        caller = admitted.caller
        require_scope(caller, "audio")
        asked = _checked(await _read(request))
        claim = await _claim(request, caller, asked)
        if claim is not None:
            stored = await look_up(request.runtime.pool, claim, workspace_id=caller.workspace_id)
            if stored is not None:
                return replayed(stored)
        wanted = await _measured(asked)
        task = single_task(request, caller, claim)
        answer = await perform(request.runtime, task, TranscriptionWork(wanted))
        return Answer(
            body=answer.answer.body,
            media_type=answer.answer.media_type.encode(),
            headers=single_headers(request, answer),
        )


async def _read(request: Request) -> Form:
    _memory.hold(request)
    content_type = request.headers.get(b"content-type")
    reader = FormReader(content_type, most_file_bytes=MOST_SOUND_BYTES)
    await request.receive_body(_BODY_LIMIT_BYTES, reader.feed, patience_s=_PATIENCE_S)
    return reader.form()


async def _claim(request: Request, caller: Caller, asked: _Asked) -> Claim | None:
    """Give the claim of an Idempotency-Key: on what was asked for and on the sound, whatever the
    form's boundary and the file's name were, which another try has anew.
    """
    key = request.headers.get(b"idempotency-key")
    if key is None:
        return None
    said = msgspec.json.encode(msgspec.structs.replace(asked, sound=b""))
    digest = await asyncio.to_thread(lambda: sha256(asked.sound).digest())
    return read_claim(key, caller=caller, route=request.path, body=said + digest)


async def _measured(asked: _Asked) -> TranscriptionRequest:
    media_ms = await measure_sound(asked.sound, asked.sound_kind)
    return TranscriptionRequest(
        sound=asked.sound,
        kind=asked.sound_kind,
        media_ms=media_ms,
        boundary=f"studio-{secrets.token_hex(16)}",
        model=asked.model,
        asked_kind=asked.asked_kind,
        response_format=asked.response_format,
        language=asked.language,
        prompt=asked.prompt,
        temperature=asked.temperature,
        granularities=asked.granularities,
    )


def _checked(form: Form) -> _Asked:
    """Read the fields. Raises: InvalidRequest."""
    for name, given in form.texts.items():
        if name not in _FIELDS:
            raise _refused(name[:_LONGEST_NAME], "unknown field")
        if len(given) > 1 and name not in _LISTS:
            raise _refused(name, "given more than once")
    if not form.file:
        raise _refused("file", "required")
    if _one(form, "stream", "false") not in ("false", "False"):
        raise _refused("stream", "transcriptions are not streamed here; leave it out")
    model, kind = _one(form, "model") or None, _one(form, "kind") or None
    if model is None and kind is None:
        kind = "transcription.default"
    form_name = _format(_one(form, "response_format", "json"))
    return _Asked(
        sound=form.file,
        sound_kind=sound_kind(form.file),
        model=model,
        asked_kind=kind,
        response_format=form_name,
        language=_one(form, "language", most=_LONGEST_LANGUAGE),
        prompt=_one(form, "prompt", most=MOST_PROMPT_CHARACTERS),
        temperature=_temperature(_one(form, "temperature")),
        granularities=_granularities(form, form_name),
    )


def _one(form: Form, name: str, otherwise: str = "", *, most: int = _LONGEST_NAME) -> str:
    text = form.texts.get(name, [otherwise])[0]
    if len(text) > most or "\0" in text:
        raise _refused(name, f"may have at most {most} characters, none of them NUL")
    return text


def _format(name: str) -> TranscriptFormat:
    known = get_args(TranscriptFormat)
    if name not in known:
        raise _refused("response_format", f"one of {', '.join(known)}")
    return cast(TranscriptFormat, name)


def _temperature(text: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError as error:
        raise _refused("temperature", "a number from 0 to 1") from error
    if not 0 <= value <= 1:
        raise _refused("temperature", "a number from 0 to 1")
    return value


def _granularities(form: Form, form_name: TranscriptFormat) -> tuple[Granularity, ...]:
    given = tuple(dict.fromkeys(word for name in _LISTS for word in form.texts.get(name, ())))
    known = get_args(Granularity)
    if not set(given) <= set(known):
        raise _refused("timestamp_granularities", f"each one of {', '.join(known)}")
    if given and form_name != "verbose_json":
        raise _refused("timestamp_granularities", "needs response_format verbose_json")
    return cast(tuple[Granularity, ...], given)


def _refused(name: str, reason: str) -> InvalidRequest:
    return InvalidRequest(f"{name}: {reason}", details={"param": name})

"""Bettering a prompt before a picture is made of it: a chat of its own, held and charged as one.

Whatever keeps it from being done, the plain prompt is used and the answer says why.
"""

import asyncio
import hashlib
import time
from typing import Any, Literal

import msgspec

from gateway.chat import complete
from gateway.errors import (
    AnswerNotKept,
    IdempotencyConflict,
    IdempotencyMismatch,
    UserKeyNeeded,
)
from gateway.idempotency import Claim, look_up
from gateway.imaging.enhancing import (
    CHANNEL,
    NotEnhanced,
    Subject,
    enhanced_prompt,
    question_about,
)
from gateway.jobs.quoting import JobQuote, JobTask
from gateway.operations.chat import ChatRequest
from gateway.purse import read_purse
from gateway.quoting import ChatTask, quote_chat
from gateway.surfaces.asking import credit_number
from gateway.surfaces.door import Request
from studio.core.errors import Forbidden, GatewayError
from studio.core.ids import new_id_text
from studio.core.money import credits_text

_LONGEST_S = 15
_SCOPE = "chat"
_POOR = "Insufficient credits for it beside the pictures."
_OWN_KEY = "The pictures are made by your own key, and it would cost credits."


class Enhancement(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a prompt. `reason` says why it is as it was; `request_id` is the chat's.

    `prompt` is None where the plain one is used.
    """

    status: Literal["enhanced", "off", "skipped", "failed"]
    prompt: str | None = None
    reason: str | None = None
    request_id: str | None = None
    charged_ucr: int = 0

    def kept(self) -> dict[str, str | None]:
        """Give what a job keeps of it, and shows: no prompt."""
        return {
            "status": self.status,
            "reason": self.reason,
            "request_id": self.request_id,
            "credits": credits_text(self.charged_ucr),
        }

    def shown(self) -> dict[str, Any]:
        """Give what callers see of it beside the prompt."""
        return {**self.kept(), "credits": credit_number(self.charged_ucr)}


async def enhance(
    request: Request, task: JobTask, quote: JobQuote, subject: Subject
) -> Enhancement:
    """Better the prompt of a job that is about to be submitted, if it can be paid beside the job.

    Raises: IdempotencyConflict, IdempotencyMismatch: another request has this Idempotency-Key.
    """
    asked = _chat_task(request, task, question_about(subject))
    try:
        stored = await _stored(request, task)
        if stored is not None:
            return _read(subject.prompt, stored, Enhancement(status="enhanced"))
        reason = await _obstacle(request, asked, quote)
        if reason is not None:
            return Enhancement(status="skipped", reason=reason)
        async with asyncio.timeout(_LONGEST_S):
            answer = await complete(request.runtime, asked)
    except (IdempotencyConflict, IdempotencyMismatch):
        raise
    except TimeoutError:
        return Enhancement(status="failed", reason="It took too long.")
    except GatewayError as error:
        return Enhancement(status="failed", reason=error.message)
    done = Enhancement(status="enhanced", request_id=asked.id, charged_ucr=answer.charged_ucr)
    return _read(subject.prompt, answer.body, done)


async def stored_prompt(request: Request, task: JobTask, prompt: str) -> str | None:
    """Give what the prompt was made of before, under the job's Idempotency-Key; None if that is
    not kept any more.
    """
    try:
        stored = await _stored(request, task)
    except AnswerNotKept:
        return None
    if stored is None:
        return None
    return _read(prompt, stored, Enhancement(status="enhanced")).prompt


async def _stored(request: Request, task: JobTask) -> bytes | None:
    """Give what the chat answered under this key, if it did.

    Raises: IdempotencyConflict, IdempotencyMismatch, AnswerNotKept.
    """
    claim = _claim_of(task)
    if claim is None:
        return None
    workspace_id = task.caller.workspace_id
    stored = await look_up(request.runtime.pool, claim, workspace_id=workspace_id)
    return None if stored is None else stored.body


async def _obstacle(request: Request, asked: ChatTask, quote: JobQuote) -> str | None:
    """Say what keeps the chat from being asked; None if nothing does. Raises: what quotes raise."""
    caller = asked.caller
    if _SCOPE not in caller.scopes:
        return f'This key lacks the scope "{_SCOPE}".'
    try:
        chat = quote_chat(request.runtime, asked)
    except UserKeyNeeded:
        return _OWN_KEY
    except Forbidden as error:
        return error.message
    if chat.billing != "credits":
        return None
    if quote.billing != "credits":
        return _OWN_KEY
    purse = await read_purse(request.runtime, caller, app_id=asked.app_id, paid=True)
    needed_ucr = quote.hold_ucr + chat.ceiling_ucr
    return None if purse.open and needed_ucr <= purse.available_ucr else _POOR


def _read(prompt: str, answer: bytes, done: Enhancement) -> Enhancement:
    try:
        return msgspec.structs.replace(done, prompt=enhanced_prompt(prompt, answer))
    except NotEnhanced as error:
        return msgspec.structs.replace(done, status="failed", reason=str(error))


def _chat_task(request: Request, task: JobTask, chat: ChatRequest) -> ChatTask:
    return ChatTask(
        id=new_id_text(),
        caller=task.caller,
        surface=task.surface,
        channel=CHANNEL,
        app_id=task.app_id,
        user_ref=task.user_ref,
        request=chat,
        body_bytes=len(msgspec.json.encode(chat)),
        claim=_claim_of(task),
        started_s=time.perf_counter(),
        user_keys=request.user_keys,
    )


def _claim_of(task: JobTask) -> Claim | None:
    """Give the chat a key of its own, so that it is not asked twice for one Idempotency-Key."""
    if task.claim is None:
        return None
    return Claim(
        key_digest=hashlib.sha256(b"enhance\0" + task.claim.key_digest).digest(),
        request_digest=task.claim.request_digest,
    )

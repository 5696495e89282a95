"""What surfaces of one question and one answer share: the call to make, and what its answer says
of it.
"""

from typing import Any

from gateway.idempotency import Claim, StoredAnswer
from gateway.single import JSON_TYPE, SingleAnswer
from gateway.single_quotes import SingleTask
from gateway.surfaces.answers import Headers, paid_headers
from gateway.surfaces.door import Answer, Request
from gateway.surfaces.entry import read_channel, read_labels
from studio.accounts.callers import Caller


def single_task(request: Request, caller: Caller, claim: Claim | None = None) -> SingleTask:
    """Give the call that a request asks for, with its labels and its channel.

    Raises: InvalidRequest if a label is not printable text.
    """
    labels = read_labels(request, caller)
    return SingleTask(
        id=request.id,
        caller=caller,
        surface=request.surface,
        channel=read_channel(request, caller),
        app_id=labels.app_id,
        user_ref=labels.user_ref,
        claim=claim,
        started_s=request.started,
        user_keys=request.user_keys,
    )


def single_headers(request: Request, answer: SingleAnswer[Any]) -> Headers:
    """Say what the call cost, what is left, and what answered it."""
    headers = paid_headers(
        charged_ucr=answer.charged_ucr,
        remaining_ucr=answer.remaining_ucr,
        overhead_ms=answer.overhead_ms,
    )
    if answer.sandbox:
        request.upstream = "sandbox"
        headers.append((b"x-studio-upstream", b"sandbox"))
    if answer.deprecation:
        headers.append((b"deprecation", answer.deprecation.encode()))
    return headers


def replayed(stored: StoredAnswer) -> Answer:
    """Give a stored answer again."""
    return Answer(
        status=stored.status,
        body=stored.body,
        media_type=(stored.media_type or JSON_TYPE).encode(),
        headers=[(b"idempotent-replayed", b"true")],
    )

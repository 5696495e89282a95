"""GET /v1/ephemeral: a short-lived secret by which a client opens a realtime session with the
provider itself.
"""

import msgspec

from gateway.admission import require_scope
from gateway.errors import AnswerNotKept
from gateway.idempotency import look_up, read_claim
from gateway.operations.realtime import read_realtime
from gateway.single import perform
from gateway.surfaces.door import Answer, Request
from gateway.surfaces.entry import entered
from gateway.surfaces.single import single_headers, single_task
from gateway.works import RealtimeWork


async def ephemeral(request: Request) -> Answer:
    """Answer with a secret. It is kept nowhere: an Idempotency-Key only keeps it from being given,
    and paid for, twice.
    """
    async with entered(request, "realtime") as admitted:
        caller = admitted.caller
        require_scope(caller, "realtime")
        wanted = read_realtime(request.query)
        claim = read_claim(
            request.headers.get(b"idempotency-key"),
            caller=caller,
            route=request.path,
            body=request.query,
        )
        if claim is not None:
            try:
                await look_up(request.runtime.pool, claim, workspace_id=caller.workspace_id)
            except AnswerNotKept as error:
                raise AnswerNotKept(
                    "This Idempotency-Key was answered, and a secret is never kept: use a new key."
                ) from error
        task = single_task(request, caller, claim)
        answer = await perform(request.runtime, task, RealtimeWork(wanted))
        secret = answer.answer
        body = {"client_secret": {"value": secret.value, "expires_at": secret.expires_at}}
        headers = single_headers(request, answer)
        headers.append((b"cache-control", b"no-store"))
        return Answer(body=msgspec.json.encode(body), headers=headers)

"""POST /v1/embeddings."""

from gateway.admission import require_scope
from gateway.idempotency import look_up, read_claim
from gateway.operations.embedding import decode_embedding
from gateway.single import perform
from gateway.surfaces.chat import check_media_type
from gateway.surfaces.door import Answer, Request
from gateway.surfaces.entry import entered
from gateway.surfaces.single import replayed, single_headers, single_task
from gateway.works import EmbeddingWork

_BODY_LIMIT_BYTES = 2 * 1024 * 1024


async def embeddings(request: Request) -> Answer:
    """Answer with one vector for each input. Whoever may chat may do this: it costs less."""
    async with entered(request, "embedding") as admitted:
        caller = admitted.caller
        require_scope(caller, "chat")
        check_media_type(request)
        body = await request.read_body(_BODY_LIMIT_BYTES)
        wanted = decode_embedding(body)
        claim = read_claim(
            request.headers.get(b"idempotency-key"), caller=caller, route=request.path, body=body
        )
        if claim is not None:
            stored = await look_up(request.runtime.pool, claim, workspace_id=caller.workspace_id)
            if stored is not None:
                return replayed(stored)
        task = single_task(request, caller, claim)
        answer = await perform(request.runtime, task, EmbeddingWork(wanted))
        return Answer(body=answer.answer, headers=single_headers(request, answer))

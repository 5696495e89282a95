"""/v1/music: a job for one piece of music, under an id and an address of ours."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from gateway.admission import require_scope
from gateway.jobs.queries import read_job
from gateway.jobs.views import JobView
from gateway.operations.json_body import read_body
from gateway.operations.music import DEFAULT_S, LEAST_S, MOST_S, MusicRequest
from gateway.surfaces.chat import check_media_type
from gateway.surfaces.door import Answer, Request
from gateway.surfaces.entry import entered
from gateway.surfaces.jobs.files import file_base64, file_urls
from gateway.surfaces.jobs.making import Wanted, made_headers, make
from gateway.surfaces.jobs.views import path_id, state_headers
from gateway.surfaces.studio.images import BODY_LIMIT_BYTES, STATES, Name, Prompt
from studio.accounts.callers import Caller
from studio.core.errors import NotFound


class MusicBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What POST /v1/music takes; `duration` in whole seconds."""

    prompt: Prompt
    kind: Name | None = None
    model: Name | None = None
    duration: Annotated[int, Meta(ge=LEAST_S, le=MOST_S)] = DEFAULT_S
    instrumental: bool = False
    wait: bool = True

    def wanted(self) -> Wanted:
        """Give the job that this asks for."""
        return Wanted(
            request=MusicRequest(
                prompt=self.prompt,
                duration_ms=self.duration * 1000,
                instrumental=self.instrumental,
            ),
            kind=self.kind,
            model=self.model,
            parameters={"duration": self.duration, "instrumental": self.instrumental},
            wait=self.wait,
        )


MUSIC = msgspec.json.Decoder(MusicBody)


async def music(request: Request) -> Answer:
    """Make a piece of music. With `wait` (the default) the answer has it, else the job's id."""
    async with entered(request, "music") as admitted:
        caller = admitted.caller
        check_media_type(request)
        body = await request.read_body(BODY_LIMIT_BYTES)
        outcome = await make(request, caller, read_body(MUSIC, body).wanted(), body)
        job = outcome.checked()
        return Answer(
            status=200 if job.is_final else 202,
            body=msgspec.json.encode(await _body(request, caller, job)),
            headers=made_headers(request, outcome),
        )


async def piece(request: Request) -> Answer:
    """Show how a piece of music stands. It reads our database and asks no provider."""
    async with entered(request, "music") as admitted:
        caller = admitted.caller
        require_scope(caller, "audio")
        job = await read_job(request.runtime, path_id(request), workspace_id=caller.workspace_id)
        if job.operation != "music":
            raise NotFound("There is no such piece of music.")
        return Answer(
            body=msgspec.json.encode(await _body(request, caller, job)),
            headers=state_headers(request, caller, job),
        )


async def _body(request: Request, caller: Caller, job: JobView) -> dict[str, Any]:
    """Write a job as this surface does: the sound by address and in base64 once it is made."""
    state = STATES[job.state]
    body: dict[str, Any] = {
        "generation_id": str(job.id),
        "status": "completed" if state == "succeeded" else state,
    }
    if job.files:
        body["audio_url"] = file_urls(request, caller, job)[0]
        body["audio_base64"] = await file_base64(caller, job.files[0])
        body["duration"] = job.files[0].media_ms / 1000
    failure = job.failure()
    if failure is not None:
        body["error"] = failure.message
    return body

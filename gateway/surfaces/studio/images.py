"""/v1/images: made by a job, waited for or not, under ids and addresses of ours."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from gateway.admission import require_scope
from gateway.jobs.queries import read_job
from gateway.jobs.views import JobView
from gateway.media.addresses import base_url
from gateway.operations.image import MOST_IMAGES, ImageFormat, ImageRequest
from gateway.operations.json_body import read_body
from gateway.surfaces.chat import check_media_type
from gateway.surfaces.door import Answer, Request
from gateway.surfaces.entry import entered
from gateway.surfaces.jobs.files import file_urls
from gateway.surfaces.jobs.making import Outcome, Wanted, made_headers, make
from gateway.surfaces.jobs.views import canceled, path_id, state_headers
from studio.accounts.callers import Caller
from studio.core.errors import NotFound

BODY_LIMIT_BYTES = 64 * 1024
_LONGEST_PROMPT = 4_000
_DEFAULT_SIDE_PX = 1024
STATES = {
    "queued": "processing",
    "running": "processing",
    "succeeded": "succeeded",
    "failed": "failed",
    "expired": "failed",
    "canceled": "canceled",
}
"""A job's states in this surface's words."""

Prompt = Annotated[str, Meta(min_length=1, max_length=_LONGEST_PROMPT)]
Name = Annotated[str, Meta(min_length=1, max_length=256)]
_Side = Annotated[int, Meta(ge=64, le=2048)]
_Seed = Annotated[int, Meta(ge=0, le=2**32 - 1)]


class ImagesBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What POST /v1/images takes; sides in pixels, as the files will have them."""

    prompt: Prompt
    kind: Name | None = None
    model: Name | None = None
    width: _Side = _DEFAULT_SIDE_PX
    height: _Side = _DEFAULT_SIDE_PX
    num_outputs: Annotated[int, Meta(ge=1, le=MOST_IMAGES)] = 1
    seed: _Seed | None = None
    output_format: ImageFormat | None = None
    wait: bool = True

    def wanted(self) -> Wanted:
        """Give the job that this asks for."""
        return Wanted(
            request=ImageRequest(
                prompt=self.prompt,
                count=self.num_outputs,
                width=self.width,
                height=self.height,
                exact_size=True,
                size=f"{self.width}x{self.height}",
                quality="auto",
                seed=self.seed,
                output_format=self.output_format,
            ),
            kind=self.kind,
            model=self.model,
            parameters={
                "width": self.width,
                "height": self.height,
                "num_outputs": self.num_outputs,
            },
            wait=self.wait,
        )


class _GenerateBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What POST /v1/images/generate takes."""

    prompt: Prompt
    width: _Side = _DEFAULT_SIDE_PX
    height: _Side = _DEFAULT_SIDE_PX
    style: Literal["photorealistic", "artistic", "abstract", "minimalist", "humorous"] | None = None

    def wanted(self) -> Wanted:
        """Give the job that this asks for: one image of the channel's default kind."""
        return Wanted(
            request=ImageRequest(
                prompt=self.prompt,
                width=self.width,
                height=self.height,
                exact_size=True,
                size=f"{self.width}x{self.height}",
                quality="auto",
                style=self.style or "",
            ),
            kind="image.default",
            model=None,
            parameters={"width": self.width, "height": self.height, "style": self.style},
        )


IMAGES = msgspec.json.Decoder(ImagesBody)
_GENERATE = msgspec.json.Decoder(_GenerateBody)


async def images(request: Request) -> Answer:
    """Make images. With `wait` (the default) the answer has their addresses, else the job's id."""
    async with entered(request, "image") as admitted:
        check_media_type(request)
        body = await request.read_body(BODY_LIMIT_BYTES)
        outcome = await make(request, admitted.caller, read_body(IMAGES, body).wanted(), body)
        job = outcome.checked()
        return _answer(request, admitted.caller, outcome, job)


async def generate(request: Request) -> Answer:
    """Make one image and give its address; whatever it fails of is a 500 here."""
    async with entered(request, "image") as admitted:
        caller = admitted.caller
        check_media_type(request)
        body = await request.read_body(BODY_LIMIT_BYTES)
        outcome = await make(request, caller, read_body(_GENERATE, body).wanted(), body)
        job = outcome.job
        failure = job.failure()
        if failure is not None:
            return Answer(
                status=500,
                body=msgspec.json.encode({"error": failure.message}),
                headers=made_headers(request, outcome),
            )
        job = outcome.checked()
        if not job.is_final:
            return _answer(request, caller, outcome, job)
        [url, *_] = file_urls(request, caller, job)
        return Answer(
            body=msgspec.json.encode({"url": url}), headers=made_headers(request, outcome)
        )


async def image(request: Request) -> Answer:
    """Show how a job for images stands. It reads our database and asks no provider."""
    async with entered(request, "image") as admitted:
        caller = admitted.caller
        require_scope(caller, "images")
        job = await read_job(request.runtime, path_id(request), workspace_id=caller.workspace_id)
        if job.operation != "image":
            raise NotFound("There is no such image.")
        headers = state_headers(request, caller, job)
        return Answer(body=msgspec.json.encode(_body(request, caller, job)), headers=headers)


async def cancel_image(request: Request) -> Answer:
    """Stop a job for images; one that has ended stays as it is."""
    async with entered(request, "image") as admitted:
        caller = admitted.caller
        require_scope(caller, "images")
        job = await canceled(request, caller, operation="image")
        headers = state_headers(request, caller, job)
        return Answer(body=msgspec.json.encode(_body(request, caller, job)), headers=headers)


def _answer(request: Request, caller: Caller, outcome: Outcome, job: JobView) -> Answer:
    return Answer(
        status=200 if job.is_final else 202,
        body=msgspec.json.encode(_body(request, caller, job)),
        headers=made_headers(request, outcome),
    )


def _body(request: Request, caller: Caller, job: JobView) -> dict[str, Any]:
    """Write a job as this surface does: `output` once it is made, `error` where it failed."""
    own_url = f"{base_url(request.raw_headers)}/v1/images/{job.id}"
    body: dict[str, Any] = {"id": str(job.id), "status": STATES[job.state]}
    if job.files:
        body["output"] = file_urls(request, caller, job)
    failure = job.failure()
    if failure is not None:
        body["error"] = failure.message
    body["urls"] = {"get": own_url}
    if not job.is_final or job.state == "succeeded":
        body["urls"]["cancel"] = f"{own_url}/cancel"
    return body

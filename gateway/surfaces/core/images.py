"""POST /v1/images/generations, for clients of OpenAI's."""

import msgspec

from gateway.media.addresses import base_url
from gateway.surfaces.chat import check_media_type
from gateway.surfaces.door import Answer, Request
from gateway.surfaces.entry import entered
from gateway.surfaces.image_form import pictures, read_images
from gateway.surfaces.jobs.making import made_headers, make
from gateway.surfaces.studio.images import BODY_LIMIT_BYTES


async def generations(request: Request) -> Answer:
    """Make images and answer in OpenAI's shape; 202 with the job's id if it takes over a minute."""
    async with entered(request, "image") as admitted:
        caller = admitted.caller
        check_media_type(request)
        body = await request.read_body(BODY_LIMIT_BYTES)
        asked = read_images(request, caller, body, default_model=None)
        outcome = await make(request, caller, asked.wanted, body)
        job = outcome.checked()
        headers = made_headers(request, outcome)
        if not job.is_final:
            return unfinished(request, str(job.id), headers)
        shown = {
            "created": int(job.created_at.timestamp()),
            "data": await pictures(request, caller, job, as_base64=asked.as_base64),
            "size": asked.size,
            "quality": asked.quality,
            "output_format": job.files[0].media_type.removeprefix("image/"),
        }
        return Answer(body=msgspec.json.encode(shown), headers=headers)


def unfinished(request: Request, job_id: str, headers: list[tuple[bytes, bytes]]) -> Answer:
    """Say where a job is to be asked for that goes on behind the answer."""
    url = f"{base_url(request.raw_headers)}/v1/jobs/{job_id}"
    body = {"id": job_id, "status": "processing", "urls": {"get": url}}
    return Answer(status=202, body=msgspec.json.encode(body), headers=headers)

"""POST /v1/images/generations, for clients of OpenAI's."""

from typing import Any

from gateway.surfaces.door import Answer, Request
from gateway.surfaces.image_form import Asked, answer_images, pictures
from gateway.surfaces.jobs.making import Outcome


async def generations(request: Request) -> Answer:
    """Make images and answer in OpenAI's shape."""
    return await answer_images(request, default_model=None, written=_written)


async def _written(request: Request, asked: Asked, outcome: Outcome) -> dict[str, Any]:
    job = outcome.job
    return {
        "created": int(job.created_at.timestamp()),
        "data": await pictures(request, asked, job),
        "size": asked.size,
        "quality": asked.quality,
        "output_format": job.files[0].media_type.removeprefix("image/"),
    }

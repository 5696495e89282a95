"""POST /api/v1/llm/image/generations (and /images/generations): OpenAI's form, and what it cost."""

from typing import Any

import msgspec

from gateway.jobs.queries import read_provider
from gateway.jobs.views import JobView
from gateway.surfaces.asking import credit_number
from gateway.surfaces.chat import check_media_type
from gateway.surfaces.core.images import unfinished
from gateway.surfaces.door import Answer, Request
from gateway.surfaces.entry import entered
from gateway.surfaces.image_form import Asked, pictures, read_images
from gateway.surfaces.jobs.making import Outcome, made_headers, make
from gateway.surfaces.studio.images import BODY_LIMIT_BYTES

_DEFAULT_MODEL = "dall-e-3"
_URL_LIFE_S = 3600
"""The guide of this surface promises an hour."""
_PROVIDERS = {
    "openai": "OpenAI",
    "openrouter": "OpenRouter",
    "replicate": "Replicate",
    "stability": "Stability AI",
}


async def generations(request: Request) -> Answer:
    """Make images; what a partial success did not make is not charged."""
    async with entered(request, "image") as admitted:
        caller = admitted.caller
        check_media_type(request)
        body = await request.read_body(BODY_LIMIT_BYTES)
        asked = read_images(request, caller, body, default_model=_DEFAULT_MODEL)
        outcome = await make(request, caller, asked.wanted, body)
        job = outcome.checked()
        headers = made_headers(request, outcome)
        if not job.is_final:
            return unfinished(request, str(job.id), headers)
        shown = {
            "created": int(job.created_at.timestamp()),
            "data": await pictures(
                request, caller, job, as_base64=asked.as_base64, life_s=_URL_LIFE_S
            ),
            "_metadata": await _metadata(request, asked, outcome, job),
        }
        return Answer(body=msgspec.json.encode(shown), headers=headers)


async def _metadata(
    request: Request, asked: Asked, outcome: Outcome, job: JobView
) -> dict[str, Any]:
    provider = await read_provider(request.runtime, job.id, workspace_id=job.workspace_id)
    remaining = outcome.remaining_ucr
    return {
        "provider_used": _PROVIDERS.get(provider, provider),
        "cost_incurred": credit_number(job.charge_ucr),
        "credits_remaining": None if remaining is None else credit_number(remaining),
        "images_generated": job.made_count,
        "size": asked.size,
        "quality": asked.quality,
    }

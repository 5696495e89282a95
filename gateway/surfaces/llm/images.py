"""POST /api/v1/llm/image/generations (and /images/generations): OpenAI's form, and what it cost."""

from typing import Any

from gateway.jobs.queries import read_provider
from gateway.surfaces.asking import credit_number
from gateway.surfaces.door import Answer, Request
from gateway.surfaces.image_form import Asked, answer_images, pictures
from gateway.surfaces.jobs.making import Outcome

_DEFAULT_MODEL = "dall-e-3"
_URL_LIFE_S = 3600
"""The guide of this surface promises an hour."""
_PROVIDERS = {
    "gemini": "Google",
    "huggingface": "Hugging Face",
    "openai": "OpenAI",
    "openrouter": "OpenRouter",
    "replicate": "Replicate",
    "stability": "Stability AI",
    "wavespeed": "WaveSpeed",
}


async def generations(request: Request) -> Answer:
    """Make images; what a partial success did not make is not charged."""
    return await answer_images(request, default_model=_DEFAULT_MODEL, written=_written)


async def _written(request: Request, asked: Asked, outcome: Outcome) -> dict[str, Any]:
    job, remaining = outcome.job, outcome.remaining_ucr
    provider = await read_provider(request.runtime, job.id, workspace_id=job.workspace_id)
    return {
        "created": int(job.created_at.timestamp()),
        "data": await pictures(request, asked, job, life_s=_URL_LIFE_S),
        "_metadata": {
            "provider_used": _PROVIDERS.get(provider, provider),
            "cost_incurred": credit_number(job.charge_ucr),
            "credits_remaining": None if remaining is None else credit_number(remaining),
            "images_generated": job.made_count,
            "size": asked.size,
            "quality": asked.quality,
        },
    }

"""A job as JSON, the same for whatever it makes. Pure."""

from collections.abc import Sequence
from typing import Any

from gateway.jobs.views import JobView
from gateway.surfaces.asking import credit_number


def job_body(job: JobView, urls: Sequence[str], *, base_url: str) -> dict[str, Any]:
    """Write a job; `urls` are the addresses of its files, in their order."""
    own_url = f"{base_url}/v1/jobs/{job.id}"
    return {
        "id": str(job.id),
        "object": "job",
        "operation": job.operation,
        "kind": job.kind,
        "model": job.model,
        "channel": job.channel,
        "status": job.state,
        "progress": round(job.progress, 3),
        "parameters": job.parameters,
        "files": [
            {
                "id": str(file.asset_id),
                "url": url,
                "media_type": file.media_type,
                "bytes": file.size_bytes,
                "width": file.width or None,
                "height": file.height or None,
                "duration_ms": file.media_ms or None,
                "revised_prompt": file.revised_prompt or None,
                "seed": file.seed,
            }
            for file, url in zip(job.files, urls, strict=True)
        ],
        "items": {"wanted": job.item_count, "made": job.made_count},
        "error": _error(job),
        "credits": {"held": credit_number(job.hold_ucr), "charged": credit_number(job.charge_ucr)},
        "billing": job.billing,
        "app": job.app_id,
        "user": job.user_ref,
        "cancel_requested": job.cancel_requested_at is not None,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "deadline_at": job.deadline_at,
        "urls": {"get": own_url, "events": f"{own_url}/events", "cancel": f"{own_url}/cancel"},
    }


def _error(job: JobView) -> dict[str, Any] | None:
    failure = job.failure()
    if failure is None:
        return None
    return {"code": failure.code, "message": failure.message}

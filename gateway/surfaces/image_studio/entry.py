"""What the endpoints of Image Studio share: coming in, and a job that is late or failed.

That it says `Authenticated user required for image operations.` is the envelope's (envelopes.py).
"""

import msgspec

from gateway.admission import Admitted, require_scope
from gateway.errors import UpstreamFailure
from gateway.jobs.views import JobView
from gateway.media.addresses import base_url
from gateway.surfaces.door import Answer, Request
from gateway.surfaces.entry import entered
from gateway.surfaces.jobs.making import JobCanceled, Outcome, made_headers

SCOPE = "images"


class WorkFailed(UpstreamFailure):
    """The job made nothing. This surface says 500, whatever it failed of; nothing was charged."""

    status = 500


class image_entered(entered):  # noqa: N801  a context manager, called like a function
    """Admit the caller for the time of the block, if its key may work on images.

    Raises: what `entered` raises, Forbidden.
    """

    __slots__ = ()

    async def __aenter__(self) -> Admitted:
        """Let the caller in."""
        admitted = await super().__aenter__()
        try:
            require_scope(admitted.caller, SCOPE)
        except BaseException as error:
            self._leave(error)
            raise
        return admitted


def made_job(outcome: Outcome, *, failing: str) -> JobView:
    """Give the job unless it ended without a file.

    `failing` begins what is said then, such as `Image generation failed`. Raises: WorkFailed,
    JobCanceled.
    """
    failure = outcome.job.failure()
    if failure is not None:
        failed = WorkFailed(f"{failing}: {failure.message}")
        failed.code = failure.code
        raise failed
    if outcome.job.state == "canceled":
        raise JobCanceled("The job was cancelled.")
    return outcome.job


def accepted(request: Request, outcome: Outcome) -> Answer:
    """Answer for a job that is not done: 202, and where to look for it."""
    job = outcome.job
    body = {
        "id": str(job.id),
        "status": "processing",
        "urls": {"get": f"{base_url(request.raw_headers)}/v1/jobs/{job.id}"},
    }
    return Answer(
        status=202, body=msgspec.json.encode(body), headers=made_headers(request, outcome)
    )

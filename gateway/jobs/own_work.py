"""Runs that no provider is asked for: a worker's own image children do them.

Nothing is sent, so nothing can be unknown: a run stays queued while it is worked on, and after a
dead worker it is done again. Its files have the same ids then.
"""

from gateway.jobs import transitions
from gateway.jobs.asked import asked_use, unseal_request
from gateway.jobs.ending import Failure, RunEnd, finish_run
from gateway.jobs.leases import Leased
from gateway.jobs.pricing import charge_and_cost_ucr
from gateway.jobs.views import JobFile
from gateway.media.children import children
from gateway.media.errors import ImagesBusy, StorageUnavailable, UnusableFile
from gateway.media.inputs import with_data, without_data
from gateway.media.services import asset_id, drop, keep_shaped
from gateway.media.stored import Belonging
from gateway.media.works import ImageFitWork, Shaped
from gateway.models import JobRun
from gateway.operations.image_fit import ImageFitRequest
from gateway.providers import find_provider
from gateway.providers.media import MediaRequest, works_here

_MOST_ATTEMPTS = 10
"""Workers that died at it, and times when there was no place or no storage."""
_PAUSE_S = 2.0
_NEVER_DONE = Failure(code="unavailable", text="This could not be done. Try again.", status=503)


def is_ours(leased: Leased) -> bool:
    """Tell whether a run is work of our own."""
    provider = find_provider(leased.route.provider)
    return provider is not None and works_here(provider)


def make_here(leased: Leased) -> None:
    """Do a run, keep its files and end it."""
    if leased.attempts >= _MOST_ATTEMPTS:
        _fail(leased, _NEVER_DONE)
        return
    transitions.begin_here(leased)
    request = unseal_request(leased.request, leased.operation, leased.job_id)
    try:
        made = _made(leased, request)
        files = tuple(_kept(leased, number, one) for number, one in enumerate(made, 1))
    except UnusableFile as error:
        _fail(leased, _as_refusal(error))
        return
    except (ImagesBusy, StorageUnavailable):
        transitions.postpone(leased, in_s=_PAUSE_S)
        return
    use = asked_use(request, len(files))
    charge_ucr, cost_ucr = charge_and_cost_ucr(leased, use)
    end = RunEnd(
        state=JobRun.State.SUCCEEDED,
        files=files,
        use=use,
        charge_ucr=charge_ucr,
        cost_ucr=cost_ucr,
    )
    if not finish_run(leased.run_id, leased.job_id, leased.fence, end):
        _let_go(leased, files)


def _made(leased: Leased, request: MediaRequest) -> list[Shaped]:
    """Raises: UnusableFile, ImagesBusy, StorageUnavailable."""
    assert isinstance(request, ImageFitRequest), "there is no other work of our own"
    image = with_data(request, workspace_id=leased.workspace_id).image
    return children.fit(image.data, ImageFitWork(request=without_data(request)))


def _kept(leased: Leased, number: int, made: Shaped) -> JobFile:
    owner = Belonging(workspace_id=leased.workspace_id, job_id=leased.job_id)
    asset = keep_shaped(made, id=asset_id(leased.run_id, number), owner=owner)
    return JobFile(
        asset_id=asset.pk,
        media_type=asset.media_type,
        size_bytes=asset.size_bytes,
        width=asset.width,
        height=asset.height,
    )


def _let_go(leased: Leased, files: tuple[JobFile, ...]) -> None:
    """Drop the files of a run that was cancelled meanwhile; another worker's are the same, so they
    stay if the job has them.
    """
    run = JobRun.objects.get(pk=leased.run_id)
    if run.state == JobRun.State.SUCCEEDED or run.state in JobRun.OPEN:
        return
    for file in files:
        drop(file.asset_id, workspace_id=leased.workspace_id)


def _as_refusal(error: UnusableFile) -> Failure:
    """Give a fault of the caller's picture as one: no provider made it."""
    return Failure(code="invalid_request_error", text=error.message, status=400)


def _fail(leased: Leased, failure: Failure) -> None:
    end = RunEnd(state=JobRun.State.FAILED, failure=failure)
    finish_run(leased.run_id, leased.job_id, leased.fence, end)

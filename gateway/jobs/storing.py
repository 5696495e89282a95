"""From a provider's answer to files of ours: fetched, checked, kept, and then the run is done.

An answer that names addresses is committed first (`storing`), so that whoever comes after a dead
worker goes on from there. Bytes in an answer never go through the database: if the worker dies with
them in hand, a provider that keeps them is asked again, and of any other the run is lost.
"""

import logging
import time
from collections.abc import Iterator

import msgspec
from django.conf import settings

from gateway.jobs import transitions
from gateway.jobs.asked import seal_answer, unseal_answer, work_on
from gateway.jobs.ending import RunEnd, failure_of, finish_run
from gateway.jobs.leases import Leased
from gateway.jobs.pricing import charge_and_cost_ucr
from gateway.jobs.views import JobFile
from gateway.jobs.workshop import Work, give_back_connection, work_of
from gateway.media.fetching import fetch, operator_origins
from gateway.media.services import asset_id, keep
from gateway.models import Asset, JobRun
from gateway.operations.media import MadeFile, MediaUse
from gateway.providers.base import UpstreamInvalid
from gateway.providers.media import Made
from studio.core.errors import GatewayError

logger = logging.getLogger(__name__)

_STORED_WITHIN_S = 300
"""From the provider's answer on: after that the file will not come, or storage will not."""
_PAUSES_S = (1.0, 2.0, 4.0, 8.0, 15.0)


def store_run(leased: Leased) -> None:
    """Go on with a run whose answer is known and whose files are not all here."""
    assert leased.answer is not None, "storing is entered with an answer"
    work = work_of(leased)
    _store(work, unseal_answer(leased.answer, leased.run_id))


def keep_answer(work: Work, made: Made) -> None:
    """Keep what a provider made, and end the run."""
    leased = work.leased
    if not any(file.data for file in made.files):
        if not transitions.note_answered(leased, seal_answer(made, leased.run_id)):
            return
        leased = msgspec.structs.replace(leased, state=JobRun.State.STORING, answered_ago_s=0.0)
        work = msgspec.structs.replace(work, leased=leased)
    _store(work, made)


def _store(work: Work, made: Made) -> None:
    """Keep every file; what is broken is left out, what may come is tried again."""
    leased = work.leased
    give_back_connection()
    kept: list[JobFile] = []
    fault: GatewayError = UpstreamInvalid("The provider's answer holds no file.")
    for number, file in enumerate(made.files[: leased.item_count], 1):
        try:
            kept.append(_keep_patiently(work, number, file))
        except GatewayError as error:
            fault = error
            if error.retryable and _may_come(leased):
                transitions.postpone(leased, in_s=_PAUSES_S[0])
                return
            logger.warning("file %d of run %s is lost: %s", number, leased.run_id, error.code)
    _finish(work, made, tuple(kept), fault)


def _may_come(leased: Leased) -> bool:
    """Tell whether there is a way back to the files: an answer with addresses, or another poll."""
    if leased.state == JobRun.State.STORING:
        return leased.answered_ago_s < _STORED_WITHIN_S
    return leased.state == JobRun.State.RUNNING


def _finish(work: Work, made: Made, files: tuple[JobFile, ...], fault: GatewayError) -> None:
    """End the run: charged is what callers get, whatever it cost us."""
    leased = work.leased
    _, cost_ucr = charge_and_cost_ucr(leased, made.use)
    if not files:
        end = RunEnd(state=JobRun.State.FAILED, failure=failure_of(fault), cost_ucr=cost_ucr)
    else:
        use = _use_of(made.use, files)
        charge_ucr, _ = charge_and_cost_ucr(leased, use)
        end = RunEnd(
            state=JobRun.State.SUCCEEDED,
            files=files,
            use=use,
            charge_ucr=charge_ucr,
            cost_ucr=cost_ucr,
        )
    finish_run(leased.run_id, leased.job_id, leased.fence, end)


def _use_of(use: MediaUse, files: tuple[JobFile, ...]) -> MediaUse:
    return msgspec.structs.replace(use, item_count=len(files))


def _keep_patiently(work: Work, number: int, file: MadeFile) -> JobFile:
    """Fetch and keep one file, trying again for half a minute. Raises: GatewayError."""
    for pause_s in _pauses(work):
        try:
            return _keep(work, number, file)
        except GatewayError as error:
            if not error.retryable:
                raise
            time.sleep(pause_s)
    return _keep(work, number, file)


def _pauses(work: Work) -> Iterator[float]:
    """Give the pauses before each next try; where another step may do it, there is but one."""
    return iter(_PAUSES_S[:1] if _may_come(work.leased) else _PAUSES_S)


def _keep(work: Work, number: int, file: MadeFile) -> JobFile:
    leased = work.leased
    data = file.data or _fetch(work, file.url)
    asset = keep(
        data,
        work_on(work.request),
        id=asset_id(leased.run_id, number),
        workspace_id=leased.workspace_id,
        job_id=leased.job_id,
    )
    give_back_connection()
    return _job_file(asset, file)


def _fetch(work: Work, url: str) -> bytes:
    """Fetch from the provider's own hosts, or from the origin an operator set for it."""
    upstream = work.upstream
    by_operator = upstream.sandbox or upstream.provider.slug in settings.PROVIDER_BASE_URLS
    return fetch(
        url,
        hosts=work.provider.file_hosts,
        headers=work.provider.file_headers(upstream.key),
        operator_origins=operator_origins(upstream.base_url) if by_operator else (),
    )


def _job_file(asset: Asset, file: MadeFile) -> JobFile:
    return JobFile(
        asset_id=asset.pk,
        media_type=asset.media_type,
        size_bytes=asset.size_bytes,
        width=asset.width,
        height=asset.height,
        media_ms=asset.media_ms,
        revised_prompt=file.revised_prompt,
        seed=file.seed,
    )

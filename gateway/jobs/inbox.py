"""What providers told us about runs, kept in the job's timeline for staff: when, whether it was
theirs, and what it brought about.
"""

from typing import Literal

from gateway.jobs.ending import tell
from gateway.models import JobEvent, JobRun

WHAT = "provider_message"
MOST_KEPT = 20
"""Of one run: whoever knows its address may send any number."""

Genuine = Literal["yes", "no", "not checked"]
"""By the provider's signature; not checked where we do not know its secret."""

Effect = Literal["asked", "named and asked", "none", "refused"]
"""`none` for a run that is worked on or has ended; `named` where we learnt the provider's id."""


def note_message(run: JobRun, *, genuine: Genuine, effect: Effect) -> None:
    """Write a message to the timeline, unless the run has had very many."""
    known = JobEvent.objects.filter(job_id=run.job_id, run_number=run.number, what=WHAT)
    if known.count() < MOST_KEPT:
        tell(
            run.job_id,
            WHAT,
            run_number=run.number,
            detail={"genuine": genuine, "effect": effect},
        )

"""Jobs on a database of their own, worked on step by step in this process; time is the test's.

The provider is the sandbox. A worker's step is `work_on_run`; what waits for its time is made due.
"""

import asyncio
import contextlib
import json
import os
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import requests
from django.db import connection

from billing.queries import read_balance
from billing.services import grant_credits
from gateway.jobs.asked import item_count_of
from gateway.jobs.desk import desk_of
from gateway.jobs.quoting import JobTask
from gateway.jobs.submitting import SubmittedJob, submit
from gateway.jobs.working import work_on_run
from gateway.models import Job, JobEvent, JobRun
from gateway.operations.image import ImageRequest
from gateway.providers.media import MediaRequest
from gateway.runtime import Runtime
from gateway.user_keys import UserKeys
from studio.accounts.callers import Caller
from studio.accounts.credentials import read_credential
from studio.accounts.queries import identify
from studio.accounts.services import create_app_key, create_workspace
from studio.core.ids import new_id_text
from studio.supervisor.plan import Plan
from studio.supervisor.processes import Child, start
from tests.databases import Database, Facts, cloned, django_on, rows

SCHNELL = "black-forest-labs/flux-schnell"
PRO = "black-forest-labs/flux-1.1-pro"
GRANTED_UCR = 1_000_000_000
MOST_STEPS = 60

_Found = TypeVar("_Found")


@dataclass(frozen=True, kw_only=True)
class JobStage:
    """A workspace with 1 000 credits on the tier managed (markup 20 %), and its caller."""

    workspace_id: int
    app_key_id: int
    caller: Caller
    sandbox_url: str

    def run(self, work: Callable[[Runtime], Awaitable[_Found]]) -> _Found:
        """Do something with a runtime of its own, as a web process has one."""

        async def walk() -> _Found:
            runtime = Runtime()
            await runtime.open()
            try:
                return await work(runtime)
            finally:
                await desk_of(runtime).close()
                await runtime.close()

        return asyncio.run(walk())

    def task(self, **options: Any) -> JobTask:
        """Describe a job of this workspace; by default it is made by flux-schnell."""
        if not options.keys() & {"kind", "model"}:
            options["model"] = SCHNELL
        values = {"surface": "studio", "channel": "stable", "app_id": "app", "user_ref": "user"}
        return JobTask(id=new_id_text(), caller=self.caller, **values | options)

    def submit(self, request: MediaRequest, **options: Any) -> SubmittedJob:
        """Submit one job."""
        task = self.task(**options)
        return self.run(lambda runtime: submit(runtime, task, request))

    def begin(self, prompt: str = "A cat", count: int = 1, **options: Any) -> UUID:
        """Submit a job for images; the sandbox reads its directives from the prompt."""
        fields = {name: options.pop(name) for name in _FIELDS if name in options}
        request = ImageRequest(prompt=prompt, count=count, **fields)
        assert item_count_of(request) == count
        return self.submit(request, **options).job.id

    def drive(self, job_id: UUID, *, most_steps: int = MOST_STEPS) -> Job:
        """Do step after step, each as soon as its time has come, until the job has ended."""
        for _ in range(most_steps):
            job = Job.objects.get(pk=job_id)
            if job.state in Job.FINAL:
                return job
            for run_id in self.make_due(job_id):
                work_on_run(run_id)
        raise AssertionError(f"still {job.state} after {most_steps} steps: {self.states(job_id)}")

    def make_due(self, job_id: UUID) -> list[UUID]:
        """Let the time of every open run come, where nobody works on it."""
        due = JobRun.objects.filter(job=job_id, state__in=JobRun.OPEN, lease_until__isnull=True)
        due.update(next_at="2026-01-01T00:00:00Z")
        return list(due.order_by("number").values_list("pk", flat=True))

    def step(self, job_id: UUID) -> None:
        """Do one step of each open run."""
        for run_id in self.make_due(job_id):
            work_on_run(run_id)

    def states(self, job_id: UUID) -> list[str]:
        """Give the states of a job's runs."""
        found = JobRun.objects.filter(job=job_id).order_by("number")
        return list(found.values_list("state", flat=True))

    def timeline(self, job_id: UUID, *, public: bool = False) -> list[str]:
        """Give the words of a job's timeline."""
        found = JobEvent.objects.filter(job=job_id).order_by("id")
        return list((found.filter(public=True) if public else found).values_list("what", flat=True))

    def balance(self) -> tuple[int, int]:
        """Give (available, held) in µcr."""
        found = read_balance(self.workspace_id)
        return found.available_ucr, found.held_ucr

    def usage(self) -> list[dict[str, Any]]:
        """Give the usage rows, oldest first."""
        return rows("SELECT * FROM usage WHERE workspace_id = %s ORDER BY at", self.workspace_id)

    def entries(self) -> list[dict[str, Any]]:
        """Give the journal without grants, oldest first."""
        return rows(
            "SELECT * FROM ledger.entry WHERE wallet_id = %s AND kind NOT IN ('topup', 'promo',"
            " 'grant') ORDER BY at, id, seq",
            self.workspace_id,
        )

    def posted(self, mark: str) -> int:
        """Count the submissions with this word in their prompt that reached the provider."""
        return sum(
            1
            for entry in self.journal()
            if entry["method"] == "POST" and mark in str(entry) and "cancel" not in entry["path"]
        )

    def last_prediction(self, mark: str) -> bytes:
        """Give the newest prediction with this word, as the provider would tell it."""
        answer = requests.get(
            f"{self.sandbox_url}/replicate/v1/predictions",
            headers={"authorization": "Bearer sandbox"},
            timeout=10,
        )
        found = [each for each in answer.json()["results"] if mark in str(each)]
        return json.dumps(found[0]).encode()

    def wait_for_prediction(self, mark: str, status: str) -> None:
        """Ask the provider until it says so."""
        for _ in range(1000):
            if json.loads(self.last_prediction(mark))["status"] == status:
                return
        raise AssertionError(f"never {status}: {self.last_prediction(mark)!r}")

    def journal(self) -> list[dict[str, Any]]:
        """Give what the sandbox was asked."""
        answer = requests.get(f"{self.sandbox_url}/_sandbox/requests", timeout=10)
        found: list[dict[str, Any]] = answer.json()["requests"]
        return found


_FIELDS = ("size", "quality", "width", "height", "exact_size", "output_format", "seed")


@contextlib.contextmanager
def job_database(facts: Facts, name: str) -> Iterator[Database]:
    """Have a database for jobs, and Django on it."""
    with cloned(facts, name) as database, django_on(database):
        yield database


def make_stage(sandbox_url: str, *, tier: str = "managed", credits: int = 1000) -> JobStage:
    """Make a workspace and what its jobs are submitted by."""
    workspace = create_workspace(name=f"jobs-{uuid.uuid4()}", tier=tier)
    if credits:
        amount_ucr = credits * 1_000_000
        grant_credits(workspace_id=workspace.pk, amount_ucr=amount_ucr, reason="test")
    issued = create_app_key(workspace_id=workspace.pk)
    caller = identify(read_credential([(b"x-app-key", issued.token.encode())]))
    return JobStage(
        workspace_id=workspace.pk,
        app_key_id=issued.app_key_id,
        caller=caller,
        sandbox_url=sandbox_url,
    )


def run_media_worker(directory: Path, environment: Mapping[str, str]) -> Child:
    """Start a worker for media; it takes messages when it is ready."""
    directory.joinpath("logs").mkdir(exist_ok=True)
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", **environment}
    plan = Plan(data_dir=directory, host="127.0.0.1", port=1, environment=environment)
    return start(plan.media_worker())


def new_mark() -> str:
    """Give a word that no other prompt has."""
    return f"mark-{uuid.uuid4().hex[:12]}"


def own_keys(**keys: str) -> UserKeys:
    """Give a user's own keys."""
    return UserKeys(keys)


def set_rows(query: str, *parameters: Any) -> int:
    """Change rows as nobody in the product would, to move time. Returns: how many."""
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return int(cursor.rowcount)

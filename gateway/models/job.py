"""Long work: a job, its runs at providers, what happened to it, and the bell that calls a worker.

A job's id is its request's, its call row's and its hold's. Rows are written by `gateway/jobs` only.
"""

from django.db import models
from django.db.models import F, Q


class Job(models.Model):
    """One piece of long work, from its hold to its settle. Final states never change.

    `request` and `user_key` are sealed for this row and dropped when it ends (the request later,
    for staff who repeat what failed). `parameters` is what may be shown of the request, `result`
    what callers are told of each file. `version` grows with every change that callers may see.
    """

    class State(models.TextChoices):
        """`expired` ended at its deadline; `canceled` on demand."""

        QUEUED = "queued"
        RUNNING = "running"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        CANCELED = "canceled"
        EXPIRED = "expired"

    FINAL = (State.SUCCEEDED, State.FAILED, State.CANCELED, State.EXPIRED)

    id = models.UUIDField(primary_key=True)
    workspace_id = models.BigIntegerField()
    app_key_id = models.BigIntegerField(null=True)
    app_id = models.TextField()
    user_ref = models.TextField()
    surface = models.TextField()
    operation = models.TextField()
    kind = models.TextField()
    model = models.TextField()
    billing = models.TextField()
    state = models.TextField(choices=State, default=State.QUEUED)
    version = models.IntegerField(default=1)
    progress = models.FloatField(default=0)
    item_count = models.SmallIntegerField()
    made_count = models.SmallIntegerField(default=0)
    parameters = models.JSONField(default=dict)
    request = models.BinaryField(null=True)
    user_key = models.BinaryField(null=True)
    hold_ucr = models.BigIntegerField()
    charge_ucr = models.BigIntegerField(default=0)
    price_version = models.IntegerField()
    markup_bp = models.IntegerField()
    result = models.JSONField(default=list)
    failure_code = models.TextField(default="")
    failure_text = models.TextField(default="")
    cancel_requested_at = models.DateTimeField(null=True)
    deadline_at = models.DateTimeField()
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["workspace_id", "-id"], name="job_by_workspace"),
            models.Index(
                fields=["deadline_at"],
                condition=Q(state__in=["queued", "running"]),
                name="job_open_by_deadline",
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    state__in=["queued", "running", "succeeded", "failed", "canceled", "expired"]
                ),
                name="job_state_known",
            ),
            models.CheckConstraint(
                condition=Q(state="succeeded") | Q(charge_ucr=0) | Q(state="canceled"),
                name="job_charged_for_success",
            ),
            models.CheckConstraint(
                condition=Q(made_count__lte=F("item_count")), name="job_made_what_was_asked"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.id} {self.state}"


class JobRun(models.Model):
    """One submission to a provider and what became of it.

    A run is worked on under a lease: `fence` grows with each, and who holds an older one can no
    longer write. `submitting` is committed before anything is sent, so a run found in it without a
    lease may or may not have been begun: it becomes `unknown` and is never sent again.
    """

    class State(models.TextChoices):
        """`storing` has an answer whose files are being fetched."""

        QUEUED = "queued"
        SUBMITTING = "submitting"
        UNKNOWN = "unknown"
        RUNNING = "running"
        STORING = "storing"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        CANCELED = "canceled"

    FINAL = (State.SUCCEEDED, State.FAILED, State.CANCELED)

    id = models.UUIDField(primary_key=True)
    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="runs")
    number = models.SmallIntegerField()
    item_count = models.SmallIntegerField()
    state = models.TextField(choices=State, default=State.QUEUED)
    fence = models.IntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    attempts = models.SmallIntegerField(default=0)
    route_position = models.SmallIntegerField(default=0)
    provider = models.TextField()
    model = models.TextField()
    upstream_id = models.TextField(default="")
    next_at = models.DateTimeField(null=True)
    polls = models.IntegerField(default=0)
    progress = models.FloatField(default=0)
    answer = models.BinaryField(null=True)
    made = models.JSONField(default=list)
    use = models.JSONField(default=dict)
    failure_code = models.TextField(default="")
    failure_text = models.TextField(default="")
    submitted_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["next_at"],
                condition=Q(state__in=["queued", "submitting", "unknown", "running", "storing"]),
                name="job_run_due",
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["job", "number"], name="job_run_number"),
        ]

    def __str__(self) -> str:
        return f"{self.job_id}/{self.number} {self.state}"


class JobEvent(models.Model):
    """What happened to a job, in order: its timeline for callers (`public`) and for staff."""

    id = models.BigAutoField(primary_key=True)
    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="events")
    run_number = models.SmallIntegerField(null=True)
    at = models.DateTimeField()
    what = models.TextField()
    public = models.BooleanField(default=False)
    detail = models.JSONField(default=dict)

    class Meta:
        indexes = [models.Index(fields=["job", "id"], name="job_event_order")]

    def __str__(self) -> str:
        return f"{self.job_id} {self.what}"


class JobBell(models.Model):
    """The outbox: a run that a worker is to be called for; gone once the broker has the message."""

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(JobRun, on_delete=models.CASCADE, related_name="bells")
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return str(self.run_id)

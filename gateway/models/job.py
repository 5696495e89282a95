"""Long work: a job, its runs at providers, and what happened to it.

A job's id is its request's, its call row's and its hold's. Rows are written by `gateway/jobs` only.
"""

from django.db import models
from django.db.models import F, Q


class Job(models.Model):
    """One piece of long work, from its hold to its settle. Final states never change.

    `request` and `user_keys` are sealed for this row; the keys are dropped when it ends, the
    request too, but where staff may repeat it a day later. `parameters` is what may be shown of the
    request, `result` what callers are told of each file, `routes` where it may be made, the first
    preferred. `version` grows with every change that callers may see. Amounts are µcr.
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
    channel = models.TextField()
    model = models.TextField()
    billing = models.TextField()
    sandbox = models.BooleanField(default=False)
    state = models.TextField(choices=State, default=State.QUEUED)
    version = models.IntegerField(default=1)
    progress = models.FloatField(default=0)
    item_count = models.SmallIntegerField()
    made_count = models.SmallIntegerField(default=0)
    parameters = models.JSONField(default=dict)
    routes = models.JSONField(default=list)
    request = models.BinaryField(null=True)
    user_keys = models.BinaryField(null=True)
    hold_ucr = models.BigIntegerField()
    charge_ucr = models.BigIntegerField(default=0)
    price_version = models.IntegerField()
    markup_bp = models.IntegerField()
    result = models.JSONField(default=list)
    failure_code = models.TextField(default="")
    failure_text = models.TextField(default="")
    failure_status = models.SmallIntegerField(default=0)
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
            models.Index(
                fields=["finished_at"],
                condition=Q(request__isnull=False, finished_at__isnull=False),
                name="job_with_request",
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
                condition=Q(charge_ucr__gte=0, charge_ucr__lte=F("hold_ucr")),
                name="job_charged_within_hold",
            ),
            models.CheckConstraint(
                condition=Q(made_count__lte=F("item_count")), name="job_made_what_was_asked"
            ),
            models.CheckConstraint(
                condition=Q(finished_at__isnull=True, state__in=["queued", "running"])
                | Q(finished_at__isnull=False, user_keys__isnull=True)
                & ~Q(state__in=["queued", "running"]),
                name="job_ended_without_keys",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.id} {self.state}"


class JobRun(models.Model):
    """One submission to a provider and what became of it; also the outbox: work is due at
    `next_at`.

    A run is worked on under a lease: `fence` grows with each, and who holds an older one can no
    longer write. `submitting` is committed before anything is sent, so a run found in it without a
    lease may or may not have been begun: it becomes `unknown` and is never sent again.
    `rung_until` keeps the ring from calling workers twice for one piece of work. `route_position`
    is the place of its route among the job's. `answer` is the sealed answer whose files are being
    fetched.
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
    OPEN = (State.QUEUED, State.SUBMITTING, State.UNKNOWN, State.RUNNING, State.STORING)

    id = models.UUIDField(primary_key=True)
    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="runs")
    number = models.SmallIntegerField()
    item_count = models.SmallIntegerField()
    state = models.TextField(choices=State, default=State.QUEUED)
    fence = models.IntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    next_at = models.DateTimeField()
    rung_until = models.DateTimeField(null=True)
    attempts = models.SmallIntegerField(default=0)
    attempt_log = models.JSONField(default=list)
    route_position = models.SmallIntegerField(default=0)
    upstream_id = models.TextField(default="")
    calls_back = models.BooleanField(default=False)
    cancel_sent_at = models.DateTimeField(null=True)
    polls = models.IntegerField(default=0)
    progress = models.FloatField(default=0)
    answer = models.BinaryField(null=True)
    made = models.JSONField(default=list)
    use = models.JSONField(default=dict)
    charge_ucr = models.BigIntegerField(default=0)
    cost_ucr = models.BigIntegerField(default=0)
    failure_code = models.TextField(default="")
    failure_text = models.TextField(default="")
    failure_status = models.SmallIntegerField(default=0)
    submitted_at = models.DateTimeField(null=True)
    answered_at = models.DateTimeField(null=True)
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
            models.CheckConstraint(
                condition=Q(
                    state__in=[
                        "queued",
                        "submitting",
                        "unknown",
                        "running",
                        "storing",
                        "succeeded",
                        "failed",
                        "canceled",
                    ]
                ),
                name="job_run_state_known",
            ),
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

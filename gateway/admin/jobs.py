"""Jobs for staff: list and timeline, runs at providers, files; cancelling, repeating, refunding.

What callers asked for is sealed and not shown.
"""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from billing.admin.form_pages import Facts, FormPage, FormPagesAdmin, ReasonForm
from billing.models import Entry
from gateway.jobs.cancelling import cancel_job
from gateway.jobs.ending import tell
from gateway.jobs.repeating import repeat_job
from gateway.media.addresses import asset_url
from gateway.models import Asset, Job, JobEvent, JobRun
from gateway.providers.media import MEDIA_OPERATIONS
from studio.accounts.amounts import NONE, credits_cell, credits_column, id_column
from studio.accounts.models import Workspace

_CHANGE = "gateway.change_job"
_PREVIEW_S = 300
_MOST_EVENTS = 300
_SLOW = timedelta(minutes=5)


class JobReasonForm(ReasonForm):
    """Why. It stays in the job's timeline, for staff alone."""

    reason = forms.CharField(
        max_length=200, help_text="Stays in the job's timeline; its owner does not see it."
    )


def _cancel(staff: User, job: Job, given: dict[str, Any]) -> str:
    cancel_job(job.pk, workspace_id=None, by="staff")
    _note(job, "canceled_by_staff", staff, given)
    return f"Asked for its end: {given['reason']}"


def _repeat(staff: User, job: Job, given: dict[str, Any]) -> str:
    new_id = repeat_job(job.pk, by=staff.get_username())
    _note(job, "repeated_by_staff", staff, given)
    return f"Done again as job {new_id}: {given['reason']}"


def _note(job: Job, what: str, staff: User, given: dict[str, Any]) -> None:
    tell(job.pk, what, detail={"by": staff.get_username(), "reason": given["reason"]})


def _is_open(job: Job) -> bool:
    return job.state not in Job.FINAL and job.cancel_requested_at is None


def _is_repeatable(job: Job) -> bool:
    failed = job.state in (Job.State.FAILED, Job.State.EXPIRED)
    return failed and job.billing == "credits" and job.request is not None


def _of_job(job: Job) -> Facts:
    return [
        ("Job", f"{job.operation}, {job.kind or job.model}, {job.item_count} wanted"),
        ("State", job.get_state_display()),
        ("Held, credits", credits_cell(job.hold_ucr)),
        ("Charged, credits", credits_cell(job.charge_ucr)),
    ]


def _before_cancelling(job: Job) -> Facts:
    return [
        *_of_job(job),
        (
            "What happens",
            "What was not sent yet ends at once. What a provider is at is asked to stop; what it"
            " makes or bills nevertheless is delivered and charged.",
        ),
    ]


def _before_repeating(job: Job) -> Facts:
    return [
        *_of_job(job),
        (
            "What happens",
            "A new job of the same request, with its own hold at today's price. This one was not"
            " charged.",
        ),
    ]


class OperationFilter(admin.SimpleListFilter):
    """By what is made; a closed list, so that nobody reads the table to learn it."""

    title = "operation"
    parameter_name = "operation"

    def lookups(
        self, request: HttpRequest, model_admin: "admin.ModelAdmin[Any]"
    ) -> list[tuple[str, str]]:
        """Offer them."""
        return [(name, name) for name in MEDIA_OPERATIONS]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        """Keep those."""
        return queryset.filter(operation=self.value()) if self.value() else queryset


class AgeFilter(admin.SimpleListFilter):
    """By age: ids begin with the time, so their index answers."""

    title = "age"
    parameter_name = "age"

    def lookups(
        self, request: HttpRequest, model_admin: "admin.ModelAdmin[Any]"
    ) -> list[tuple[str, str]]:
        """Offer them."""
        return [("hour", "last hour"), ("day", "last day"), ("slow", "open for over 5 minutes")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        """Keep those."""
        now = datetime.now(UTC)
        if self.value() == "slow":
            open_states = (Job.State.QUEUED, Job.State.RUNNING)
            return queryset.filter(state__in=open_states, pk__lt=_first_id(now - _SLOW))
        ages = {"hour": timedelta(hours=1), "day": timedelta(days=1)}
        age = ages.get(self.value() or "")
        return queryset if age is None else queryset.filter(pk__gte=_first_id(now - age))


@admin.register(Job)
class JobAdmin(FormPagesAdmin):
    """Jobs, newest first (ids sort by time)."""

    list_display = (
        "created_at",
        id_column("id", "job"),
        "ended",
        "operation",
        "maker",
        "workspace",
        "made",
        "took",
        credits_column("charge_ucr", "charged"),
    )
    list_filter = ("state", OperationFilter, AgeFilter, "sandbox")
    ordering = ("-id",)
    workspace_field = "workspace_id"
    uuid_field = "id"
    search_help_text = "Id of a job (its request's id), workspace id or whole workspace name"
    fields = (
        *("id", "state", "failure", "workspace", "see_also", "offers", "route", "made", "took"),
        *("hold_ucr", "charge_ucr", "files", "runs_made", "timeline", "app_id", "user_ref"),
        *("surface", "operation", "kind", "channel", "model", "parameters", "billing", "sandbox"),
        *("price_version", "markup_bp", "created_at", "started_at", "finished_at", "deadline_at"),
        "cancel_requested_at",
    )
    readonly_fields = (
        *("workspace", "route", "made", "took", "failure", "see_also", "files", "runs_made"),
        *("timeline", *FormPagesAdmin.readonly_fields),
    )
    form_pages = (
        FormPage(
            name="cancel",
            label="Cancel",
            permission=_CHANGE,
            form=JobReasonForm,
            act=_cancel,
            offered=_is_open,
            facts=_before_cancelling,
        ),
        FormPage(
            name="repeat",
            label="Do it again",
            permission=_CHANGE,
            form=JobReasonForm,
            act=_repeat,
            offered=_is_repeatable,
            facts=_before_repeating,
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        """Read along the workspace's name and which route was taken last."""
        names = Workspace.objects.filter(pk=OuterRef("workspace_id")).values("name")
        runs = JobRun.objects.filter(job=OuterRef("pk")).order_by("-route_position")
        found: QuerySet[Job] = super().get_queryset(request)
        return found.annotate(
            workspace_name=Subquery(names[:1]),
            last_position=Subquery(runs.values("route_position")[:1]),
        )

    @admin.display(description="workspace", ordering="workspace_id")
    def workspace(self, job: Job) -> str:
        """Show whose it is."""
        return f"{getattr(job, 'workspace_name', '')} ({job.workspace_id})"

    @admin.display(description="state", ordering="state")
    def ended(self, job: Job) -> str:
        """Show how it stands, and why it failed."""
        return f"{job.state}: {job.failure_code}" if job.failure_code else str(job.state)

    @admin.display(description="provider and model")
    def maker(self, job: Job) -> str:
        """Show where it is made, the model without its owner's name."""
        provider, _, model = self.route(job).partition(" ")
        return f"{provider} {model.rpartition('/')[2]}"

    @admin.display(description="provider and model")
    def route(self, job: Job) -> str:
        """Show where it is made, or was tried last."""
        route = job.routes[getattr(job, "last_position", None) or 0]
        return f"{route['provider']} {route['model']}"

    @admin.display(description="made")
    def made(self, job: Job) -> SafeString:
        """Show how many of how many."""
        return _unbroken(f"{job.made_count} of {job.item_count}")

    @admin.display(description="time")
    def took(self, job: Job) -> SafeString:
        """Show how long it took, or has lasted so far."""
        ended = job.finished_at or datetime.now(UTC)
        seconds = (ended - job.created_at).total_seconds()
        text = f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
        return _unbroken(text if job.finished_at else f"{text} so far")

    @admin.display(description="failure")
    def failure(self, job: Job) -> str:
        """Show what callers were told."""
        if not job.failure_code:
            return NONE
        return f"{job.failure_code} ({job.failure_status}): {job.failure_text}"

    @admin.display(description="see also")
    def see_also(self, job: Job) -> SafeString:
        """Link to receipt, usage and journal, and to the refund of what was charged."""
        links = [
            (reverse("admin:gateway_receipt", args=[job.pk]), "receipt"),
            (f"{reverse('admin:analytics_usage_changelist')}?q={job.pk}", "usage"),
            (f"{reverse('admin:billing_entry_changelist')}?q={job.pk}", "journal"),
        ]
        if job.charge_ucr:
            entry = Entry.objects.filter(
                wallet_id=job.workspace_id, call_id=job.pk, kind=Entry.Kind.USAGE
            ).first()
            if entry is not None:
                links.append((reverse("admin:billing_entry_refund", args=[entry.pk]), "refund…"))
        return format_html_join(" · ", '<a href="{}">{}</a>', links)

    @admin.display(description="files")
    def files(self, job: Job) -> SafeString:
        """Show what was made, by addresses that are good for five minutes."""
        assets = Asset.objects.filter(job_id=job.pk).order_by("id")
        shown = [
            (asset, asset_url(asset.pk, base_url="", life_s=_PREVIEW_S), asset.deleted_at is None)
            for asset in assets
        ]
        if not shown:
            return NONE
        return SafeString(render_to_string("admin/gateway/job_files.html", {"files": shown}))

    @admin.display(description="runs")
    def runs_made(self, job: Job) -> SafeString:
        """Show each submission to a provider, with its id there, and what failed before it."""
        runs = [
            (run, job.routes[run.route_position])
            for run in JobRun.objects.filter(job=job).order_by("number")
        ]
        return SafeString(render_to_string("admin/gateway/job_runs.html", {"runs": runs}))

    @admin.display(description="timeline")
    def timeline(self, job: Job) -> SafeString:
        """Show what happened, the oldest first; what callers do not see is marked."""
        events = JobEvent.objects.filter(job=job).order_by("id")[:_MOST_EVENTS]
        lines = [
            (event, ", ".join(f"{name} {value}" for name, value in event.detail.items()))
            for event in events
        ]
        return SafeString(render_to_string("admin/gateway/job_timeline.html", {"lines": lines}))


def _unbroken(text: str) -> SafeString:
    return format_html('<span class="amt">{}</span>', text)


def _first_id(moment: datetime) -> UUID:
    """Give the smallest id that could have been made at a time."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)

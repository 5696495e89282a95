"""Finance's pages: reports to download, the close of a month, providers' invoices and their drift.

Each has a permission of its own, which the group `finance` has.
"""

import base64
import contextlib
import tempfile
from collections.abc import AsyncIterator, Iterator
from typing import IO, Any

from asgiref.sync import sync_to_async
from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.core.handlers.asgi import ASGIRequest
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from billing.finance.closing import ask_to_close, confirm_close
from billing.finance.errors import InvoiceRefused
from billing.finance.exports import FORMATS
from billing.finance.invoices import MAX_FILE_BYTES, import_invoice, read_matches
from billing.finance.periods import Month
from billing.finance.reports import (
    CONTENT_TYPES,
    REPORTS,
    STATEMENT,
    Export,
    Order,
    export_report,
    read_form,
)
from billing.finance.tables import percent_text, usd_text
from billing.models.finance import MonthClose, ProviderInvoice
from billing.models.ledger import ClosedMonth
from studio.accounts.models import Workspace
from studio.accounts.read_only_admin import ReadOnlyAdmin
from studio.core.errors import GatewayError

_CHUNK_BYTES = 65_536
_MOST_LINES = 100
_CLOSING = (
    "One person asks, another confirms here. Then nothing is ever written into that month again:"
    " what was wrong in it is corrected in a later one."
)


class OrderForm(forms.Form):
    """Which report, of which month, in which form."""

    report = forms.ChoiceField(choices=[(name, name) for name in (STATEMENT, *REPORTS)])
    month = forms.CharField(max_length=7, help_text="YYYY-MM, a calendar month in UTC.")
    workspace = forms.CharField(
        max_length=200, required=False, help_text="Whole name, for a statement."
    )
    form = forms.ChoiceField(choices=[(form, form) for form in FORMATS])

    def clean_month(self) -> Month:
        """Read the month."""
        try:
            return Month.parse(self.cleaned_data["month"])
        except GatewayError as error:
            raise forms.ValidationError(error.message) from error

    def clean(self) -> dict[str, Any]:
        """Find the workspace of a statement."""
        data = self.cleaned_data
        if data.get("report") == STATEMENT:
            found = Workspace.objects.filter(name=data.get("workspace", "")).first()
            if found is None:
                self.add_error("workspace", "A statement needs the name of a workspace")
            data["workspace_id"] = found.pk if found else None
        return data

    def order(self) -> Order:
        """Give the order of a form that is valid."""
        data = self.cleaned_data
        return Order(
            report=data["report"],
            month=data["month"],
            form=read_form(data["form"]),
            workspace_id=data.get("workspace_id"),
        )


class MonthForm(forms.Form):
    """A month to ask about, or to close."""

    month = OrderForm.base_fields["month"]
    clean_month = OrderForm.clean_month


class InvoiceForm(forms.Form):
    """A provider's invoice to import."""

    file = forms.FileField(help_text="CSV: provider,day,model,quantity,amount_usd")


@admin.register(MonthClose)
class MonthCloseAdmin(ReadOnlyAdmin):
    """Months that are closed or about to be, and the way to all reports."""

    list_display = ("name", "requested_by", "requested_at", "state")
    list_select_related = ("requested_by",)
    ordering = ("-month",)
    readonly_fields = ("state",)
    change_list_template = "admin/billing/monthclose/list.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[MonthClose]:
        """Read along who closed it."""
        closed = ClosedMonth.objects.filter(month=OuterRef("month"))
        asked: QuerySet[MonthClose] = super().get_queryset(request)
        return asked.annotate(
            closed_by=Subquery(closed.values("closed_by")[:1]),
            confirmed_by=Subquery(closed.values("confirmed_by")[:1]),
        )

    @admin.display(description="month", ordering="month")
    def name(self, close: MonthClose) -> str:
        """Show the month without a day."""
        return str(close)

    @admin.display(description="state")
    def state(self, close: MonthClose) -> str:
        """Say whether somebody has confirmed it."""
        closed_by, confirmed_by = (
            getattr(close, "closed_by", None),
            getattr(close, "confirmed_by", ""),
        )
        if closed_by is None:
            return "waits for another person"
        return f"closed by {closed_by} and {confirmed_by}"

    def get_urls(self) -> list[URLPattern]:
        """Add the pages."""
        view = self.admin_site.admin_view
        return [
            path("reports/", view(self.reports_view), name="billing_finance_reports"),
            path("close/", view(self.close_view), name="billing_finance_close"),
            path("drift/", view(self.drift_view), name="billing_finance_drift"),
            *super().get_urls(),
        ]

    def reports_view(self, request: HttpRequest) -> HttpResponseBase:
        """Show the form, or send the file."""
        _need(request, "billing.export_finance")
        form = OrderForm(request.POST or None, initial={"month": _last_month().name})
        if request.method == "POST" and form.is_valid():
            try:
                return _send(request, form.order())
            except GatewayError as error:
                form.add_error(None, error.message)
        return self._page(request, "Reports", form, button="Download")

    def close_view(self, request: HttpRequest) -> HttpResponse:
        """Show the form; ask to close the month, or confirm it if another person has asked."""
        staff = _need(request, "billing.close_month")
        form = MonthForm(request.POST or None, initial={"month": _last_month().name})
        if request.method == "POST" and form.is_valid():
            try:
                messages.success(request, _ask_or_confirm(form.cleaned_data["month"], staff))
                return redirect("admin:billing_monthclose_changelist")
            except GatewayError as error:
                form.add_error(None, error.message)
        note: dict[str, object] = {"note": _CLOSING}
        return self._page(request, "Close a month, for ever", form, note, button="Ask or confirm")

    def drift_view(self, request: HttpRequest) -> HttpResponse:
        """Show what providers billed in a month against what we recorded."""
        _need(request, "billing.export_finance")
        form = MonthForm(request.GET if "month" in request.GET else {"month": _last_month().name})
        month = form.cleaned_data["month"] if form.is_valid() else _last_month()
        rows = [
            (
                match.day,
                match.provider,
                match.model,
                usd_text(match.billed_ucr),
                usd_text(match.recorded_ucr),
                usd_text(match.drift_ucr),
                "" if match.drift_bp is None else percent_text(match.drift_bp),
                match.drifts,
            )
            for match in read_matches(month)
        ]
        context = {"rows": rows, "above": sum(row[-1] for row in rows), "method": "get"}
        return self._page(request, f"Provider invoices, {month.name}", form, context, button="Show")

    def _page(
        self,
        request: HttpRequest,
        title: str,
        form: forms.Form,
        more: dict[str, object] | None = None,
        *,
        button: str,
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "opts": self.opts,
            "form": form,
            "button": button,
            "method": "post",
            **(more or {}),
        }
        return TemplateResponse(request, "admin/billing/monthclose/form.html", context)


@admin.register(ProviderInvoice)
class ProviderInvoiceAdmin(ReadOnlyAdmin):
    """What providers billed us, file by file."""

    list_display = ("imported_at", "file_name", "line_count", "amount_usd", "imported_by")
    readonly_fields = ("amount_usd", "lines")
    exclude = ("amount_ucr",)
    list_select_related = ("imported_by",)
    ordering = ("-imported_at",)
    change_list_template = "admin/billing/providerinvoice/list.html"

    def get_urls(self) -> list[URLPattern]:
        """Add the import's page."""
        view = self.admin_site.admin_view(self.import_view)
        return [path("import/", view, name="billing_finance_import"), *super().get_urls()]

    @admin.display(description="amount, USD", ordering="amount_ucr")
    def amount_usd(self, invoice: ProviderInvoice) -> str:
        """Show dollars, as the provider bills them."""
        return usd_text(invoice.amount_ucr)

    @admin.display(description="lines")
    def lines(self, invoice: ProviderInvoice) -> SafeString:
        """Show the first lines of the file."""
        first = invoice.lines.order_by("line_number")[:_MOST_LINES]
        found = [
            (
                line.day,
                line.provider,
                line.model,
                f"{line.quantity.normalize():f}",
                usd_text(line.amount_ucr),
            )
            for line in first
        ]
        return format_html_join("", "<div>{} {} {}: {} for ${}</div>", found)

    def import_view(self, request: HttpRequest) -> HttpResponse:
        """Show the form, or import."""
        staff = _need(request, "billing.import_invoice")
        form = InvoiceForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid() and _import(request, form, staff):
            return redirect("admin:billing_providerinvoice_changelist")
        context = {
            **self.admin_site.each_context(request),
            "title": "Import a provider's invoice",
            "opts": self.opts,
            "form": form,
            "button": "Import",
            "method": "post",
        }
        return TemplateResponse(request, "admin/billing/monthclose/form.html", context)


def _need(request: HttpRequest, permission: str) -> User:
    """Give the member of staff, who has the permission."""
    if not isinstance(request.user, User) or not request.user.has_perm(permission):
        raise PermissionDenied
    return request.user


def _last_month() -> Month:
    today = timezone.now().date().replace(day=1)
    years, month = divmod(today.month - 2, 12)
    return Month(first=today.replace(year=today.year + years, month=month + 1))


def _ask_or_confirm(month: Month, staff: User) -> str:
    asked = MonthClose.objects.filter(month=month.first).first()
    if asked is not None and asked.requested_by_id != staff.pk:
        confirm_close(month=month, staff=staff)
        return f"{month.name} is closed."
    ask_to_close(month=month, staff=staff)
    return f"{month.name}: asked. Another person confirms here."


def _import(request: HttpRequest, form: InvoiceForm, staff: User) -> bool:
    file = form.cleaned_data["file"]
    try:
        done = import_invoice(
            data=file.read(MAX_FILE_BYTES + 1), file_name=file.name or "", staff=staff
        )
    except InvoiceRefused as error:
        form.add_error("file", error.lines[:100])
        return False
    word = "Imported before" if done.repeated else "Imported"
    messages.success(request, f"{word}: {done.line_count} lines, ${usd_text(done.amount_ucr)}")
    return True


def _send(request: HttpRequest, order: Order) -> StreamingHttpResponse:
    """Write the report to a nameless file, then stream that: a slow reader holds no snapshot."""
    with contextlib.ExitStack() as undo:
        file = undo.enter_context(tempfile.TemporaryFile())
        export = export_report(order, file)
        size = file.tell()
        file.seek(0)
        # Django would collect an iterator of the wrong kind in memory before it sent any of it.
        kind = _AsyncChunks if isinstance(request, ASGIRequest) else _Chunks
        response = StreamingHttpResponse(kind(file), headers=_headers(export, size))
        undo.pop_all()
    return response


def _headers(export: Export, size: int) -> dict[str, str]:
    headers = {
        "Content-Type": CONTENT_TYPES[export.form],
        "Content-Length": str(size),
        "Content-Disposition": f'attachment; filename="{export.file_name}"',
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
    if export.form == "csv":
        digest = base64.b64encode(bytes.fromhex(export.written.sha256)).decode()
        headers["Content-Digest"] = f"sha-256=:{digest}:"
    return headers


class _FileChunks:
    """A file in pieces. Django closes it with the response, read to its end or not."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class _Chunks(_FileChunks):
    """For WSGI and Django's own test client."""

    def __iter__(self) -> Iterator[bytes]:
        while chunk := self._file.read(_CHUNK_BYTES):
            yield chunk


class _AsyncChunks(_FileChunks):
    """For ASGI."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        read = sync_to_async(self._file.read, thread_sensitive=False)
        while chunk := await read(_CHUNK_BYTES):
            yield chunk

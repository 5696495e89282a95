"""A page with a form beside a row that nobody edits: the way staff ask a service for something."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import quote, unquote
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from studio.accounts.read_only_admin import SearchedByIdAdmin
from studio.core.errors import GatewayError
from studio.core.ids import new_id
from studio.core.money import credits_to_ucr

Row = Any
"""An unmanaged model's row; each page knows which."""


class ReasonForm(forms.Form):
    """Why. `key` makes a form that is sent twice happen once."""

    key = forms.UUIDField(widget=forms.HiddenInput, initial=new_id)
    reason = forms.CharField(
        max_length=200, help_text="Stays in the books for ever; the customer reads it too."
    )


class SureForm(forms.Form):
    """Nothing but the button."""


class CreditsForm(ReasonForm):
    """How many credits, and why."""

    credits = forms.CharField(help_text="1 credit is $0.001; up to 6 decimal places.")
    credits.widget.attrs.update(inputmode="decimal", autocomplete="off")
    field_order: tuple[str, ...] = ("key", "credits", "reason")

    def clean_credits(self) -> int:
        """Read the amount, in µcr."""
        try:
            return credits_to_ucr(self.cleaned_data["credits"])
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error


class AdjustForm(CreditsForm):
    """How many credits of which kind, up or down, and why."""

    paid = forms.TypedChoiceField(
        label="Which credit",
        choices=[("given", "Given by us"), ("paid", "Paid for")],
        coerce=lambda choice: choice == "paid",
    )
    field_order = ("key", "credits", "paid", "reason")

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401  Django's own signature
        super().__init__(*args, **options)
        self.fields["credits"].help_text += " A minus takes away."


Facts = list[tuple[str, object]]
"""What somebody should know before they ask: a word, and what there is of it."""


def _always(row: Row) -> bool:
    return True


def _no_facts(row: Row) -> Facts:
    return []


@dataclass(frozen=True, slots=True, kw_only=True)
class FormPage:
    """One thing that may be asked for on a row's page.

    `name` is the end of its address; `facts` are shown above the form; `act` asks the service and
    says in one line what came of it.
    """

    name: str
    label: str
    permission: str
    form: type[forms.Form]
    act: Callable[[User, Row, dict[str, Any]], str]
    offered: Callable[[Row], bool] = _always
    initial: Callable[[Row], dict[str, Any]] = lambda row: {}
    facts: Callable[[Row], Facts] = _no_facts


class FormPagesAdmin(SearchedByIdAdmin):
    """Rows to look at, with pages that ask for something."""

    form_pages: ClassVar[tuple[FormPage, ...]] = ()
    readonly_fields: ClassVar[tuple[str, ...]] = ("offers",)

    def get_urls(self) -> list[URLPattern]:
        """Add an address for each page."""
        return [
            path(
                f"<path:object_id>/{page.name}/",
                self.admin_site.admin_view(self._view(page)),
                name=f"{self._address_of(page)}",
            )
            for page in self.form_pages
        ] + super().get_urls()

    @admin.display(description="ask for")
    def offers(self, row: Row) -> SafeString:
        """Link to what may be asked for."""
        links = [
            (reverse(f"admin:{self._address_of(page)}", args=[quote(row.pk)]), page.label)
            for page in self.form_pages
            if page.offered(row)
        ]
        if not links:
            return SafeString("-")
        return format_html_join(" · ", '<a href="{}">{}…</a>', links)

    def _address_of(self, page: FormPage) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{page.name}"

    def _view(self, page: FormPage) -> Callable[..., HttpResponse]:
        def view(request: HttpRequest, object_id: str) -> HttpResponse:
            return self._answer(request, unquote(object_id), page)

        return view

    def _answer(self, request: HttpRequest, object_id: str, page: FormPage) -> HttpResponse:
        """Show the form, or ask the service."""
        if not request.user.has_perm(page.permission):
            raise PermissionDenied
        row = self.get_object(request, object_id)
        if row is None or not page.offered(row):
            raise Http404
        given = request.POST if request.method == "POST" else None
        form = page.form(given, initial=page.initial(row))
        if request.method == "POST" and form.is_valid() and self._act(request, page, row, form):
            return redirect(
                f"admin:{self.opts.app_label}_{self.opts.model_name}_change", quote(row.pk)
            )
        context = {
            **self.admin_site.each_context(request),
            "title": f"{page.label}: {row}",
            "opts": self.opts,
            "form": form,
            "row": row,
            "facts": page.facts(row),
            "button": page.label,
        }
        return TemplateResponse(request, "admin/billing/form_page.html", context)

    def _act(self, request: HttpRequest, page: FormPage, row: Row, form: forms.Form) -> bool:
        assert isinstance(request.user, User)
        try:
            text = page.act(request.user, row, form.cleaned_data)
        except GatewayError as error:
            form.add_error(None, error.message)
            return False
        self.log_change(request, row, text)
        messages.success(request, text)
        return True

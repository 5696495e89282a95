"""Prices for staff: the newest book to search and edit, every version to read with its changes."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from billing.admin.margins import BelowCostFilter, losing, margin_bp, paying_tiers
from billing.models.prices import Price, PriceBook
from billing.price_books import change_price, hand_back
from billing.price_file import check_price, ucr_to_usd, usd_to_ucr
from billing.pricing import PriceRow, read_rows
from studio.accounts.amounts import percent_cell
from studio.accounts.read_only_admin import ReadOnlyAdmin

_KEY_FIELDS = ("provider", "model", "operation", "meter", "options")
_FIXED_FIELDS = (*_KEY_FIELDS, "per")


class PriceForm(forms.ModelForm):  # type: ignore[type-arg]
    """One price in dollars, as providers print them."""

    list_usd = forms.CharField(label="List price ($)", help_text="What we charge before markup.")
    cost_usd = forms.CharField(label="Cost ($)", help_text="What the provider bills us.")

    class Meta:
        model = Price
        fields = (*_FIXED_FIELDS, "source", "as_of")
        widgets = {  # noqa: RUF012  Django's form
            name: forms.TextInput()
            for name in ("provider", "model", "operation", "meter", "source")
        }

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401  Django's own signature
        super().__init__(*args, **options)
        if self.instance.pk:
            self.initial["list_usd"] = ucr_to_usd(self.instance.list_ucr)
            self.initial["cost_usd"] = ucr_to_usd(self.instance.cost_ucr)

    def clean(self) -> dict[str, Any]:
        """Check the amounts and what the meter demands."""
        values = super().clean() or self.cleaned_data
        if self.errors:
            return values
        try:
            check_price(self.row())
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error
        return values

    def row(self) -> PriceRow:
        """Give the price that was typed. Raises: ValueError if it is none."""
        known = {name: getattr(self.instance, name) for name in _FIXED_FIELDS if self.instance.pk}
        values = {**self.cleaned_data, **known}
        list_ucr = usd_to_ucr(values.pop("list_usd"))
        cost_ucr = usd_to_ucr(values.pop("cost_usd"))
        return PriceRow(**values, list_ucr=list_ucr, cost_ucr=cost_ucr)


@admin.register(Price)
class PriceAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """The newest book. Saving a price makes a new version; nothing is ever deleted."""

    form = PriceForm
    list_display = (
        "model",
        "provider",
        "operation",
        "meter",
        "option_text",
        "list_usd",
        "cost_usd",
        "units",
        "edited_by_staff",
    )
    list_filter = (BelowCostFilter, "provider", "operation", "edited_by_staff")
    list_per_page = 200
    search_fields = ("model", "provider")
    ordering = ("operation", "provider", "model", "options", "meter")
    actions = ("hand_back_to_file",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Price]:
        """Show the newest version only; older ones are read through their book."""
        newest = PriceBook.objects.order_by("-version").values("version")[:1]
        return super().get_queryset(request).filter(book=newest)

    def get_readonly_fields(self, request: HttpRequest, obj: Price | None = None) -> list[str]:
        """Fix what a price is for once it exists."""
        return [*_FIXED_FIELDS, "edited_by_staff", "margins", "history"] if obj else []

    def get_fields(self, request: HttpRequest, obj: Price | None = None) -> Any:  # noqa: ANN401
        """Show the history under the price."""
        typed = [*_FIXED_FIELDS, "list_usd", "cost_usd", "source", "as_of"]
        return [*typed, "edited_by_staff", "margins", "history"] if obj else typed

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """Put the worst margin beside the amounts, by the tiers as they are now."""
        tiers = paying_tiers()

        def worst(price: Price) -> SafeString:
            lost = [tier.tier for tier in losing(price, tiers)]
            shown = percent_cell(margin_bp(price, tiers[0].markup_bp)) if tiers else SafeString("")
            if not lost:
                return shown
            return format_html(
                '<span class="bad">{}, below cost: {}</span>', shown, ", ".join(lost)
            )

        vars(worst).update(short_description="least margin")
        columns: list[Any] = list(self.list_display)
        return [*columns[:7], worst, *columns[7:]]

    def has_delete_permission(self, request: HttpRequest, obj: Price | None = None) -> bool:
        """Refuse: a model is taken out of service in the catalogue."""
        return False

    def save_model(self, request: HttpRequest, obj: Price, form: PriceForm, change: bool) -> None:
        """Make the next version of the book through the service."""
        row = form.row()
        version = change_price(row, actor=request.user.get_username())
        lost = [tier.tier for tier in losing(row, paying_tiers())]
        if lost:
            messages.warning(request, f"This price is below cost on {', '.join(lost)}.")
        key = {name: getattr(row, name) for name in _KEY_FIELDS}
        obj.pk = Price.objects.only("pk").get(book=version, **key).pk

    def response_add(
        self, request: HttpRequest, obj: Price, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Return to the list: the price is part of a new version now."""
        return self._to_list(request, obj)

    def response_change(self, request: HttpRequest, obj: Price) -> HttpResponse:
        """Return to the list, as above."""
        return self._to_list(request, obj)

    @admin.action(description="Let prices.toml decide these again", permissions=["change"])
    def hand_back_to_file(self, request: HttpRequest, queryset: QuerySet[Price]) -> None:
        """Drop the mark of staff, so that the next loading of the file takes over."""
        picked = {price.pk for price in queryset}
        keys = [
            PriceRow(**row).key
            for row in Price.objects.filter(pk__in=picked).values(*PriceRow.__struct_fields__)
        ]
        version = hand_back(keys, actor=request.user.get_username())
        messages.success(request, f"Version {version}: the file decides from its next loading.")

    @admin.display(description="list ($)")
    def list_usd(self, price: Price) -> str:
        """Show dollars."""
        return ucr_to_usd(price.list_ucr)

    @admin.display(description="cost ($)")
    def cost_usd(self, price: Price) -> str:
        """Show dollars."""
        return ucr_to_usd(price.cost_ucr)

    @admin.display(description="per", ordering="per")
    def units(self, price: Price) -> str:
        """Show for how many units the amounts are."""
        return f"{price.per:,}"

    @admin.display(description="options")
    def option_text(self, price: Price) -> str:
        """Show the options without their braces."""
        return _text(price.options)

    @admin.display(description="margin by tier")
    def margins(self, price: Price) -> SafeString:
        """Show what is left on each tier that pays by credits."""
        lines = [
            ("bad" if bp < 0 else "", tier.tier, percent_cell(bp))
            for tier in paying_tiers()
            for bp in [margin_bp(price, tier.markup_bp)]
        ]
        return format_html_join("", '<div class="{}">{}: {}</div>', lines)

    @admin.display(description="history")
    def history(self, price: Price) -> SafeString:
        """Show every amount this price has had, the newest first."""
        key = {name: getattr(price, name) for name in _KEY_FIELDS}
        known = Price.objects.filter(**key).select_related("book").order_by("book_id")
        lines: list[tuple[str, str, str, str]] = []
        amounts = None
        for past in known:
            if amounts != (past.list_ucr, past.cost_ucr):
                amounts = (past.list_ucr, past.cost_ucr)
                what = f"${ucr_to_usd(past.list_ucr)} (cost ${ucr_to_usd(past.cost_ucr)})"
                at = f"{past.book.created_at:%Y-%m-%d %H:%M}"
                lines.append((str(past.book), at, past.book.created_by, what))
        return format_html_join("", "<div>{}, {}, {}: {}</div>", reversed(lines))

    def _to_list(self, request: HttpRequest, obj: Price) -> HttpResponse:
        messages.success(request, f"{obj}: a new version of the price book.")
        return HttpResponseRedirect(reverse("admin:billing_price_changelist"))


@admin.register(PriceBook)
class PriceBookAdmin(ReadOnlyAdmin):
    """Every version there has been; new ones come from changed prices."""

    list_display = ("version", "created_at", "created_by", "note", "price_count")
    fields = ("version", "created_at", "created_by", "note", "digest", "changes")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[PriceBook]:
        """Count the prices in the same query."""
        books: QuerySet[PriceBook] = super().get_queryset(request)
        return books.annotate(count=Count("prices"))

    @admin.display(description="prices")
    def price_count(self, book: "PriceBook") -> int:
        """Show how many prices the version holds."""
        return int(getattr(book, "count", 0))

    @admin.display(description="changes")
    def changes(self, book: PriceBook) -> SafeString:
        """Show what differs from the version before."""
        before = {row.key: row for row in read_rows(book.version - 1)}
        after = {row.key: row for row in read_rows(book.version)}
        lines = [
            (" ".join(key), _amounts(before.get(key)), _amounts(after.get(key)))
            for key in sorted(before.keys() | after.keys())
            if before.get(key) != after.get(key)
        ]
        return format_html_join("", "<div>{}: {} → {}</div>", lines)


def _amounts(row: PriceRow | None) -> str:
    if row is None:
        return "none"
    whose = ", staff's" if row.edited_by_staff else ""
    return f"${ucr_to_usd(row.list_ucr)} (cost ${ucr_to_usd(row.cost_ucr)}{whose})"


def _text(options: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in options.items())

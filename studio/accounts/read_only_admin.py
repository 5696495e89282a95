"""What staff's read-only pages share in every app: nothing to change, a cheap count, and a search
that indexes can answer.

Here and not in core, which knows no models: the search finds a workspace by its name.
"""

from typing import Any, cast
from uuid import UUID

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

from studio.accounts.models import Workspace

_MOST_COUNTED = 10_000


class BoundedPaginator(Paginator):  # type: ignore[type-arg]  # not subscriptable at run time
    """Count no further than 10 000 rows: nobody pages that far, and some tables have millions."""

    @cached_property
    def count(self) -> int:
        """Count the rows that can be paged through."""
        rows = cast("QuerySet[Any]", self.object_list)
        return rows.order_by()[:_MOST_COUNTED].count()


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows to look at: nothing to add, change or delete."""

    list_per_page = 50
    show_full_result_count = False
    paginator = BoundedPaginator

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Nobody."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Nobody."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Nobody."""
        return False


class SearchedByIdAdmin(ReadOnlyAdmin):
    """A big table, searched by equality alone: a workspace by id or whole name, a row by uuid.

    `workspace_field` and `uuid_field` name the indexed columns; an empty one finds nothing.
    """

    workspace_field = ""
    uuid_field = ""
    # Only makes Django show the box: the search itself is get_search_results.
    search_fields = ("pk",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find the rows of the term. Returns: them, and that none of them comes twice."""
        term = search_term.strip()
        if not term:
            return queryset, False
        number, uuid = read_number(term), read_uuid(term)
        if number is None and uuid is not None:
            field, values = self.uuid_field, [uuid]
        else:
            field, values = self.workspace_field, _workspaces(number, term)
        return (queryset.filter(**{f"{field}__in": values}) if field else queryset.none()), False


def read_number(text: str) -> int | None:
    """Read a table's own id, as people and addresses write it. Returns: None if it is none."""
    return int(text) if text.isdecimal() and len(text) <= 19 else None


def read_uuid(text: str) -> UUID | None:
    """Read a uuid, as people and addresses write it. Returns: None if it is none."""
    try:
        return UUID(text)
    except ValueError:
        return None


def _workspaces(number: int | None, name: str) -> list[Any]:
    if number is not None:
        return [number]
    return list(Workspace.objects.filter(name=name).values_list("pk", flat=True))

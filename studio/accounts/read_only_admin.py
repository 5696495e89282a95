"""What staff's read-only pages share in every app: nothing to change, a cheap count, and a search
that indexes can answer.

Here and not in core, which knows no models: the search finds a workspace by its name.
"""

from functools import reduce
from operator import or_
from typing import Any, ClassVar, cast
from uuid import UUID

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

from studio.accounts.amounts import shown
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

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:  # noqa: ANN401  Django's own
        """Show amounts in the units that people read."""
        names = super().get_fields(request, obj)
        return [shown(name) if isinstance(name, str) else name for name in names]

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
    """A big table, searched by equality alone: a workspace by id or whole name, a row by uuid, or
    by a text such as another system's id.

    `workspace_field`, `uuid_field` and `text_fields` name the indexed columns; an empty one finds
    nothing.
    """

    workspace_field = ""
    uuid_field = ""
    text_fields: ClassVar[tuple[str, ...]] = ()
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
        wanted: list[Q] = []
        if number is None and uuid is not None:
            wanted += [Q(**{self.uuid_field: uuid})] if self.uuid_field else []
        elif self.workspace_field:
            wanted.append(Q(**{f"{self.workspace_field}__in": _workspaces(number, term)}))
        if number is None and uuid is None:
            wanted += [Q(**{field: term}) for field in self.text_fields]
        return (queryset.filter(reduce(or_, wanted)) if wanted else queryset.none()), False


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

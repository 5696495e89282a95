"""Actions on a list that ask once more before they do anything."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

_MOST_SHOWN = 50

_Admin = TypeVar("_Admin", bound="admin.ModelAdmin[Any]")
Act = Callable[[_Admin, HttpRequest, "QuerySet[Any]"], None]
Asking = Callable[[_Admin, HttpRequest, "QuerySet[Any]"], HttpResponse | None]


def confirmed(
    *, description: str, consequence: str, permissions: Sequence[str]
) -> Callable[[Act[_Admin]], Asking[_Admin]]:
    """Make an action that shows the chosen rows and says what will come of it, before it acts.

    A row is shown by the admin's `in_words(row)` if it has one, else by its name.
    """

    def decorate(act: Act[_Admin]) -> Asking[_Admin]:
        @wraps(act)
        def ask(
            self: _Admin, request: HttpRequest, queryset: "QuerySet[Any]"
        ) -> HttpResponse | None:
            if request.POST.get("confirmed") == "yes":
                act(self, request, queryset)
                return None
            words = getattr(self, "in_words", str)
            count = queryset.count()
            context = {
                **self.admin_site.each_context(request),
                "title": description,
                "opts": self.opts,
                "consequence": consequence,
                "lines": [words(row) for row in queryset[:_MOST_SHOWN]],
                "more": max(0, count - _MOST_SHOWN),
                "action": act.__name__,
                "select_across": request.POST.get("select_across") == "1",
                "selected": request.POST.getlist("_selected_action"),
            }
            return TemplateResponse(request, "admin/confirm_action.html", context)

        return admin.action(ask, permissions=permissions, description=description)

    return decorate

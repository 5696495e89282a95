"""How providers do, on one page: circuits, calls and runs of jobs of the last hour or day."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from gateway.health import PERIODS, Codes, ProviderState, read_health
from gateway.models import ProviderHealth
from studio.accounts.read_only_admin import ReadOnlyAdmin

_DEFAULT = "hour"


@admin.register(ProviderHealth)
class ProviderHealthAdmin(ReadOnlyAdmin):
    """A page instead of a list: there is no table behind it."""

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show every provider; `?period=day` for a day instead of an hour."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        asked = request.GET.get("period", _DEFAULT)
        period = asked if asked in PERIODS else _DEFAULT
        states = read_health(PERIODS[period])
        context = {
            **self.admin_site.each_context(request),
            "title": f"Providers in the last {period}",
            "opts": self.opts,
            "period": period,
            "periods": list(PERIODS),
            "providers": [_shown(state) for state in states],
            "calls": [(one, _codes(one.codes)) for state in states for one in state.calls],
            "runs": [(one, _codes(one.codes)) for state in states for one in state.runs],
        }
        return TemplateResponse(request, "admin/gateway/provider_health.html", context)


def _shown(state: ProviderState) -> dict[str, Any]:
    circuit = state.circuit
    words = {
        "closed": "closed",
        "open": f"open, {circuit.open_s} s left",
        "probing": "open, the next call tries",
        "unknown": "not known: Redis does not answer",
    }
    return {
        "name": state.provider,
        "reach": circuit.reach,
        "circuit": "never opens" if circuit.reach == "sandbox" else words[circuit.state],
        "bad": circuit.state in ("open", "probing", "unknown"),
        "resting": ", ".join(f"{model} {left_s} s" for model, left_s in circuit.resting.items()),
    }


def _codes(codes: Codes) -> str:
    """Write how often each code came, the most frequent first."""
    by_count = sorted(codes.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{code or 'no code'} {count}" for code, count in by_count)

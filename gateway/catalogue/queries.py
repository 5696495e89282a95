"""Questions about the catalogue's rows."""

from datetime import UTC, datetime, timedelta

from django.db.models import QuerySet

from gateway.models.catalogue import KindRoute

SUNSET_NOTICE_DAYS = 45


def routes_near_sunset(days: int = SUNSET_NOTICE_DAYS) -> QuerySet[KindRoute]:
    """Find kinds whose model is retired or will be within `days`, for staff to move."""
    until = datetime.now(UTC).date() + timedelta(days=days)
    routes = KindRoute.objects.filter(enabled=True, model__sunset_on__lte=until)
    return routes.select_related("model__successor").order_by("model__sunset_on", "channel", "kind")

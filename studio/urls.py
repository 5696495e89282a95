"""Django's door: every path that is not on the fast one (studio/asgi.py)."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

admin.site.site_header = admin.site.site_title = "Studio"
admin.site.index_title = "Staff"

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("", include("gateway.surfaces.studio.urls")),
    path("", include("gateway.surfaces.llm.urls")),
    path("", include("gateway.jobs.urls")),
]

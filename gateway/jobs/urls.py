"""Where providers tell us about runs."""

from django.urls import path

from gateway.jobs.hooks import provider_message

urlpatterns = [
    path("hooks/<slug:provider>/<uuid:run_id>.<str:signature>", provider_message),
]

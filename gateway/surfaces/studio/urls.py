"""Paths of the studio surface behind the Django door.

They ignore cookies and take credentials from headers only, so there is nothing to forge.
"""

from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from gateway.surfaces.studio import views

urlpatterns = [
    path("health", views.health),
    path("health/ready", views.ready),
    path("v1/models", csrf_exempt(views.models)),
    path("v1/models/<path:name>", csrf_exempt(views.model)),
    path("v1/credits", csrf_exempt(views.credits)),
]

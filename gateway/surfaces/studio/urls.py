"""Paths of the studio surface behind the Django door."""

from django.urls import path

from gateway.surfaces.studio import views

urlpatterns = [
    path("health", views.health),
    path("health/ready", views.ready),
    path("v1/models", views.models),
    path("v1/models/<path:name>", views.model),
    path("v1/credits", views.credits),
]

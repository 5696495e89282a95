"""Paths of the llm surface behind the Django door. No cookie counts here, so no CSRF."""

from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from gateway.surfaces.llm import views

urlpatterns = [
    path("api/v1/llm/credits", csrf_exempt(views.credits)),
]

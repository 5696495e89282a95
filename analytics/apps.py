"""The Django app."""

from django.apps import AppConfig


class AnalyticsConfig(AppConfig):
    """Label `analytics`."""

    name = "analytics"
    verbose_name = "Analytics"

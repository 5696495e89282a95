"""The Django app."""

from django.apps import AppConfig


class GatewayConfig(AppConfig):
    """Label `gateway`."""

    name = "gateway"
    label = "gateway"
    verbose_name = "Gateway"

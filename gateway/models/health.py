"""The page of providers' health, as the admin knows pages: by a model, here one without a table."""

from django.db import models


class ProviderHealth(models.Model):
    """Nothing is stored: gateway/health.py asks usage, runs and circuits when staff look."""

    class Meta:
        managed = False
        default_permissions = ("view",)
        verbose_name = "provider health"
        verbose_name_plural = "provider health"

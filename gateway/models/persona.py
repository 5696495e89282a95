"""What a brand looks and sounds like, as its workspace wrote it down."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from studio.accounts.models import Workspace


class Persona(models.Model):
    """A brand of a workspace: words and colours that its pictures keep to.

    `colors` are `#RRGGBB`. `avoid_words` become part of the negative prompt. One of a workspace may
    be its default. Written by `gateway/imaging/personas.py` only.
    """

    id = models.UUIDField(primary_key=True)
    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="+")
    name = models.TextField()
    tone = models.TextField(blank=True)
    colors = ArrayField(models.TextField(), default=list, blank=True)
    style_words = ArrayField(models.TextField(), default=list, blank=True)
    avoid_words = ArrayField(models.TextField(), default=list, blank=True)
    is_default = models.BooleanField("default", default=False)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        default_permissions = ("view", "delete")
        ordering = ["workspace", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["workspace", "name"], name="persona_name_once"),
            models.UniqueConstraint(
                fields=["workspace"], condition=Q(is_default=True), name="persona_default_once"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def public_id(self) -> str:
        """The id that callers know."""
        return f"persona_{self.pk.hex}"

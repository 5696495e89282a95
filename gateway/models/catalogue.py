"""The catalogue: which models exist, which of them answers a kind in a channel, who changed what.

Rows come from model-catalog.json and from staff; all are written by gateway/catalogue/services.py.
Every change moves `CatalogueRevision` by trigger, so that running processes notice.
"""

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q

from gateway.catalogue.file import MOST_PATIENCE_MS, OPERATIONS_OF_JOBS


class CatalogueRow(models.Model):
    """What every row has: staff may switch it off, and what they edited the file leaves alone."""

    enabled = models.BooleanField(default=True)
    edited_by_staff = models.BooleanField(default=False, editable=False)

    class Meta:
        abstract = True


class CatalogueModel(CatalogueRow):
    """One model of one provider and the facts that calling it takes.

    Token limits are 0 where they do not apply.
    """

    provider = models.TextField()
    name = models.TextField(help_text="The provider's own id of the model.")
    operation = models.TextField(help_text="chat, image, speech, music, realtime …")
    upstream_model = models.TextField(
        blank=True,
        default="",
        help_text="What the provider calls it, where the name is ours (image and music only).",
    )
    context_tokens = models.IntegerField(default=0)
    max_output_tokens = models.IntegerField(default=0)
    image_tokens = models.IntegerField(
        default=0, help_text="The most input tokens that one image may count."
    )
    capabilities = models.JSONField(default=list, blank=True)
    drop_parameters = models.JSONField(
        default=list, blank=True, help_text="Request fields that are not passed on to this model."
    )
    sunset_on = models.DateField(
        null=True, blank=True, help_text="From this day (UTC) the successor answers."
    )
    successor = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="predecessors"
    )
    source = models.TextField(blank=True)
    added_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = "model"
        constraints = [
            models.UniqueConstraint(fields=["provider", "name"], name="model_once"),
            models.CheckConstraint(
                condition=Q(sunset_on=None, successor=None)
                | Q(sunset_on__isnull=False, successor__isnull=False),
                name="model_sunset_has_successor",
            ),
            models.CheckConstraint(
                condition=~Q(operation="chat") | Q(context_tokens__gt=0, max_output_tokens__gt=0),
                name="model_chat_has_limits",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider}:{self.name}"

    def clean(self) -> None:
        """Check that the chain of successors ends and stays within the operation, and the name."""
        if self.upstream_model and self.operation not in OPERATIONS_OF_JOBS:
            raise ValidationError({"upstream_model": "Only models of jobs have one."})
        seen = {self.pk}
        model = self.successor
        while model is not None:
            if model.pk in seen:
                raise ValidationError({"successor": "The successors form a circle."})
            if model.operation != self.operation:
                raise ValidationError({"successor": f"{model} does not do {self.operation}."})
            seen.add(model.pk)
            model = model.successor


class KindRoute(CatalogueRow):
    """One model that answers a kind in a channel; the lowest position comes first."""

    class Channel(models.TextChoices):
        """What callers choose by `x-model-channel`; stable answers for kinds that one lacks."""

        STABLE = "stable"
        EXPERIMENTAL = "experimental"
        FAST = "fast"
        QUALITY = "quality"

    channel = models.TextField(choices=Channel)
    kind = models.TextField()
    position = models.SmallIntegerField(default=0)
    model = models.ForeignKey(CatalogueModel, on_delete=models.PROTECT, related_name="routes")
    weight = models.SmallIntegerField(default=1)

    class Meta:
        verbose_name = "kind"
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "kind", "position"], name="kind_position_once"
            ),
            models.CheckConstraint(
                condition=Q(channel__in=["stable", "experimental", "fast", "quality"]),
                name="kind_channel_known",
            ),
            models.CheckConstraint(condition=Q(weight__gt=0), name="kind_weight_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.kind} {self.position}"

    def clean(self) -> None:
        """Check that a kind stands for one operation everywhere."""
        others = KindRoute.objects.filter(kind=self.kind).exclude(pk=self.pk)
        other = others.select_related("model").first()
        if other is not None and other.model.operation != self.model.operation:
            raise ValidationError({"model": f"{self.kind} is for {other.model.operation}."})


class KindPolicy(CatalogueRow):
    """How a kind's own routes in a channel are chosen among; without a row, as they are listed."""

    class Order(models.TextChoices):
        """Which route is tried first; the others follow when it fails."""

        LISTED = "listed", "as listed"
        WEIGHTED = "weighted", "at random, by weight"
        CHEAPEST = "cheapest", "the cheapest for the request"
        FASTEST = "fastest", "the one that was fastest lately"

    channel = models.TextField(choices=KindRoute.Channel)
    kind = models.TextField()
    order = models.TextField(choices=Order, default=Order.LISTED)
    patience_ms = models.PositiveIntegerField(
        "patience (ms)",
        default=0,
        validators=[MaxValueValidator(MOST_PATIENCE_MS)],
        help_text="How long a route may be silent before its first byte while another is left; "
        "0 for what is usual.",
    )

    class Meta:
        verbose_name = "kind's policy"
        verbose_name_plural = "kinds' policies"
        constraints = [
            models.UniqueConstraint(fields=["channel", "kind"], name="kind_policy_once"),
            models.CheckConstraint(
                condition=Q(channel__in=["stable", "experimental", "fast", "quality"]),
                name="kind_policy_channel_known",
            ),
            models.CheckConstraint(
                condition=Q(order__in=["listed", "weighted", "cheapest", "fastest"]),
                name="kind_policy_order_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.kind}"

    def clean(self) -> None:
        """Check that the kind has routes of its own in this channel."""
        if not KindRoute.objects.filter(channel=self.channel, kind=self.kind).exists():
            raise ValidationError({"kind": f"{self.kind} has no route in {self.channel}."})


class Alias(CatalogueRow):
    """Another name that callers may use as `model`, for a kind or for a model (`provider:name`)."""

    name = models.TextField(unique=True)
    target = models.TextField()

    class Meta:
        verbose_name_plural = "aliases"

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Check that the alias leads somewhere."""
        provider, _, name = self.target.partition(":")
        kinds = KindRoute.objects.filter(kind=self.target, channel=KindRoute.Channel.STABLE)
        if not kinds and not CatalogueModel.objects.filter(provider=provider, name=name):
            raise ValidationError({"target": "Neither a kind of stable nor provider:name."})


class CatalogueChange(models.Model):
    """One change of one row, by whom, with the row before and after. Append-only by trigger."""

    at = models.DateTimeField(auto_now_add=True)
    actor = models.TextField()
    table = models.TextField()
    row = models.TextField()
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)

    class Meta:
        indexes = [models.Index(fields=["table", "row", "-at"], name="change_by_row")]

    def __str__(self) -> str:
        return f"{self.table} {self.row}"


class CatalogueRevision(models.Model):
    """One row with a number that a trigger raises whenever the catalogue changes."""

    revision = models.BigIntegerField(default=1)

    def __str__(self) -> str:
        return str(self.revision)

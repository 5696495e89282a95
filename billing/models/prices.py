"""The price book: versions, each a snapshot of every price.

Append-only by trigger; written by billing/price_books.py.
"""

from django.db import models
from django.db.models import Q


class PriceBook(models.Model):
    """One version of all prices.

    A hold keeps the version it was quoted by, and so does its charge.
    """

    version = models.IntegerField(primary_key=True)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.TextField()
    note = models.TextField(blank=True)
    digest = models.TextField(help_text="SHA-256 of the prices: equal books are not stored twice.")

    class Meta:
        ordering = ["-version"]

    def __str__(self) -> str:
        return f"version {self.version}"


class Price(models.Model):
    """What one meter of one model costs in one version: µcr per `per` units.

    `list_ucr` is what we charge before the tier's markup, `cost_ucr` what the provider bills
    us. `options` tells apart what one meter prices differently (an image's size, a long
    context).
    """

    book = models.ForeignKey(PriceBook, on_delete=models.PROTECT, related_name="prices")
    provider = models.TextField()
    model = models.TextField()
    operation = models.TextField()
    meter = models.TextField(help_text="chat: input, cached_input, cache_write, output.")
    options = models.JSONField(default=dict, blank=True)
    per = models.BigIntegerField(
        help_text="1000000 for tokens and other metered units, 1 for items."
    )
    list_ucr = models.BigIntegerField()
    cost_ucr = models.BigIntegerField()
    source = models.TextField()
    as_of = models.DateField()
    edited_by_staff = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["book", "provider", "model", "operation", "meter", "options"],
                name="price_once_in_a_book",
            ),
            models.CheckConstraint(
                condition=Q(list_ucr__gt=0) | Q(operation="image_fit", list_ucr=0, cost_ucr=0),
                name="price_never_free",
            ),
            models.CheckConstraint(condition=Q(cost_ucr__gte=0), name="price_cost_not_negative"),
            models.CheckConstraint(condition=Q(per__gt=0), name="price_per_something"),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.model} {self.operation} {self.meter}"

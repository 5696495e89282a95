"""What is paid for by the item: so much for an image of a size and a quality. Pure arithmetic.

The price of one item is rounded up to a whole credit after the markup, then multiplied: a table of
prices holds to the digit for any count. Amounts are µcr.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from studio.core.money import UCR_PER_CREDIT, with_markup

if TYPE_CHECKING:
    from billing.pricing import PriceRow

AUTO = "auto"
"""A size or quality that the provider chooses: any that the model has."""
IMAGE_OPTIONS = ("size", "quality")


class ItemNotPriced(Exception):
    """The model has no such item, or several and the choice is not made yet."""


class ImageRate(msgspec.Struct, frozen=True, kw_only=True):
    """What one image of a size and a quality costs."""

    size: str
    quality: str
    list_ucr: int
    item_cost_ucr: int


class ImagePrice(msgspec.Struct, frozen=True):
    """What a model's images cost."""

    rates: tuple[ImageRate, ...]

    def charge_ucr(self, *, size: str, quality: str, count: int, markup_bp: int) -> int:
        """Give what the caller pays for so many images of one kind. Raises: ItemNotPriced."""
        return count * item_charge_ucr(self._one(size, quality).list_ucr, markup_bp)

    def cost_ucr(self, *, size: str, quality: str, count: int) -> int:
        """Give what the provider bills us for them. Raises: ItemNotPriced."""
        return count * self._one(size, quality).item_cost_ucr

    def range_ucr(
        self, *, size: str = AUTO, quality: str = AUTO, count: int, markup_bp: int
    ) -> tuple[int, int]:
        """Give the least and the most that so many images cost; the most is what is held.

        `auto` stands for whatever the model has. Raises: ItemNotPriced, if nothing fits.
        """
        charges = [
            count * item_charge_ucr(rate.list_ucr, markup_bp)
            for rate in self._fitting(size, quality)
        ]
        if not charges:
            raise ItemNotPriced(f"no price for {size} {quality}")
        return min(charges), max(charges)

    def _one(self, size: str, quality: str) -> ImageRate:
        found = self._fitting(size, quality)
        if len(found) != 1:
            raise ItemNotPriced(f"{len(found)} prices for {size} {quality}")
        return found[0]

    def _fitting(self, size: str, quality: str) -> list[ImageRate]:
        return [
            rate
            for rate in self.rates
            if size in (AUTO, rate.size) and quality in (AUTO, rate.quality)
        ]


def item_charge_ucr(list_ucr: int, markup_bp: int) -> int:
    """Give what one item costs with the markup: the next whole credit."""
    exact_ucr = with_markup(list_ucr, 1, markup_bp)
    return -(-exact_ucr // UCR_PER_CREDIT) * UCR_PER_CREDIT


def image_prices(rows: "Iterable[PriceRow]") -> dict[tuple[str, str], ImagePrice]:
    """Gather the image prices of a book by provider and model."""
    rates: dict[tuple[str, str], list[ImageRate]] = {}
    for row in rows:
        if (row.operation, row.meter) == ("image", "image"):
            rate = ImageRate(
                size=str(row.options["size"]),
                quality=str(row.options["quality"]),
                list_ucr=row.list_ucr,
                item_cost_ucr=row.cost_ucr,
            )
            rates.setdefault((row.provider, row.model), []).append(rate)
    return {
        key: ImagePrice(tuple(sorted(found, key=lambda rate: (rate.size, rate.quality))))
        for key, found in rates.items()
    }

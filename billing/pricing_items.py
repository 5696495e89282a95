"""What is paid for by the item or by its length: images of a size and a quality, seconds of music.

Pure arithmetic. The price of one item is rounded up to a whole credit after the markup, then
multiplied: a table of prices holds to the digit for any count. Sound is metered: rounded up once,
at the last µcr. Amounts are µcr.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

import msgspec

from studio.core.money import UCR_PER_CREDIT, with_markup

if TYPE_CHECKING:
    from billing.pricing import PriceRow

AUTO = "auto"
"""A size or quality that the provider chooses: any that the model has."""
_ANY = ("", AUTO)
IMAGE_OPTIONS = ("size", "quality")
_MS_PER_S = 1000


class ItemNotPriced(Exception):
    """The model has no such item."""


class MediaUsage(Protocol):
    """What was made, or would be, as it is paid for.

    `size` and `quality` are words, empty or `auto` where they were left to the provider;
    `media_ms` is the length of sound in all.
    """

    @property
    def item_count(self) -> int:
        """Images or tracks."""

    @property
    def size(self) -> str:
        """The size of each image."""

    @property
    def quality(self) -> str:
        """The quality of each image."""

    @property
    def media_ms(self) -> int:
        """The length of all sound."""


class MediaPrice(Protocol):
    """What a model's images or sound cost. Every method raises ItemNotPriced for what it lacks."""

    @property
    def qualities(self) -> frozenset[str]:
        """The words of quality by which it is sold; none where there is one price for all."""

    def charge_ucr(self, use: MediaUsage, markup_bp: int) -> int:
        """Give what the caller pays; where several prices fit, the least."""

    def most_ucr(self, use: MediaUsage, markup_bp: int) -> int:
        """Give the most that the caller may have to pay: what is held."""

    def cost_ucr(self, use: MediaUsage) -> int:
        """Give what the provider bills us; where several costs fit, the most."""

    def list_ucr_by_meter(self, use: MediaUsage) -> Mapping[str, int]:
        """Give the list price of one unit, before the markup."""


class ImageRate(msgspec.Struct, frozen=True, kw_only=True):
    """What one image of a size and a quality costs; empty words stand for every one."""

    size: str
    quality: str
    list_ucr: int
    item_cost_ucr: int

    def fits(self, use: MediaUsage) -> bool:
        """Tell whether such an image may cost this."""
        return _may_be(use.size, self.size) and _may_be(use.quality, self.quality)


class ImagePrice(msgspec.Struct, frozen=True):
    """What a model's images cost."""

    rates: tuple[ImageRate, ...]

    @property
    def qualities(self) -> frozenset[str]:
        """The words of quality by which images are sold."""
        return frozenset(rate.quality for rate in self.rates if rate.quality)

    def charge_ucr(self, use: MediaUsage, markup_bp: int) -> int:
        """Give what the caller pays for so many images of one kind."""
        return min(self._charges(use, markup_bp))

    def most_ucr(self, use: MediaUsage, markup_bp: int) -> int:
        """Give the most they cost: `auto` stands for whatever the model has."""
        return max(self._charges(use, markup_bp))

    def cost_ucr(self, use: MediaUsage) -> int:
        """Give what the provider bills us for them."""
        return use.item_count * max(rate.item_cost_ucr for rate in self._fitting(use))

    def list_ucr_by_meter(self, use: MediaUsage) -> Mapping[str, int]:
        """Give the price of one image."""
        return {"image": min(rate.list_ucr for rate in self._fitting(use))}

    def _charges(self, use: MediaUsage, markup_bp: int) -> list[int]:
        return [
            use.item_count * item_charge_ucr(rate.list_ucr, markup_bp)
            for rate in self._fitting(use)
        ]

    def _fitting(self, use: MediaUsage) -> list[ImageRate]:
        found = [rate for rate in self.rates if rate.fits(use)]
        if not found:
            raise ItemNotPriced(f"no price for {use.size} {use.quality}")
        return found


class SoundPrice(msgspec.Struct, frozen=True, kw_only=True):
    """What a model's sound costs, in µcr per second."""

    list_ucr: int
    second_cost_ucr: int
    qualities: frozenset[str] = frozenset()

    def charge_ucr(self, use: MediaUsage, markup_bp: int) -> int:
        """Give what the caller pays for this length, exact to the millisecond."""
        return with_markup(use.media_ms * self.list_ucr, _MS_PER_S, markup_bp)

    def most_ucr(self, use: MediaUsage, markup_bp: int) -> int:
        """Give the same: a length has one price."""
        return self.charge_ucr(use, markup_bp)

    def cost_ucr(self, use: MediaUsage) -> int:
        """Give what the provider bills us for it."""
        return with_markup(use.media_ms * self.second_cost_ucr, _MS_PER_S, 0)

    def list_ucr_by_meter(self, use: MediaUsage) -> Mapping[str, int]:
        """Give the price of one second."""
        return {"second": self.list_ucr}


def item_charge_ucr(list_ucr: int, markup_bp: int) -> int:
    """Give what one item costs with the markup: the next whole credit."""
    exact_ucr = with_markup(list_ucr, 1, markup_bp)
    return -(-exact_ucr // UCR_PER_CREDIT) * UCR_PER_CREDIT


def media_prices(rows: "Iterable[PriceRow]") -> dict[tuple[str, str, str], MediaPrice]:
    """Gather the prices of images and sound by operation, provider and model."""
    images: dict[tuple[str, str, str], list[ImageRate]] = {}
    found: dict[tuple[str, str, str], MediaPrice] = {}
    for row in rows:
        key = (row.operation, row.provider, row.model)
        if row.meter == "image":
            images.setdefault(key, []).append(_image_rate(row))
        elif row.meter == "second":
            found[key] = SoundPrice(list_ucr=row.list_ucr, second_cost_ucr=row.cost_ucr)
    for key, rates in images.items():
        found[key] = ImagePrice(tuple(sorted(rates, key=lambda rate: (rate.size, rate.quality))))
    return found


def _image_rate(row: "PriceRow") -> ImageRate:
    return ImageRate(
        size=str(row.options.get("size", "")),
        quality=str(row.options.get("quality", "")),
        list_ucr=row.list_ucr,
        item_cost_ucr=row.cost_ucr,
    )


def _may_be(asked: str, priced: str) -> bool:
    return asked in _ANY or priced in ("", asked)

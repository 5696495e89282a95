"""What may be bought: the packs of packs.toml, and free amounts between two bounds."""

import tomllib
from functools import lru_cache
from pathlib import Path

import msgspec

from billing.stripe.errors import OrderRefused
from studio.core.money import UCR_PER_USD

PACKS_FILE = Path(__file__).resolve().parent.parent / "packs.toml"
UCR_PER_CENT = UCR_PER_USD // 100


class Pack(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A fixed amount under a name."""

    slug: str
    name: str
    amount_cents: int


class FreeAmount(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The bounds of an amount of one's own choice, both included."""

    min_cents: int
    max_cents: int


class Offer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that may be bought, in one currency of two decimal places."""

    currency: str
    free: FreeAmount
    pack: tuple[Pack, ...]

    def amount_of(self, slug: str) -> int:
        """Give the price of a pack, in cents. Raises: OrderRefused."""
        for pack in self.pack:
            if pack.slug == slug:
                return pack.amount_cents
        known = ", ".join(pack.slug for pack in self.pack)
        raise OrderRefused(f"There is no such pack; there are {known}.")

    def check_free(self, amount_cents: int) -> int:
        """Give a free amount back. Raises: OrderRefused if it is out of bounds."""
        if not self.free.min_cents <= amount_cents <= self.free.max_cents:
            least, most = self.free.min_cents // 100, self.free.max_cents // 100
            raise OrderRefused(f"An amount is at least ${least} and at most ${most}.")
        return amount_cents


@lru_cache(maxsize=1)
def read_offer() -> Offer:
    """Read packs.toml. Raises: msgspec.ValidationError if it is malformed."""
    return msgspec.convert(tomllib.loads(PACKS_FILE.read_text(encoding="utf-8")), Offer)

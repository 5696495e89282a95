"""What speech costs: by the character of its text, or by tokens where a model bills those.

Pure arithmetic. Amounts are µcr, rates µcr per 1 000 000 units; a charge is rounded up once.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

import msgspec

from studio.core.money import with_markup

if TYPE_CHECKING:
    from billing.pricing import PriceRow

_PER_MILLION = 1_000_000
_BY_CHARACTER = frozenset({"character"})
_BY_TOKEN = frozenset({"input", "audio_output"})


class SpeechUsage(Protocol):
    """What speech used. All are counts ≥ 0; tokens are 0 where a model bills characters."""

    @property
    def character_count(self) -> int:
        """Characters of the text."""

    @property
    def input_tokens(self) -> int:
        """Tokens of the text."""

    @property
    def output_tokens(self) -> int:
        """Tokens of the sound."""


class SpeechRates(msgspec.Struct, frozen=True, kw_only=True):
    """µcr per million units of each class; 0 for a class that is not metered."""

    character: int = 0
    input: int = 0
    audio_output: int = 0

    def numerator(self, use: SpeechUsage) -> int:
        """Give µcr × 1 000 000."""
        return (
            use.character_count * self.character
            + use.input_tokens * self.input
            + use.output_tokens * self.audio_output
        )


class SpeechPrice(msgspec.Struct, frozen=True, kw_only=True):
    """What a model's speech costs."""

    list_rates: SpeechRates
    cost_rates: SpeechRates

    @property
    def by_tokens(self) -> bool:
        """Whether tokens are billed rather than characters."""
        return self.list_rates.audio_output > 0

    def charge_ucr(self, use: SpeechUsage, markup_bp: int) -> int:
        """Give what the caller pays: the list price with the markup, rounded up once."""
        return with_markup(self.list_rates.numerator(use), _PER_MILLION, markup_bp)

    def cost_ucr(self, use: SpeechUsage) -> int:
        """Give what the provider bills us, rounded up once."""
        return with_markup(self.cost_rates.numerator(use), _PER_MILLION, 0)

    def quantities(self, use: SpeechUsage) -> Mapping[str, tuple[int, int]]:
        """Give each metered class: how many units were used, and µcr per million of them."""
        counts = {
            "character": use.character_count,
            "input": use.input_tokens,
            "audio_output": use.output_tokens,
        }
        rates: dict[str, int] = msgspec.structs.asdict(self.list_rates)
        return {meter: (counts[meter], rate) for meter, rate in rates.items() if rate}


def speech_prices(rows: "Iterable[PriceRow]") -> dict[tuple[str, str], SpeechPrice]:
    """Gather the prices of speech by provider and model.

    A model without a price by characters, or without both by tokens, gets none.
    """
    models: dict[tuple[str, str], dict[str, PriceRow]] = {}
    for row in rows:
        if row.operation == "speech":
            models.setdefault((row.provider, row.model), {})[row.meter] = row
    return {
        key: SpeechPrice(
            list_rates=SpeechRates(**{meter: row.list_ucr for meter, row in meters.items()}),
            cost_rates=SpeechRates(**{meter: row.cost_ucr for meter, row in meters.items()}),
        )
        for key, meters in models.items()
        if meters.keys() in (_BY_CHARACTER, _BY_TOKEN)
    }

"""What a metered call costs: the price book in memory, and exact integer arithmetic over it.

Amounts are µcr. A rate is µcr per 1 000 000 units, so every sum is kept as a numerator over a
million until it is rounded up, once, at the end.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Protocol

import msgspec

from billing.models.prices import Price, PriceBook
from billing.pricing_items import MediaPrice, item_charge_ucr, media_prices
from billing.pricing_speech import SpeechPrice, speech_prices
from studio.core.money import BASIS_POINTS, with_markup

PER_MILLION = 1_000_000
ABOVE_INPUT_TOKENS = "above_input_tokens"
"""Option of a rate that holds for calls of more input tokens than its value (long context)."""
_UNBOUNDED_TOKENS = 2**31 - 1


class TokenUsage(Protocol):
    """The classes of tokens a call is charged by, as OpenAI reports them.

    `input_tokens` includes `cached_input_tokens` (read from the provider's cache) and
    `cache_write_tokens`; `output_tokens` includes reasoning. All are counts ≥ 0.
    """

    @property
    def input_tokens(self) -> int:
        """All input tokens."""

    @property
    def cached_input_tokens(self) -> int:
        """Those of them that the provider read from its cache."""

    @property
    def cache_write_tokens(self) -> int:
        """Those of them that the provider wrote to its cache."""

    @property
    def output_tokens(self) -> int:
        """All output tokens."""


class CallPrice(Protocol):
    """What the price of any call can tell, whatever its operation."""

    def charge_ucr(self, usage: TokenUsage, markup_bp: int) -> int:
        """Give what the caller pays."""

    def cost_ucr(self, usage: TokenUsage) -> int:
        """Give what the provider bills us."""

    def list_ucr_by_meter(self, usage: TokenUsage) -> Mapping[str, int]:
        """Give the list prices that such a call is charged by: tokens per million, items each."""


class PriceRow(msgspec.Struct, frozen=True, kw_only=True):
    """One price as the book has it: µcr per `per` units, what we charge and what we are billed."""

    provider: str
    model: str
    operation: str
    meter: str
    options: dict[str, str | int] = {}
    per: int = PER_MILLION
    list_ucr: int
    cost_ucr: int
    source: str
    as_of: date
    edited_by_staff: bool = False

    @property
    def key(self) -> tuple[str, str, str, str, str]:
        """What a book has at most one price for."""
        options = msgspec.json.encode(self.options, order="sorted").decode()
        return (self.provider, self.model, self.operation, self.meter, options)


class ChatRates(msgspec.Struct, frozen=True, kw_only=True):
    """µcr per million tokens of each class."""

    input: int
    cached_input: int
    cache_write: int
    output: int

    def numerator(self, usage: TokenUsage) -> int:
        """Give µcr × 1 000 000.

        Cached and written tokens beyond `input_tokens` are the provider's slip: cut off.
        """
        input_tokens = usage.input_tokens
        if not usage.cached_input_tokens and not usage.cache_write_tokens:
            return input_tokens * self.input + usage.output_tokens * self.output
        cached = min(usage.cached_input_tokens, input_tokens)
        written = min(usage.cache_write_tokens, input_tokens - cached)
        return (
            (input_tokens - cached - written) * self.input
            + cached * self.cached_input
            + written * self.cache_write
            + usage.output_tokens * self.output
        )

    @property
    def highest_input(self) -> int:
        """The dearest that an input token can be."""
        return max(self.input, self.cached_input, self.cache_write)


class ChatTier(msgspec.Struct, frozen=True, kw_only=True):
    """The rates of a whole call with more than `above_input_tokens` input tokens."""

    above_input_tokens: int
    list_rates: ChatRates
    cost_rates: ChatRates


class ChatPrice(msgspec.Struct, frozen=True):
    """What a chat model costs: its tiers, the longest context first, the last for any input."""

    tiers: tuple[ChatTier, ...]

    def charge_ucr(self, usage: TokenUsage, markup_bp: int) -> int:
        """Give what the caller pays: the list price with the markup, rounded up once."""
        return with_markup(self._tier(usage).list_rates.numerator(usage), PER_MILLION, markup_bp)

    def cost_ucr(self, usage: TokenUsage) -> int:
        """Give what the provider bills us, rounded up once."""
        return with_markup(self._tier(usage).cost_rates.numerator(usage), PER_MILLION, 0)

    def list_ucr_by_meter(self, usage: TokenUsage) -> Mapping[str, int]:
        """Give µcr per million tokens of each class, before the markup."""
        return msgspec.structs.asdict(self._tier(usage).list_rates)

    def ceiling_ucr(self, input_ceiling: int, output_ceiling: int, markup_bp: int) -> int:
        """Give what a call within these token ceilings costs at most, and at least 1."""
        rates = self.tiers[-1].list_rates
        numerator = input_ceiling * rates.highest_input + output_ceiling * rates.output
        for tier in self.tiers[:-1]:
            if input_ceiling > tier.above_input_tokens:
                rates = tier.list_rates
                longer = input_ceiling * rates.highest_input + output_ceiling * rates.output
                numerator = max(numerator, longer)
        return max(1, with_markup(numerator, PER_MILLION, markup_bp))

    def affordable_output_tokens(
        self, available_ucr: int, input_ceiling: int, markup_bp: int
    ) -> int:
        """Give the most output tokens that `available_ucr` covers beside the input, at least 0."""
        denominator = BASIS_POINTS + markup_bp
        numerator = available_ucr * PER_MILLION * BASIS_POINTS // denominator
        affordable = min(
            (numerator - input_ceiling * rates.highest_input) // rates.output
            for rates in self._reachable(input_ceiling)
        )
        return max(0, min(affordable, _UNBOUNDED_TOKENS))

    def _tier(self, usage: TokenUsage) -> ChatTier:
        for tier in self.tiers:
            if usage.input_tokens > tier.above_input_tokens:
                return tier
        return self.tiers[-1]

    def _reachable(self, input_ceiling: int) -> list[ChatRates]:
        """Give the rates of every tier that a call of at most this many input tokens may be in."""
        longer = [t.list_rates for t in self.tiers[:-1] if input_ceiling > t.above_input_tokens]
        return [*longer, self.tiers[-1].list_rates]


class InputPrice(msgspec.Struct, frozen=True, kw_only=True):
    """What a model costs that is paid for by its input alone, in µcr per million tokens."""

    list_rate: int
    cost_rate: int

    def charge_ucr(self, usage: TokenUsage, markup_bp: int) -> int:
        """Give what the caller pays: the list price with the markup, rounded up once."""
        return with_markup(usage.input_tokens * self.list_rate, PER_MILLION, markup_bp)

    def cost_ucr(self, usage: TokenUsage) -> int:
        """Give what the provider bills us, rounded up once."""
        return with_markup(usage.input_tokens * self.cost_rate, PER_MILLION, 0)

    def list_ucr_by_meter(self, usage: TokenUsage) -> Mapping[str, int]:
        """Give µcr per million input tokens, before the markup."""
        return {"input": self.list_rate}


class ItemPrice(msgspec.Struct, frozen=True, kw_only=True):
    """What a call costs that has one price whatever it uses, in µcr; `meter` is its word."""

    meter: str
    list_ucr: int
    item_cost_ucr: int

    def charge_ucr(self, usage: TokenUsage, markup_bp: int) -> int:
        """Give what the caller pays: the list price with the markup, up to a whole credit."""
        return item_charge_ucr(self.list_ucr, markup_bp)

    def cost_ucr(self, usage: TokenUsage) -> int:
        """Give what the provider may bill us."""
        return self.item_cost_ucr

    def list_ucr_by_meter(self, usage: TokenUsage) -> Mapping[str, int]:
        """Give µcr for one, before the markup."""
        return {self.meter: self.list_ucr}


class PriceBookSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """One version of the book in memory.

    `version` 0 is the empty book, by which nothing can be called. `other_prices` and `media_prices`
    are by operation, provider and model, `speech_prices` by provider and model.
    """

    version: int
    chat_prices: dict[tuple[str, str], ChatPrice]
    other_prices: dict[tuple[str, str, str], CallPrice] = {}
    media_prices: dict[tuple[str, str, str], MediaPrice] = {}
    speech_prices: dict[tuple[str, str], SpeechPrice] = {}

    def chat(self, provider: str, model: str) -> ChatPrice | None:
        """Give the price of a chat model; None if it has none, so that it cannot be called."""
        return self.chat_prices.get((provider, model))

    def media(self, operation: str, provider: str, model: str) -> MediaPrice | None:
        """Give the prices of a model that makes images or sound; None if it has none."""
        return self.media_prices.get((operation, provider, model))

    def speech(self, provider: str, model: str) -> SpeechPrice | None:
        """Give the price of a model's speech; None if it has none."""
        return self.speech_prices.get((provider, model))

    def has_price(self, operation: str, provider: str, model: str) -> bool:
        """Tell whether a model has a price for what it does, so that it can be called."""
        if operation == "speech":
            return self.speech(provider, model) is not None
        known = self.price(operation, provider, model) or self.media(operation, provider, model)
        return known is not None

    def price(self, operation: str, provider: str, model: str) -> CallPrice | None:
        """Give the price of a call to a model; None if it has none, or makes media."""
        if operation == "chat":
            return self.chat(provider, model)
        return self.other_prices.get((operation, provider, model))


def snapshot_of(version: int, rows: Iterable[PriceRow]) -> PriceBookSnapshot:
    """Build the book in memory.

    A chat model without both an input and an output price gets no price.
    """
    rows = list(rows)
    tiers: dict[tuple[str, str], dict[int, dict[str, PriceRow]]] = {}
    other_prices: dict[tuple[str, str, str], CallPrice] = {}
    for row in rows:
        price = _single_price(row)
        if price is not None:
            other_prices[row.operation, row.provider, row.model] = price
        if row.operation == "chat":
            above = int(row.options.get(ABOVE_INPUT_TOKENS, 0))
            model = tiers.setdefault((row.provider, row.model), {})
            model.setdefault(above, {})[row.meter] = row
    prices = {key: _chat_price(by_tier) for key, by_tier in tiers.items()}
    return PriceBookSnapshot(
        version=version,
        chat_prices={key: price for key, price in prices.items() if price},
        other_prices=other_prices,
        media_prices=media_prices(rows),
        speech_prices=speech_prices(rows),
    )


def latest_price_book() -> PriceBookSnapshot:
    """Read the newest version of the book; the empty one if there is none."""
    version = PriceBook.objects.order_by("-version").values_list("version", flat=True).first()
    return PriceBookSnapshot(version=0, chat_prices={}) if version is None else _read(version)


def load_price_book(version: int) -> PriceBookSnapshot:
    """Read one version of the book. Raises: PriceBook.DoesNotExist."""
    PriceBook.objects.only("version").get(version=version)
    return _read(version)


def read_rows(version: int) -> list[PriceRow]:
    """Read the prices of one version, in no particular order."""
    fields = PriceRow.__struct_fields__
    return [PriceRow(**row) for row in Price.objects.filter(book=version).values(*fields)]


def _read(version: int) -> PriceBookSnapshot:
    return snapshot_of(version, read_rows(version))


def _single_price(row: PriceRow) -> CallPrice | None:
    """Give the price of an operation that one row is enough for."""
    if (row.operation, row.meter) == ("embedding", "input"):
        return InputPrice(list_rate=row.list_ucr, cost_rate=row.cost_ucr)
    if (row.operation, row.meter) == ("realtime", "session"):
        return ItemPrice(meter=row.meter, list_ucr=row.list_ucr, item_cost_ucr=row.cost_ucr)
    return None


def _chat_price(by_tier: dict[int, dict[str, PriceRow]]) -> ChatPrice | None:
    complete = all("input" in meters and "output" in meters for meters in by_tier.values())
    if 0 not in by_tier or not complete:
        return None
    return ChatPrice(
        tuple(
            ChatTier(
                above_input_tokens=above,
                list_rates=_rates({name: row.list_ucr for name, row in by_tier[above].items()}),
                cost_rates=_rates({name: row.cost_ucr for name, row in by_tier[above].items()}),
            )
            for above in sorted(by_tier, reverse=True)
        )
    )


def _rates(rates: dict[str, int]) -> ChatRates:
    """Complete the classes a provider prices no other than plain input."""
    return ChatRates(
        input=rates["input"],
        cached_input=rates.get("cached_input", rates["input"]),
        cache_write=rates.get("cache_write", rates["input"]),
        output=rates["output"],
    )

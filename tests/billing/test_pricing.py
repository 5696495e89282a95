"""The arithmetic of prices, against exact fractions."""

import math
from dataclasses import dataclass
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.price_file import read_price_file
from billing.pricing import ChatPrice, ChatRates, ChatTier, PriceBookSnapshot, snapshot_of

RATES = st.integers(1, 10**12)
TOKENS = st.integers(0, 2_000_000)
MARKUPS = st.sampled_from([0, 1, 2000, 5000, 12_345])


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What a provider reports."""

    input_tokens: int
    output_tokens: int
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0


@st.composite
def rates(draw: st.DrawFn) -> ChatRates:
    return ChatRates(
        input=draw(RATES), cached_input=draw(RATES), cache_write=draw(RATES), output=draw(RATES)
    )


@st.composite
def prices(draw: st.DrawFn) -> ChatPrice:
    above = draw(st.sampled_from([(0,), (200_000, 0), (900_000, 272_000, 0)]))
    return ChatPrice(
        tuple(
            ChatTier(above_input_tokens=floor, list_rates=draw(rates()), cost_rates=draw(rates()))
            for floor in above
        )
    )


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    input_tokens = draw(TOKENS)
    cached = draw(st.integers(0, input_tokens))
    return Usage(
        input_tokens=input_tokens,
        output_tokens=draw(TOKENS),
        cached_input_tokens=cached,
        cache_write_tokens=draw(st.integers(0, input_tokens - cached)),
    )


def exact_ucr(rate: ChatRates, usage: Usage, markup_bp: int) -> Fraction:
    plain = usage.input_tokens - usage.cached_input_tokens - usage.cache_write_tokens
    amount = (
        Fraction(plain * rate.input, 10**6)
        + Fraction(usage.cached_input_tokens * rate.cached_input, 10**6)
        + Fraction(usage.cache_write_tokens * rate.cache_write, 10**6)
        + Fraction(usage.output_tokens * rate.output, 10**6)
    )
    return amount * (1 + Fraction(markup_bp, 10_000))


def tier_of(price: ChatPrice, usage: Usage) -> ChatTier:
    fitting = [t for t in price.tiers if usage.input_tokens > t.above_input_tokens]
    return fitting[0] if fitting else price.tiers[-1]


def one_tier(**rate: int) -> ChatPrice:
    whole = ChatRates(**rate)
    return ChatPrice((ChatTier(above_input_tokens=0, list_rates=whole, cost_rates=whole),))


@pytest.fixture(scope="module")
def book() -> PriceBookSnapshot:
    return snapshot_of(7, read_price_file())


@given(prices(), usages(), MARKUPS)
def test_a_charge_is_the_exact_fraction_rounded_up_once(
    price: ChatPrice, usage: Usage, markup_bp: int
) -> None:
    exact = exact_ucr(tier_of(price, usage).list_rates, usage, markup_bp)
    assert price.charge_ucr(usage, markup_bp) == math.ceil(exact)


@given(prices(), usages())
def test_a_cost_is_the_exact_fraction_rounded_up_once_without_markup(
    price: ChatPrice, usage: Usage
) -> None:
    exact = exact_ucr(tier_of(price, usage).cost_rates, usage, 0)
    assert price.cost_ucr(usage) == math.ceil(exact)


@given(prices(), usages(), st.integers(0, 10**6), st.integers(0, 10**6), MARKUPS)
def test_no_charge_exceeds_the_ceiling_of_its_tokens(
    price: ChatPrice, usage: Usage, more_input: int, more_output: int, markup_bp: int
) -> None:
    ceiling_ucr = price.ceiling_ucr(
        usage.input_tokens + more_input, usage.output_tokens + more_output, markup_bp
    )
    assert price.charge_ucr(usage, markup_bp) <= ceiling_ucr


@given(prices(), TOKENS, TOKENS, st.integers(0, 10**6), st.integers(0, 10**6), MARKUPS)
def test_a_ceiling_never_falls_when_tokens_or_markup_grow(  # noqa: PLR0917
    price: ChatPrice, inputs: int, outputs: int, more_in: int, more_out: int, markup_bp: int
) -> None:
    low = price.ceiling_ucr(inputs, outputs, markup_bp)
    assert low <= price.ceiling_ucr(inputs + more_in, outputs + more_out, markup_bp)
    assert low <= price.ceiling_ucr(inputs, outputs, markup_bp + 1)


@given(rates(), usages(), st.integers(0, 10**6), MARKUPS)
def test_more_output_never_costs_less(
    rate: ChatRates, usage: Usage, more: int, markup_bp: int
) -> None:
    price = ChatPrice((ChatTier(above_input_tokens=0, list_rates=rate, cost_rates=rate),))
    longer = Usage(
        input_tokens=usage.input_tokens,
        cached_input_tokens=usage.cached_input_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        output_tokens=usage.output_tokens + more,
    )
    assert price.charge_ucr(usage, markup_bp) <= price.charge_ucr(longer, markup_bp)


@given(rates(), usages(), usages(), MARKUPS)
def test_two_calls_differ_from_one_of_both_by_less_than_a_micro_credit(
    rate: ChatRates, one: Usage, other: Usage, markup_bp: int
) -> None:
    price = ChatPrice((ChatTier(above_input_tokens=0, list_rates=rate, cost_rates=rate),))
    both = Usage(
        input_tokens=one.input_tokens + other.input_tokens,
        cached_input_tokens=one.cached_input_tokens + other.cached_input_tokens,
        cache_write_tokens=one.cache_write_tokens + other.cache_write_tokens,
        output_tokens=one.output_tokens + other.output_tokens,
    )
    apart = price.charge_ucr(one, markup_bp) + price.charge_ucr(other, markup_bp)
    assert apart - price.charge_ucr(both, markup_bp) in {0, 1}


@given(prices(), st.integers(0, 10**15), TOKENS, MARKUPS)
def test_what_is_affordable_fits_and_one_token_more_does_not(
    price: ChatPrice, available_ucr: int, input_ceiling: int, markup_bp: int
) -> None:
    tokens = price.affordable_output_tokens(available_ucr, input_ceiling, markup_bp)
    if tokens > 0:
        assert price.ceiling_ucr(input_ceiling, tokens, markup_bp) <= available_ucr
    if tokens < 2**31 - 1:
        assert price.ceiling_ucr(input_ceiling, tokens + 1, markup_bp) > available_ucr


def test_nothing_used_costs_nothing_but_is_held_by_one_micro_credit() -> None:
    price = one_tier(input=1, cached_input=1, cache_write=1, output=1)
    assert price.charge_ucr(Usage(input_tokens=0, output_tokens=0), 5000) == 0
    assert price.ceiling_ucr(0, 0, 5000) == 1


def test_a_million_times_a_thousandth_of_a_micro_credit_is_exact() -> None:
    price = one_tier(input=1_000, cached_input=1_000, cache_write=1_000, output=1_000)
    assert price.charge_ucr(Usage(input_tokens=1_000_000, output_tokens=0), 0) == 1_000
    assert price.charge_ucr(Usage(input_tokens=1, output_tokens=0), 0) == 1


def test_more_cached_than_input_tokens_are_cut_off() -> None:
    price = one_tier(input=10**6, cached_input=1, cache_write=1, output=1)
    odd = Usage(input_tokens=10, cached_input_tokens=50, cache_write_tokens=50, output_tokens=0)
    assert price.charge_ucr(odd, 0) == 1


@pytest.mark.parametrize(
    ("model", "usage", "markup_bp", "charge_ucr"),
    [
        # $4, $0.40, $5 and $20 a million: (900·4 + 100·0.4 + 50·20) / 10^6 dollars
        (
            "gpt-5.6-sol",
            Usage(input_tokens=1000, cached_input_tokens=100, output_tokens=50),
            0,
            4_640_000,
        ),
        (
            "gpt-5.6-sol",
            Usage(input_tokens=1000, cached_input_tokens=100, output_tokens=50),
            2000,
            5_568_000,
        ),
        ("gpt-5.6-sol", Usage(input_tokens=8, output_tokens=2), 5000, 108_000),
        (
            "gpt-5.6-sol",
            Usage(input_tokens=10, cache_write_tokens=10, output_tokens=0),
            0,
            50_000,
        ),
        # one token more than 272 000, and all of them cost double: $8, output $30
        ("gpt-5.6-sol", Usage(input_tokens=272_000, output_tokens=1), 0, 1_088_020_000),
        ("gpt-5.6-sol", Usage(input_tokens=272_001, output_tokens=1), 0, 2_176_038_000),
        # $0.10 and $0.50 a million
        ("gpt-6-luna", Usage(input_tokens=1, output_tokens=1), 5000, 900),
        # no cache-write price: as input
        (
            "gpt-4o",
            Usage(input_tokens=10, cache_write_tokens=10, output_tokens=0),
            0,
            25_000,
        ),
    ],
)
def test_golden_charges_of_the_shipped_book(
    book: PriceBookSnapshot, model: str, usage: Usage, markup_bp: int, charge_ucr: int
) -> None:
    price = book.chat("openai", model)
    assert price is not None
    assert price.charge_ucr(usage, markup_bp) == charge_ucr


def test_a_long_body_is_held_by_the_long_context_price(book: PriceBookSnapshot) -> None:
    price = book.chat("openai", "gpt-5.6-sol")
    assert price is not None
    assert price.ceiling_ucr(272_000, 100, 0) == 272_000 * 5_000 + 100 * 20_000
    assert price.ceiling_ucr(272_001, 100, 0) == 272_001 * 10_000 + 100 * 30_000


def test_a_model_without_a_price_has_none(book: PriceBookSnapshot) -> None:
    assert book.chat("openai", "gpt-unheard-of") is None
    assert book.chat("anthropic", "gpt-5.6-sol") is None


def test_a_model_priced_for_input_only_has_no_price() -> None:
    rows = [row for row in read_price_file() if row.model == "gpt-5" and row.meter == "input"]
    assert snapshot_of(1, rows).chat("openai", "gpt-5") is None


@pytest.mark.parametrize(
    ("model", "tokens", "markup_bp", "amounts_ucr"),
    [
        ("text-embedding-3-small", 8, 2000, (192, 160)),
        ("text-embedding-3-small", 1, 0, (20, 20)),
        ("text-embedding-3-large", 1, 5000, (195, 130)),
        ("text-embedding-ada-002", 300_000, 2000, (36_000_000, 30_000_000)),
    ],
)
def test_embeddings_are_charged_and_cost_their_input(
    book: PriceBookSnapshot, model: str, tokens: int, markup_bp: int, amounts_ucr: tuple[int, int]
) -> None:
    price = book.price("embedding", "openai", model)
    assert price is not None
    usage = Usage(input_tokens=tokens, output_tokens=0)
    assert (price.charge_ucr(usage, markup_bp), price.cost_ucr(usage)) == amounts_ucr


@pytest.mark.parametrize(
    ("model", "markup_bp", "charge_credits", "cost_credits"),
    [
        ("gpt-realtime-2.1", 0, 5760, 5760),
        ("gpt-realtime-2.1", 2000, 6912, 5760),
        ("gpt-realtime-2.1-mini", 5000, 2700, 1800),
        ("gpt-realtime-2.1", 1, 5761, 5760),
    ],
)
def test_a_realtime_session_costs_its_ceiling_in_whole_credits(
    book: PriceBookSnapshot, model: str, markup_bp: int, charge_credits: int, cost_credits: int
) -> None:
    price = book.price("realtime", "openai", model)
    assert price is not None
    nothing = Usage(input_tokens=0, output_tokens=0)
    assert price.charge_ucr(nothing, markup_bp) == charge_credits * 1_000_000
    assert price.cost_ucr(nothing) == cost_credits * 1_000_000


def test_a_price_is_for_one_operation_alone(book: PriceBookSnapshot) -> None:
    assert book.price("chat", "openai", "text-embedding-3-small") is None
    assert book.price("embedding", "openai", "gpt-5") is None
    assert book.price("chat", "openai", "gpt-5") is book.chat("openai", "gpt-5")
    assert book.price("realtime", "openai", "text-embedding-3-small") is None

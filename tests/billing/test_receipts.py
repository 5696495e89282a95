"""A charge taken apart: the lines of a receipt, and what they add up to."""

import math
from decimal import Decimal

import pytest

from billing.price_file import read_price_file
from billing.pricing import PriceBookSnapshot, snapshot_of
from billing.receipts import price_lines
from tests.billing.golden_tables import CHATS
from tests.billing.test_golden_prices import Usage


@pytest.fixture(scope="module")
def book() -> PriceBookSnapshot:
    """The shipped prices."""
    return snapshot_of(1, read_price_file())


@pytest.mark.parametrize(("provider", "model", "tokens", "expected"), CHATS)
def test_the_lines_with_the_markup_rounded_up_once_are_the_charge(
    book: PriceBookSnapshot,
    provider: str,
    model: str,
    tokens: tuple[int, int, int, int],
    expected: tuple[int, ...],
) -> None:
    price = book.chat(provider, model)
    assert price is not None
    usage = Usage(
        input_tokens=tokens[0],
        cached_input_tokens=tokens[1],
        cache_write_tokens=tokens[2],
        output_tokens=tokens[3],
    )
    lines = price_lines(price, usage, per=1_000_000)
    exact_ucr = sum((line.amount_ucr for line in lines), Decimal(0))
    charges = [math.ceil(exact_ucr * markup) for markup in (Decimal("1.5"), Decimal("1.2"), 1, 1)]
    assert tuple(charges) == expected
    assert sum(line.quantity for line in lines) == tokens[0] + tokens[3]


def test_each_class_has_its_line_and_its_unit_price(book: PriceBookSnapshot) -> None:
    price = book.chat("openai", "gpt-6.1-sol")
    assert price is not None
    usage = Usage(
        input_tokens=1_234, cached_input_tokens=234, cache_write_tokens=100, output_tokens=567
    )
    lines = {line.meter: line for line in price_lines(price, usage, per=1_000_000)}
    assert {name: (line.quantity, line.unit_ucr) for name, line in lines.items()} == {
        "input": (900, 2_000_000_000),
        "cached_input": (234, 100_000_000),
        "cache_write": (100, 2_500_000_000),
        "output": (567, 10_000_000_000),
    }
    assert lines["cached_input"].amount_ucr == 23_400


def test_more_cached_tokens_than_there_are_do_not_make_a_negative_line(
    book: PriceBookSnapshot,
) -> None:
    price = book.chat("openai", "gpt-6.1-sol")
    assert price is not None
    usage = Usage(input_tokens=10, cached_input_tokens=50, cache_write_tokens=9)
    lines = price_lines(price, usage, per=1_000_000)
    assert [(line.meter, line.quantity) for line in lines] == [("cached_input", 10)]


def test_what_is_paid_by_the_item_is_one_line(book: PriceBookSnapshot) -> None:
    price = book.price("realtime", "openai", "gpt-realtime-2.1")
    assert price is not None
    [line] = price_lines(price, Usage(input_tokens=0), per=1)
    assert (line.meter, line.quantity) == ("session", 1)
    assert line.amount_ucr == 5_760_000_000

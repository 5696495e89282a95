"""Micro-credits as people type and read them, and the one rounding."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.core.money import (
    MAX_UCR,
    credits_text,
    credits_to_ucr,
    ucr_to_credits,
    with_markup,
)


@pytest.mark.parametrize(
    ("amount_ucr", "text"),
    [
        (0, "0.0"),
        (1, "0.000001"),
        (10_500_000, "10.5"),
        (40_000_000, "40.0"),
        (-250_000, "-0.25"),
        (999_999, "0.999999"),
        (1_000_000_000_000_001, "1000000000.000001"),
    ],
)
def test_credits_are_written_with_one_to_six_places(amount_ucr: int, text: str) -> None:
    assert credits_text(amount_ucr) == text
    assert ucr_to_credits(amount_ucr) == Decimal(text)


@given(st.integers(-MAX_UCR, MAX_UCR))
def test_what_is_written_is_read_back_exactly(amount_ucr: int) -> None:
    assert credits_to_ucr(credits_text(amount_ucr)) == amount_ucr


@pytest.mark.parametrize("text", ["", "x", "NaN", "Infinity", "0.0000001", "1e40", "--1"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="credits|amount"):
        credits_to_ucr(text)


@given(st.integers(0, 10**18), st.integers(1, 10**7), st.integers(0, 100_000))
def test_markup_rounds_up_once_and_by_less_than_one(
    numerator: int, denominator: int, markup_bp: int
) -> None:
    exact = Fraction(numerator, denominator) * Fraction(10_000 + markup_bp, 10_000)
    charged = with_markup(numerator, denominator, markup_bp)
    assert 0 <= charged - exact < 1

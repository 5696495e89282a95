"""Micro-credits. 1 credit = 1_000_000 µcr = $0.001, so $1 = 1_000_000_000 µcr. Integers everywhere.

`Decimal` appears only where people type or read an amount.
"""

from decimal import Decimal, InvalidOperation

UCR_PER_CREDIT = 1_000_000
UCR_PER_USD = 1_000 * UCR_PER_CREDIT
BASIS_POINTS = 10_000
MAX_UCR = 2**62
"""Beyond this an amount is a mistake: PostgreSQL's bigint ends at 2^63 - 1."""


def credits_to_ucr(text: str | Decimal) -> int:
    """Read credits as people type them, at most 6 decimal places.

    Raises: ValueError if it is no finite number, has more than 6 places, or is beyond what a bigint
    holds.
    """
    try:
        amount = Decimal(text) * UCR_PER_CREDIT
    except InvalidOperation as error:
        raise ValueError(f"not an amount of credits: {text!r}") from error
    if not amount.is_finite() or amount != amount.to_integral_value() or abs(amount) > MAX_UCR:
        raise ValueError(f"credits have at most 6 decimal places: {text!r}")
    return int(amount)


def ucr_to_credits(amount_ucr: int) -> Decimal:
    """Give an amount as people read it, without trailing zeros beyond the first decimal place."""
    return Decimal(credits_text(amount_ucr))


def credits_text(amount_ucr: int) -> str:
    """Write an amount as credits with one to six decimal places: `40.0`, `0.000001`."""
    whole, rest = divmod(abs(amount_ucr), UCR_PER_CREDIT)
    places = f"{rest:06d}".rstrip("0") or "0"
    return f"{'-' if amount_ucr < 0 else ''}{whole}.{places}"


def with_markup(amount_numerator: int, amount_denominator: int, markup_bp: int) -> int:
    """Add a markup (basis points) to an exact fraction of µcr and round up once, to the next whole
    µcr.
    """
    numerator = amount_numerator * (BASIS_POINTS + markup_bp)
    return -(-numerator // (amount_denominator * BASIS_POINTS))

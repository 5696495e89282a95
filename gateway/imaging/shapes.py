"""Width and height of a picture, from what a caller named and what a template has. Pure."""

import math
from fractions import Fraction

import msgspec

LEAST_SIDE_PX = 64
MOST_SIDE_PX = 4096
_DEFAULT_PX = 1024
_LONGEST_RATIO = 10
_MOST_TERM_DIGITS = 6


class ShapeRefused(Exception):
    """The sizes contradict each other, or are none. `field` names the one to change."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field}: {why}")
        self.field = field


class ShapeWish(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for: sides in pixels, a ratio such as `16:9`; None and empty are left open."""

    width: int | None = None
    height: int | None = None
    aspect_ratio: str | None = None


def sides_of(wish: ShapeWish, *, template: tuple[int, int] | None = None) -> tuple[int, int]:
    """Give width and height in pixels. What is named wins over the template's size.

    A ratio alone gives as many pixels as the template has, else 1024x1024's; one side alone keeps
    the named ratio, else the template's, else it is a square. Raises: ShapeRefused.
    """
    ratio = None if wish.aspect_ratio is None else read_ratio(wish.aspect_ratio)
    width, height = wish.width, wish.height
    if width is not None and height is not None:
        _check_agreement(width, height, ratio)
        return width, height
    if ratio is None:
        if template is not None and width is None and height is None:
            return template
        ratio = Fraction(*(template or (1, 1)))
    if width is not None:
        return width, _bounded("height", round(width / ratio))
    if height is not None:
        return _bounded("width", round(height * ratio)), height
    return _of_area(ratio, math.prod(template or (_DEFAULT_PX, _DEFAULT_PX)))


def read_ratio(text: str) -> Fraction:
    """Read `16:9` or `1.91:1` as width by height. Raises: ShapeRefused."""
    parts = text.replace("x", ":").split(":")
    if len(parts) != 2 or not all(_is_term(part) for part in parts):  # noqa: PLR2004  a ratio's
        raise ShapeRefused("aspect_ratio", "write it as 16:9.")
    width, height = (Fraction(part.strip()) for part in parts)
    if not width or not height or max(width / height, height / width) > _LONGEST_RATIO:
        raise ShapeRefused("aspect_ratio", f"from 1:{_LONGEST_RATIO} to {_LONGEST_RATIO}:1.")
    return width / height


def _is_term(text: str) -> bool:
    digits = text.strip()
    plain = digits.replace(".", "", 1)
    return plain.isascii() and plain.isdigit() and len(digits) <= _MOST_TERM_DIGITS


def _check_agreement(width: int, height: int, ratio: Fraction | None) -> None:
    """Refuse sides that are further from the ratio than rounding one of them explains."""
    if ratio is None:
        return
    if abs(width - height * ratio) > max(Fraction(1), ratio):
        raise ShapeRefused("aspect_ratio", f"{width}x{height} has another ratio; leave one out.")


def _bounded(field: str, side: int) -> int:
    if not LEAST_SIDE_PX <= side <= MOST_SIDE_PX:
        raise ShapeRefused(
            field, f"would be {side} by this ratio; from {LEAST_SIDE_PX} to {MOST_SIDE_PX}."
        )
    return side


def _of_area(ratio: Fraction, area: int) -> tuple[int, int]:
    """Give the largest sides of exactly this ratio within an area; nearly, if there are none."""
    terms = ratio.numerator, ratio.denominator
    times = math.isqrt(area // math.prod(terms))
    if times:
        width, height = terms[0] * times, terms[1] * times
    else:
        width, height = (round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio)))
    return _bounded("width", width), _bounded("height", height)

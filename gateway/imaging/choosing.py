"""Which models may make a picture, the best first, where the caller leaves the choice. Pure.

The order, each of these only where those before it are equal: a provider that is not resting; the
quality, if the caller named it; the template's recommendation; the quality; how much the model's
picture must be enlarged; the price; the order of models.json.
"""

from collections.abc import Iterable, Sequence

import msgspec

from gateway.imaging.models import LEVELS, ImageModel, Level
from studio.core.money import UCR_PER_CREDIT

MOST_ENLARGED = 2.0
"""A picture that is enlarged more in one direction is ours rather than the model's."""
_ENLARGED = (1.1, 1.5, MOST_ENLARGED)
"""Up to each of these a picture counts as enlarged alike."""
_MOST_TIMES_DEARER, _DEARER_UCR = 2, 20 * UCR_PER_CREDIT
"""What a stand-in may cost: so many times what the first costs, or so many µcr more."""


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What a picture shall be: its pixels, its quality, and the family a template recommends.

    `level_named` if the caller asked for the quality, rather than its template or the default.
    """

    width: int
    height: int
    level: Level = "standard"
    level_named: bool = False
    family: str = ""


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """A model that can be called: its price for one picture in µcr, 0 by a user's own key.

    `resting` if its provider failed lately and is left alone.
    """

    model: ImageModel
    price_ucr: int
    resting: bool = False


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A model at its place in the order, and why it stands there."""

    model: ImageModel
    price_ucr: int
    reasons: tuple[str, ...]


def order_candidates(wish: Wish, offers: Iterable[Offer]) -> tuple[Candidate, ...]:
    """Order the models that can make this, the best first; those that cannot are left out."""
    measured = [(offer, enlargement(offer.model, wish.width, wish.height)) for offer in offers]
    reachable = [(offer, times) for offer, times in measured if times <= MOST_ENLARGED]
    ordered = sorted(reachable, key=lambda found: _place(wish, *found))
    return tuple(
        Candidate(
            model=offer.model,
            price_ucr=offer.price_ucr,
            reasons=_reasons(wish, offer, times),
        )
        for offer, times in ordered
    )


def stand_ins(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Give the first and those that may stand in for it without being much dearer.

    All of them are held for: what the dearest costs.
    """
    if not candidates:
        return ()
    first_ucr = candidates[0].price_ucr
    most_ucr = max(_MOST_TIMES_DEARER * first_ucr, first_ucr + _DEARER_UCR)
    return tuple(found for found in candidates if found.price_ucr <= most_ucr)


def enlargement(model: ImageModel, width: int, height: int) -> float:
    """Give how many times longer a model's sides must become; 1 or less if it draws enough.

    What it draws is its nearest shape, cut to the asked one.
    """
    wanted = width / height
    ratios = [_ratio(shape) for shape in model.shapes] or [wanted]
    nearest = min(ratios, key=lambda ratio: max(ratio / wanted, wanted / ratio))
    drawn_height = (model.pixels / nearest) ** 0.5
    return float(max(width / (drawn_height * nearest), height / drawn_height))


def _place(wish: Wish, offer: Offer, times: float) -> tuple[bool, int, bool, int, int, int]:
    """Give what is compared, in the order the module names."""
    distance = _distance(wish, offer.model)
    return (
        offer.resting,
        distance if wish.level_named else 0,
        not _is_recommended(wish, offer.model),
        distance,
        sum(times > limit for limit in _ENLARGED),
        offer.price_ucr,
    )


def _is_recommended(wish: Wish, model: ImageModel) -> bool:
    return wish.family in model.families


def _distance(wish: Wish, model: ImageModel) -> int:
    """Give how far a model is from the quality asked for; below it is further than above."""
    steps = LEVELS.index(model.level) - LEVELS.index(wish.level)
    return 2 * steps if steps >= 0 else 1 - 2 * steps


def _reasons(wish: Wish, offer: Offer, times: float) -> tuple[str, ...]:
    model = offer.model
    found = [f"its provider failed lately: {model.provider}"] if offer.resting else []
    if _is_recommended(wish, model):
        found.append(f"recommended by the template: {wish.family}")
    same = model.level == wish.level
    found.append(f"quality {model.level}" + ("" if same else f" instead of {wish.level}"))
    size = f"{wish.width}x{wish.height}"
    found.append(f"draws {size}" if times <= 1 else f"enlarged {times:.2f} times to {size}")
    price = f"{offer.price_ucr // UCR_PER_CREDIT} credits a picture"
    return (*found, price if offer.price_ucr else "by your own key")


def _ratio(shape: str) -> float:
    width, _, height = shape.partition(":")
    return int(width) / int(height)

"""Which part of a picture is kept: the largest window of the wanted shape, and where it lies."""

from collections.abc import Sequence

from PIL import Image

Window = tuple[float, float, float, float]
Zone = tuple[float, float, float, float]

WHOLE: Zone = (0.0, 0.0, 0.0, 0.0)


def centered(size: tuple[int, int], target: tuple[int, int]) -> Window:
    """Give the window in the middle: left, top, right, bottom in pixels of the picture."""
    return _window(size, target, (0.5, 0.5))


def around(size: tuple[int, int], target: tuple[int, int], point: tuple[float, float]) -> Window:
    """Give the window whose middle is as near to the point (x, y from 0 to 1) as it can be."""
    wide, tall = _sides(size, target)
    across = _share(point[0] * size[0] - wide / 2, size[0] - wide)
    down = _share(point[1] * size[1] - tall / 2, size[1] - tall)
    return _window(size, target, (across, down))


def around_subject(
    size: tuple[int, int], target: tuple[int, int], important: Image.Image, zone: Zone = WHOLE
) -> Window:
    """Give the window that keeps the most of what is important (`L`), best away from its edges.

    `zone` are the shares (top, bottom, left, right) that will be covered: what is important is
    sought in what remains. Where nothing is important the window is in the middle.
    """
    top, bottom, left, right = zone
    wide, tall = _sides(size, target)
    across = _best(_columns(important), wide / size[0], (left, right))
    down = _best(_rows(important), tall / size[1], (top, bottom))
    return _window(size, target, (across, down))


def _best(profile: Sequence[int], share: float, covered: tuple[float, float]) -> float:
    """Say where along its way the window lies best: 0 at the beginning, 1 at the end."""
    length = min(len(profile), max(1, round(len(profile) * share)))
    ways = len(profile) - length
    if ways == 0 or not any(profile):
        return 0.5
    weights = _weights(length, covered)
    sums = [
        sum(value * weight for value, weight in zip(profile[at:], weights, strict=False))
        for at in range(ways + 1)
    ]
    return sums.index(max(sums)) / ways


def _weights(length: int, covered: tuple[float, float]) -> list[float]:
    """Give what a place in the window is worth: 1 in the middle of what is free, 1/2 far off."""
    middle = (covered[0] + 1 - covered[1]) / 2
    reach = max(middle, 1 - middle)
    places = [(number + 0.5) / length for number in range(length)]
    return [1 - 0.5 * (abs(place - middle) / reach) ** 3 for place in places]


def _columns(important: Image.Image) -> list[int]:
    values, width = important.tobytes(), important.width
    return [sum(values[x::width]) for x in range(width)]


def _rows(important: Image.Image) -> list[int]:
    values, width = important.tobytes(), important.width
    return [sum(values[y * width : (y + 1) * width]) for y in range(important.height)]


def _sides(size: tuple[int, int], target: tuple[int, int]) -> tuple[float, float]:
    """Give the sides of the largest window of the target's shape."""
    scale = min(size[0] / target[0], size[1] / target[1])
    return target[0] * scale, target[1] * scale


def _window(size: tuple[int, int], target: tuple[int, int], at: tuple[float, float]) -> Window:
    wide, tall = _sides(size, target)
    # Rounding must not lead out of the picture.
    left, top = max(0.0, (size[0] - wide) * at[0]), max(0.0, (size[1] - tall) * at[1])
    return (left, top, min(size[0], left + wide), min(size[1], top + tall))


def _share(wanted: float, room: float) -> float:
    return 0.5 if room <= 0 else min(1.0, max(0.0, wanted / room))

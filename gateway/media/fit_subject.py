"""Where a picture's subject is likely to be: a small map of what stands out, by Pillow alone.

Three signs are added: colours that are rare and keep together (the ground's are spread all over and
reach the edges), places with more detail than their surroundings, and places whose colour differs
from their surroundings. Before that the light is evened out, so that a lamp's glow or a dark corner
is no subject. Nothing looks for skin: it found no more, and it is right for some people only.

How well it does beside other ways is measured by `manage.py bench smart-crop`.
"""

import math

from PIL import Image, ImageChops, ImageFilter

_SIDE_PX = 96
_LIGHT_RADIUS = 14
_COLORS = 16
_NOTHING = 4
"""A map whose values differ by less is noise."""
_KEPT_SHARE = 0.1
"""Only the most striking tenth counts, or a large dull ground would outweigh the subject."""
_WEIGHTS = (0.4, 0.3, 0.3)
_COLOR_GAIN = 2
_LOGARITHMS = [round(255 * math.log1p(value / 12) / math.log1p(255 / 12)) for value in range(256)]


def importance(picture: Image.Image) -> Image.Image:
    """Map how much each place stands out: `L`, at most 96 pixels a side; black where nothing does.

    `picture` is RGB, or RGBa (premultiplied), whose transparent parts never count.
    """
    share = min(1.0, _SIDE_PX / max(picture.size))
    size = (max(1, round(picture.width * share)), max(1, round(picture.height * share)))
    small = picture.resize(size, Image.Resampling.BOX)
    opaque = None
    if small.mode == "RGBa":
        opaque = small.getchannel("a")
        ground = Image.new("RGBA", size, (128, 128, 128, 255))
        ground.alpha_composite(small.convert("RGBA"))
        small = ground.convert("RGB")
    found = _striking(_evenly_lit(small))
    return found if opaque is None else ImageChops.multiply(found, opaque)


def _striking(small: Image.Image) -> Image.Image:
    signs = (_compact_colors(small), _detail(small), _contrast(small))
    added: Image.Image | None = None
    for sign, weight in zip(signs, _WEIGHTS, strict=True):
        part = _stretched(sign).point([round(value * weight) for value in range(256)])
        added = part if added is None else ImageChops.add(added, part)
    assert added is not None, "there are three signs"
    return _foremost(_stretched(added))


def _evenly_lit(small: Image.Image) -> Image.Image:
    """Take away slow changes of light: in logarithms light is added to a colour, not multiplied."""
    small = small.point(_LOGARITHMS * 3)
    light = small.convert("L").filter(ImageFilter.BoxBlur(_LIGHT_RADIUS))
    return Image.merge("RGB", [ImageChops.subtract(band, light, 1, 128) for band in small.split()])


def _compact_colors(small: Image.Image) -> Image.Image:
    """Rate each of a few colours: unlike the others, in one place, seldom at the edges."""
    blurred = small.filter(ImageFilter.GaussianBlur(0.7))
    indexed = blurred.quantize(_COLORS, Image.Quantize.MEDIANCUT, kmeans=1)
    indices, palette = indexed.tobytes(), indexed.getpalette() or []
    places = _places(indices, indexed.width)
    colors = {index: tuple(palette[3 * index : 3 * index + 3]) for index in places}
    ratings = [0.0] * 256
    for index, at in places.items():
        unlike = sum(
            len(others) * math.dist(colors[index], colors[other])
            for other, others in places.items()
        )
        ratings[index] = unlike * _compactness(at, indexed.size)
    most = max(ratings) or 1.0
    table = bytes(round(255 * rating / most) for rating in ratings)
    rated = Image.frombytes("L", indexed.size, indices.translate(table))
    return rated.filter(ImageFilter.GaussianBlur(1))


def _places(indices: bytes, width: int) -> dict[int, list[tuple[int, int]]]:
    places: dict[int, list[tuple[int, int]]] = {}
    for number, index in enumerate(indices):
        places.setdefault(index, []).append((number % width, number // width))
    return places


def _compactness(places: list[tuple[int, int]], size: tuple[int, int]) -> float:
    """Give 1 for a dot, and next to nothing for what is everywhere or along the edges."""
    width, height = size
    count = len(places)
    spread = _variance([x / width for x, _ in places]) + _variance([y / height for _, y in places])
    at_edge = sum(x in (0, width - 1) or y in (0, height - 1) for x, y in places)
    return math.exp(-12 * spread - at_edge / (2 * math.sqrt(count) + 1))


def _variance(values: list[float]) -> float:
    mean = sum(values) / len(values)
    return sum(value * value for value in values) / len(values) - mean * mean


def _detail(small: Image.Image) -> Image.Image:
    """Rate places by how much finer they are drawn than what is around them, or coarser."""
    grey = small.convert("L")
    edges = ImageChops.difference(grey, grey.filter(ImageFilter.GaussianBlur(1.5)))
    return _beside(edges.point([min(255, value * 4) for value in range(256)]), 2, 16)


def _contrast(small: Image.Image) -> Image.Image:
    """Rate places by how far their brightness and colour are from what is around them."""
    added = Image.new("L", small.size)
    for number, band in enumerate(small.convert("YCbCr").split()):
        gain = _COLOR_GAIN if number else 1
        for near, far in ((1, 6), (2, 12), (3, 20)):
            apart = _beside(band, near, far)
            added = ImageChops.add(
                added, apart.point([min(255, value * gain) for value in range(256)])
            )
    return added


def _beside(band: Image.Image, near: float, far: float) -> Image.Image:
    """Give how far the mean of each place is from that of its surroundings."""
    close = band.filter(ImageFilter.GaussianBlur(near))
    return ImageChops.difference(close, band.filter(ImageFilter.GaussianBlur(far)))


def _stretched(band: Image.Image) -> Image.Image:
    """Stretch to the full range; to black if there is next to nothing in it."""
    least, most = _extrema(band)
    if most - least < _NOTHING:
        return Image.new("L", band.size)
    table = [(value - least) * 255 // (most - least) for value in range(256)]
    return band.point([min(255, max(0, value)) for value in table])


def _foremost(band: Image.Image) -> Image.Image:
    """Keep what is above the value that a tenth of the pixels exceeds."""
    left = band.width * band.height * _KEPT_SHARE
    floor = 255
    for value, count in reversed(list(enumerate(band.histogram()))):
        left -= count
        floor = value
        if left < 0:
            break
    return band.point([max(0, value - floor) for value in range(256)])


def _extrema(band: Image.Image) -> tuple[int, int]:
    counts = [value for value, count in enumerate(band.histogram()) if count]
    return counts[0], counts[-1]

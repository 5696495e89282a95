"""Pictures that are really drawn: scenes that follow from words alone, and changes of pictures.

A scene has a sky, a sun, hills and one thing in the middle, so that one sees what was cut, coloured
or enlarged. The same words give the same picture. Everything takes and gives Pillow's images.
"""

import functools
import hashlib
import io
import math
import re
from types import MappingProxyType

from PIL import Image, ImageChops, ImageColor, ImageDraw, ImageFilter, ImageOps

from sandbox.pictures import MEDIA_TYPES

Size = tuple[int, int]
Colour = tuple[int, int, int]

_PILLOW_NAMES = MappingProxyType({"png": "PNG", "jpg": "JPEG", "jpeg": "JPEG", "webp": "WEBP"})
_FAST: dict[str, dict[str, int]] = {"PNG": {"compress_level": 1}, "JPEG": {}, "WEBP": {"method": 0}}
_WORD = re.compile(r"[a-z]+")
_HILLS = 3
_STEPS = 48
_DARK = 96
_THINGS = 4


class NoPicture(ValueError):
    """The bytes are no picture that can be opened."""


def opened(data: bytes) -> Image.Image:
    """Read a picture, as RGBA where it can be seen through, else as RGB. Raises: NoPicture."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            return image.convert("RGBA" if image.has_transparency_data else "RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise NoPicture("These bytes are no picture.") from error


def size_in(data: bytes) -> Size:
    """Read width and height from a picture's head. Raises: NoPicture."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return image.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise NoPicture("These bytes are no picture.") from error


def written(image: Image.Image, form: str, quality: int = 80) -> bytes:
    """Write a picture; `form` is a key of `MEDIA_TYPES`, `quality` from 0 to 100."""
    assert form in MEDIA_TYPES, f"{form} is no format of the sandbox"
    name, file = _PILLOW_NAMES[form], io.BytesIO()
    options = dict(_FAST[name])
    if name != "PNG":
        options["quality"] = quality
    image = flat(image) if name == "JPEG" else image
    image.save(file, name, **options)
    return file.getvalue()


@functools.lru_cache(maxsize=32)
def drawn(words: str, size: Size, form: str, quality: int = 80) -> bytes:
    """Draw a scene and write it, at once."""
    return written(scene(words, size), form, quality)


def scene(words: str, size: Size) -> Image.Image:
    """Draw what follows from these words, in these pixels."""
    dice = hashlib.shake_256(words.encode()).digest(64)
    image = _sky(size, _colour(dice[0:3], light=True), _colour(dice[3:6], light=True))
    brush = ImageDraw.Draw(image)
    _draw_sun(brush, size, dice[6:10])
    for hill in range(_HILLS):
        _draw_hill(brush, size, hill, dice[10 + 6 * hill : 16 + 6 * hill])
    _draw_thing(brush, size, dice[30:40], named_colour(words))
    return image


def without_background(image: Image.Image) -> Image.Image:
    """Keep an ellipse in the middle; the corners can be seen through."""
    cut = image.convert("RGBA")
    shape = _ellipse(image.size, (0.1, 0.1, 0.9, 0.9))
    cut.putalpha(ImageChops.multiply(cut.getchannel("A"), shape))
    return cut


def painted(image: Image.Image, mask: Image.Image, words: str) -> Image.Image:
    """Paint a new scene where the mask is white."""
    where = mask.convert("L").resize(image.size)
    return Image.composite(scene(words, image.size), flat(image), where)


def mask_of(image: Image.Image) -> Image.Image:
    """Give the mask that a picture's own transparency makes: white where it can be seen through."""
    return ImageOps.invert(image.convert("RGBA").getchannel("A"))


def expanded(
    image: Image.Image, sides: tuple[int, int, int, int], words: str, grain: int = 1
) -> Image.Image:
    """Lay the picture on a scene that is larger on its left, right, upper and lower side."""
    left, right, up, down = sides
    size = (image.width + left + right, image.height + up + down)
    small = (max(1, size[0] // grain), max(1, size[1] // grain))
    whole = scene(words, small).resize(size)
    whole.paste(flat(image), (left, up))
    return whole


def replaced(image: Image.Image, search: str, words: str) -> Image.Image:
    """Paint a new scene where the thing that is searched for is taken to be."""
    return painted(image, place_of(search, image.size), words)


def recoloured(image: Image.Image, select: str, words: str) -> Image.Image:
    """Colour the thing that is selected in the colour of the words."""
    colour = named_colour(words) or _colour(hashlib.sha256(words.encode()).digest(), light=False)
    tinted = ImageOps.colorize(flat(image).convert("L"), "black", "white", mid=colour)
    return Image.composite(tinted, flat(image), place_of(select, image.size))


def enlarged(image: Image.Image, size: Size, words: str = "", share: float = 0.0) -> Image.Image:
    """Make a picture of these pixels; a share of it, from 0 to 1, is new and follows from words."""
    larger = image.resize(size, Image.Resampling.LANCZOS)
    if not share:
        return larger
    return Image.blend(flat(larger), scene(words, size), share)


def led_by(image: Image.Image, words: str, strength: float) -> Image.Image:
    """Draw a scene that keeps the outlines of a picture, the darker the stronger."""
    found = flat(image).convert("L").filter(ImageFilter.FIND_EDGES)
    found = found.crop((1, 1, image.width - 1, image.height - 1))
    lines = ImageOps.autocontrast(found.resize(image.size).filter(ImageFilter.MaxFilter(3)))
    lines = lines.point(lambda level: round(level * strength))
    black = Image.new("RGB", image.size)
    return Image.composite(black, scene(words, image.size), lines)


def in_colours_of(image: Image.Image, style: Image.Image, share: float) -> Image.Image:
    """Draw the lights and darks of a picture in the colours of another, by a share from 0 to 1."""
    dark, middle, bright = palette_of(style)
    light = ImageOps.autocontrast(flat(image).convert("L"))
    coloured = ImageOps.colorize(light, dark, bright, mid=middle)
    return Image.blend(flat(image), coloured, share)


def palette_of(image: Image.Image) -> tuple[Colour, Colour, Colour]:
    """Give a picture's colours at its dark, its middle and its light parts."""
    small = flat(image).resize((8, 8), Image.Resampling.BOX)
    data = small.tobytes()
    pixels = [(data[at], data[at + 1], data[at + 2]) for at in range(0, len(data), 3)]
    pixels.sort(key=lambda colour: (sum(colour), colour))
    return pixels[4], pixels[32], pixels[60]


def place_of(words: str, size: Size) -> Image.Image:
    """Give a mask of where a thing of this name is: an ellipse near the middle."""
    dice = hashlib.sha256(words.encode()).digest()
    left, up = 0.2 + dice[0] / 1024, 0.2 + dice[1] / 1024
    return _ellipse(size, (left, up, left + 0.4, up + 0.4))


def named_colour(words: str) -> Colour | None:
    """Give the first colour that is named in a text."""
    for word in _WORD.findall(words.lower()):
        if word in ImageColor.colormap:
            found = ImageColor.getrgb(word)
            return found[0], found[1], found[2]
    return None


def flat(image: Image.Image) -> Image.Image:
    """Lay what can be seen through on white."""
    if image.mode == "RGB":
        return image
    ground = Image.new("RGB", image.size, "white")
    ground.paste(image, mask=image.convert("RGBA").getchannel("A"))
    return ground


def _sky(size: Size, upper: Colour, lower: Colour) -> Image.Image:
    fade = Image.linear_gradient("L").resize((1, size[1])).resize(size)
    return ImageOps.colorize(fade, upper, lower)


def _draw_sun(brush: ImageDraw.ImageDraw, size: Size, dice: bytes) -> None:
    radius = min(size) * (0.06 + dice[0] / 4096)
    x, y = size[0] * (0.1 + 0.8 * dice[1] / 255), size[1] * (0.1 + 0.2 * dice[2] / 255)
    brush.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(255, 244, 200))


def _draw_hill(brush: ImageDraw.ImageDraw, size: Size, hill: int, dice: bytes) -> None:
    width, height = size
    base, swing = height * (0.55 + 0.13 * hill), height * (0.03 + dice[0] / 2560)
    waves, phase = 1 + dice[1] % 3, dice[2] / 40
    ridge = [
        (
            width * step / _STEPS,
            base + swing * math.sin(phase + waves * math.tau * step / _STEPS),
        )
        for step in range(_STEPS + 1)
    ]
    fill = _colour(dice[3:6], light=False)
    brush.polygon([(0, height), *ridge, (width, height)], fill=fill)


def _draw_thing(brush: ImageDraw.ImageDraw, size: Size, dice: bytes, colour: Colour | None) -> None:
    """Draw a ball, a house, a tree or a tower, outlined."""
    span = min(size) * 0.2
    x, y = size[0] / 2, size[1] * 0.58
    fill = colour or _colour(dice[1:4], light=True)
    line = max(1, min(size) // 128)
    kind = dice[0] % _THINGS
    if kind == 0:
        brush.ellipse((x - span, y - span, x + span, y + span), fill, "black", line)
        return
    half = (span * 0.7, span, span * 0.15, span * 0.4)[kind]
    brush.rectangle((x - half, y - span * 0.2, x + half, y + span), fill, "black", line)
    roof = max(half * 1.2, span * 0.8)
    top = [(x - roof, y - span * 0.2), (x, y - span * 1.4), (x + roof, y - span * 0.2)]
    brush.polygon(top, _colour(dice[4:7], light=False), "black", line)


def _colour(dice: bytes, *, light: bool) -> Colour:
    base = 255 - _DARK - 32 if light else 0
    return base + dice[0] % 128, base + dice[1] % 128, base + dice[2] % 128


def _ellipse(size: Size, box: tuple[float, float, float, float]) -> Image.Image:
    """Give a mask that is white within an ellipse; `box` are shares of the sides."""
    mask = Image.new("L", size)
    across, down = size
    edges = (across * box[0], down * box[1], across * box[2], down * box[3])
    ImageDraw.Draw(mask).ellipse(edges, fill=255)
    return mask

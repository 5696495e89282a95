"""Grounds of the pictures that a smart crop is judged by: smooth, busy, and in between."""

import random

from PIL import Image, ImageChops, ImageDraw, ImageFilter

Size = tuple[int, int]
Color = tuple[int, int, int]


def plain(size: Size, color: Color) -> Image.Image:
    """Give one colour."""
    return Image.new("RGB", size, color)


def gradient(size: Size, top: Color, bottom: Color) -> Image.Image:
    """Give a change of colour from top to bottom."""
    mask = Image.linear_gradient("L").resize(size)
    return Image.composite(plain(size, bottom), plain(size, top), mask)


def noise(size: Size, color: Color, strength: int, rng: random.Random) -> Image.Image:
    """Give a colour with grain."""
    grain = Image.frombytes("L", size, rng.randbytes(size[0] * size[1]))
    scaled = grain.point(lambda value: 128 + (value - 128) * strength // 128)
    return ImageChops.add(plain(size, color), Image.merge("RGB", [scaled] * 3), 1, -128)


def checks(size: Size, side: int, first: Color, second: Color) -> Image.Image:
    """Give a chessboard."""
    board = plain(size, first)
    draw = ImageDraw.Draw(board)
    for y in range(0, size[1], side):
        for x in range(0, size[0], side):
            if (x // side + y // side) % 2:
                draw.rectangle((x, y, x + side - 1, y + side - 1), fill=second)
    return board


def stripes(size: Size, angle: int) -> Image.Image:
    """Give black and white stripes, upright at 0 degrees."""
    longest = max(size)
    drawn = plain((longest, longest), (235, 235, 235))
    draw = ImageDraw.Draw(drawn)
    for x in range(0, longest, 24):
        draw.rectangle((x, 0, x + 11, longest), fill=(40, 40, 40))
    return drawn.rotate(angle).crop((0, 0, *size))


def leaves(size: Size, rng: random.Random) -> Image.Image:
    """Give a thicket of green leaves, light and dark."""
    drawn = plain(size, (30, 70, 30))
    draw = ImageDraw.Draw(drawn)
    for _ in range(1400):
        x, y = rng.randrange(-20, size[0]), rng.randrange(-20, size[1])
        green = rng.randint(70, 190)
        wide, tall = rng.randint(14, 50), rng.randint(8, 30)
        draw.ellipse((x, y, x + wide, y + tall), fill=(green // 3, green, green // 4))
    return drawn


def hills(size: Size, rng: random.Random) -> Image.Image:
    """Give a sky and three rows of hills."""
    drawn = gradient(size, (110, 160, 220), (220, 230, 240))
    draw = ImageDraw.Draw(drawn)
    for row, green in enumerate((150, 120, 95)):
        base = size[1] * (11 + 3 * row) // 20
        points = [(0, size[1])]
        points += [(x, base - rng.randrange(size[1] // 8)) for x in range(0, size[0] + 80, 80)]
        draw.polygon([*points, (size[0], size[1])], fill=(green // 2, green, green // 2))
    return drawn


def windows(size: Size, rng: random.Random) -> Image.Image:
    """Give house fronts full of windows, some of them lit."""
    drawn = plain(size, (140, 146, 156))
    draw = ImageDraw.Draw(drawn)
    for x in range(0, size[0], 110):
        shade = rng.randint(95, 165)
        draw.rectangle((x, 0, x + 104, size[1]), fill=(shade, shade - 4, shade - 12))
        for y in range(12, size[1], 44):
            for side in (10, 42, 74):
                lit = rng.random() < 0.2
                color = (236, 214, 140) if lit else (52, 60, 74)
                draw.rectangle((x + side, y, x + side + 20, y + 28), fill=color)
    return drawn


def bricks(size: Size, rng: random.Random) -> Image.Image:
    """Give a wall of bricks."""
    drawn = plain(size, (190, 184, 176))
    draw = ImageDraw.Draw(drawn)
    for row, y in enumerate(range(0, size[1], 26)):
        for x in range(-30 * (row % 2), size[0], 62):
            red = rng.randint(130, 185)
            draw.rectangle((x, y, x + 57, y + 21), fill=(red, red * 45 // 100, red * 35 // 100))
    return drawn


def bokeh(size: Size, rng: random.Random) -> Image.Image:
    """Give lights far out of focus."""
    drawn = plain(size, (46, 42, 58))
    draw = ImageDraw.Draw(drawn)
    for _ in range(40):
        x, y, reach = rng.randrange(size[0]), rng.randrange(size[1]), rng.randint(14, 54)
        color = rng.choice(((240, 200, 120), (220, 120, 90), (120, 150, 220), (250, 240, 210)))
        draw.ellipse((x - reach, y - reach, x + reach, y + reach), fill=color)
    return drawn.filter(ImageFilter.GaussianBlur(16))


def clouds(size: Size, rng: random.Random) -> Image.Image:
    """Give white clouds in a blue sky."""
    drawn = gradient(size, (70, 130, 210), (150, 190, 235))
    draw = ImageDraw.Draw(drawn)
    for _ in range(9):
        x, y = rng.randrange(size[0]), rng.randrange(size[1])
        for _ in range(6):
            dx, dy, reach = rng.randint(-60, 60), rng.randint(-16, 16), rng.randint(20, 46)
            draw.ellipse(
                (x + dx - reach, y + dy - reach, x + dx + reach, y + dy + reach),
                fill=(242, 245, 250),
            )
    return drawn.filter(ImageFilter.GaussianBlur(7))


def vignette(picture: Image.Image) -> Image.Image:
    """Darken the corners."""
    mask = Image.radial_gradient("L").resize(picture.size).point(lambda value: value * 3 // 4)
    return Image.composite(plain(picture.size, (0, 0, 0)), picture, mask)


def photographed(picture: Image.Image, rng: random.Random) -> Image.Image:
    """Give a picture as a camera might see it: soft, unevenly lit, with grain."""
    alpha = picture.getchannel("A") if picture.mode == "RGBA" else None
    made = picture.convert("RGB").filter(ImageFilter.GaussianBlur(1.2))
    side = Image.linear_gradient("L").rotate(rng.choice((0, 90, 180, 270)))
    patches = Image.frombytes("L", (12, 12), rng.randbytes(144))
    for light, least in ((side.resize(made.size), 110), (_smooth(patches, made.size), 205)):
        lit = light.point([least + value * (255 - least) // 255 for value in range(256)])
        made = ImageChops.multiply(made, Image.merge("RGB", [lit] * 3))
    grain = noise(made.size, (128, 128, 128), 34, rng).filter(ImageFilter.GaussianBlur(0.6))
    made = ImageChops.add(made, grain, 1, -128)
    if alpha is not None:
        made.putalpha(alpha)
    return made


def _smooth(patches: Image.Image, size: Size) -> Image.Image:
    return patches.resize(size, Image.Resampling.BICUBIC)

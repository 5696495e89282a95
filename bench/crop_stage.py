"""A picture being drawn, where its subject goes, and the subjects that several scenes have."""

import random
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from bench.crop_grounds import plain

Box = tuple[int, int, int, int]
Color = tuple[int, int, int]

SIZES = ((960, 640), (640, 960), (1200, 500))
SKINS: tuple[Color, ...] = ((236, 188, 150), (198, 134, 96), (141, 85, 54), (255, 219, 190))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A picture and the boxes of its subjects, in pixels."""

    name: str
    picture: Image.Image
    boxes: tuple[Box, ...]


class Stage:
    """One picture being drawn, and where its subject goes."""

    def __init__(self, name: str, number: int, seed: int) -> None:
        self.rng = random.Random(f"{name} {seed}")
        self.size = SIZES[(number + seed) % len(SIZES)]
        self.picture = plain(self.size, (255, 255, 255))
        self.boxes: list[Box] = []

    def ground(self, picture: Image.Image) -> None:
        """Begin with this ground."""
        self.picture = picture

    def place(self, share: float, *, aspect: float = 1.0) -> Box:
        """Choose a box of this share of the shorter side, off the middle, and keep it."""
        height = round(min(self.size) * share)
        width = round(height * aspect)
        left = self._off_middle(self.size[0] - width)
        top = self._off_middle(self.size[1] - height)
        box = (left, top, left + width, top + height)
        self.boxes.append(box)
        return box

    @property
    def draw(self) -> ImageDraw.ImageDraw:
        """What draws on the picture."""
        return ImageDraw.Draw(self.picture)

    def color(self, low: int = 0, high: int = 255) -> Color:
        """Choose a colour."""
        return (
            self.rng.randint(low, high),
            self.rng.randint(low, high),
            self.rng.randint(low, high),
        )

    def _off_middle(self, room: int) -> int:
        share = self.rng.uniform(0.04, 0.3)
        return round(room * (share if self.rng.random() < 0.5 else 1 - share))


def face(stage: Stage, box: Box) -> None:
    """Draw a head: hair, skin, eyes, mouth."""
    draw, (left, top, right, bottom) = stage.draw, box
    width, height = right - left, bottom - top
    hair = stage.rng.choice(((40, 28, 20), (96, 60, 30), (190, 150, 90)))
    draw.ellipse((left, top, right, bottom - height // 8), fill=hair)
    draw.ellipse(
        (left + width // 8, top + height // 6, right - width // 8, bottom),
        fill=stage.rng.choice(SKINS),
    )
    for at in (0.36, 0.64):
        x, y = left + width * at, top + height * 0.5
        draw.ellipse((x - width / 14, y - width / 18, x + width / 14, y + width / 18), fill="white")
        draw.ellipse((x - width / 28, y - width / 28, x + width / 28, y + width / 28), fill="black")
    mouth = (left + width * 0.36, top + height * 0.66, left + width * 0.64, top + height * 0.84)
    draw.arc(mouth, 20, 160, fill=(150, 40, 40), width=max(2, width // 24))


def person(stage: Stage, box: Box) -> None:
    """Draw a standing person: a head, a shirt, legs."""
    draw, (left, top, right, bottom) = stage.draw, box
    height = bottom - top
    middle, shirt = (left + right) // 2, stage.color(60, 230)
    head = height // 4
    draw.rounded_rectangle(
        (left, top + head - head // 8, right, top + height * 5 // 8), radius=head // 4, fill=shirt
    )
    for side in (left, middle + 2):
        draw.rectangle(
            (side + 2, top + height * 5 // 8, side + (right - left) // 2 - 4, bottom),
            fill=(40, 44, 70),
        )
    face(stage, (middle - head * 2 // 5, top, middle + head * 2 // 5, top + head))


def text(stage: Stage, box: Box, words: str, color: Color | str) -> None:
    """Write words that fill the width of a box; the box becomes that of the words."""
    draw, (left, top, right, _) = stage.draw, box
    size = 12
    while draw.textlength(words, ImageFont.load_default(size)) < right - left:
        size += 2
    font = ImageFont.load_default(size)
    found = draw.textbbox((left, top), words, font=font)
    drift = max(0, round(found[3]) - stage.size[1])
    draw.text((left, top - drift), words, font=font, fill=color)
    bounds = draw.textbbox((left, top - drift), words, font=font)
    stage.boxes[-1] = (
        max(0, round(bounds[0])),
        max(0, round(bounds[1])),
        min(stage.size[0], round(bounds[2])),
        min(stage.size[1], round(bounds[3])),
    )

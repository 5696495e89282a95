"""Pictures that tests send in as base64, and pictures read back from answers."""

import io
from base64 import b64decode, b64encode

from PIL import Image

from sandbox import drawing


def drawn(words: str = "a lamp", size: tuple[int, int] = (192, 128)) -> Image.Image:
    """Draw a small scene."""
    return drawing.scene(words, size)


def as_data_url(image: Image.Image, form: str = "png") -> str:
    """Write a picture as a data URL."""
    return f"data:image/{form};base64,{as_base64(image, form)}"


def as_base64(image: Image.Image, form: str = "png") -> str:
    """Write a picture as bare base64."""
    return b64encode(drawing.written(image, form)).decode()


def mask(size: tuple[int, int], box: tuple[int, int, int, int]) -> Image.Image:
    """Draw a mask that is white within a box."""
    found = Image.new("L", size)
    found.paste(255, box)
    return found


def read_url(url: str) -> Image.Image:
    """Open the picture of a data URL, which must say what it is."""
    head, _, data = url.partition(",")
    image = Image.open(io.BytesIO(b64decode(data, validate=True)))
    image.load()
    assert head == f"data:image/{(image.format or '').lower()};base64"
    return image

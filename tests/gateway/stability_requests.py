"""What the tests of Stability's operations share: pictures, requests, forms read back."""

import io
import uuid
from email.parser import BytesParser
from typing import Any

from PIL import Image

from gateway.operations.image_control import ImageControlRequest
from gateway.operations.image_edit import ImageEditRequest
from gateway.operations.image_input import ImageInput
from gateway.operations.image_upscale import ImageUpscaleRequest
from gateway.providers.base import UpstreamRequest
from gateway.providers.media import MediaRequest


def png(size: tuple[int, int] = (96, 64), colour: str = "teal", mode: str = "RGB") -> bytes:
    """Write a picture of one colour."""
    file = io.BytesIO()
    Image.new(mode, size, colour).save(file, "PNG")
    return file.getvalue()


def picture(width: int = 96, height: int = 64, *, data: bytes | None = None) -> ImageInput:
    """Give a picture as a provider gets it; its bytes need not have its size."""
    return ImageInput(
        asset_id=uuid.UUID(int=7),
        media_type="image/png",
        width=width,
        height=height,
        data=png((width, height)) if data is None else data,
    )


def edit(name: str, **fields: Any) -> ImageEditRequest:
    """Ask for an edit of a small picture."""
    return ImageEditRequest(**{"edit": name, "image": picture(), **fields})


def upscale(mode: str, **fields: Any) -> ImageUpscaleRequest:
    """Ask for a small picture to be made larger."""
    return ImageUpscaleRequest(**{"mode": mode, "image": picture(), **fields})


def control(name: str, **fields: Any) -> ImageControlRequest:
    """Ask for a picture led by a small one."""
    given = {"control": name, "image": picture(), "prompt": "An office", **fields}
    return ImageControlRequest(**given)


STYLE = picture(64, 64, data=png((64, 64), "maroon"))
MASK = picture(32, 32, data=png((32, 32), "white"))
OPERATIONS: dict[str, tuple[str, MediaRequest, set[str]]] = {
    "remove-background": (
        "edit/remove-background",
        edit("remove_background", output_format="webp"),
        {"image", "output_format"},
    ),
    "inpaint": (
        "edit/inpaint",
        edit(
            "inpaint",
            prompt="a cat",
            negative_prompt="dogs",
            mask=MASK,
            grow_mask=100,
            style="anime",
            seed=7,
        ),
        {"image", "mask", "prompt", "negative_prompt", "grow_mask", "style_preset", "seed"}
        | {"output_format"},
    ),
    "outpaint": (
        "edit/outpaint",
        edit(
            "outpaint",
            prompt="a garden",
            expand_left=10,
            expand_right=20,
            expand_up=30,
            expand_down=2000,
            creativity=0.25,
            style="anime",
            seed=7,
        ),
        {"image", "prompt", "left", "right", "up", "down", "creativity", "style_preset"}
        | {"seed", "output_format"},
    ),
    "search-and-replace": (
        "edit/search-and-replace",
        edit(
            "search_replace",
            prompt="a dog",
            search_prompt="the cat",
            negative_prompt="blur",
            grow_mask=20,
            style="anime",
            seed=7,
        ),
        {"image", "prompt", "search_prompt", "negative_prompt", "grow_mask", "style_preset"}
        | {"seed", "output_format"},
    ),
    "search-and-recolor": (
        "edit/search-and-recolor",
        edit(
            "search_recolor",
            prompt="crimson",
            select_prompt="the car",
            negative_prompt="blur",
            grow_mask=3,
            style="anime",
            seed=7,
            output_format="jpeg",
        ),
        {"image", "prompt", "select_prompt", "negative_prompt", "grow_mask", "style_preset"}
        | {"seed", "output_format"},
    ),
    "upscale-fast": ("upscale/fast", upscale("fast"), {"image", "output_format"}),
    "upscale-conservative": (
        "upscale/conservative",
        upscale("conservative", prompt="sharp"),
        {"image", "prompt", "output_format"},
    ),
    "upscale-creative": (
        "upscale/creative",
        upscale("creative", prompt="sharp"),
        {"image", "prompt", "output_format"},
    ),
    "control-sketch": (
        "control/sketch",
        control("sketch", control_strength=0.8, negative_prompt="blur", style="anime", seed=7),
        {"image", "prompt", "control_strength", "negative_prompt", "style_preset", "seed"}
        | {"output_format"},
    ),
    "control-structure": (
        "control/structure",
        control("structure", control_strength=0.0, seed=7),
        {"image", "prompt", "control_strength", "seed", "output_format"},
    ),
    "control-style": (
        "control/style",
        control("style", fidelity=1.0, aspect_ratio="16:9", style="anime", seed=7),
        {"image", "prompt", "fidelity", "aspect_ratio", "style_preset", "seed", "output_format"},
    ),
    "control-style-transfer": (
        "control/style-transfer",
        control(
            "style_transfer",
            style_image=STYLE,
            style_strength=0.5,
            composition_fidelity=0.9,
            change_strength=0.05,
            seed=7,
        ),
        {"init_image", "style_image", "prompt", "style_strength", "composition_fidelity"}
        | {"change_strength", "seed", "output_format"},
    ),
}
"""By the catalogue's model: the end of the path, a request with all it has, and what is sent."""


def parts_of(request: UpstreamRequest) -> tuple[dict[str, str], dict[str, bytes]]:
    """Read a form with another's parser: texts, and files by their fields."""
    head = f"content-type: {request.headers['content-type']}\r\n\r\n".encode()
    message = BytesParser().parsebytes(head + request.body)
    assert message.is_multipart()
    texts: dict[str, str] = {}
    files: dict[str, bytes] = {}
    for part in message.walk():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if not isinstance(name, str) or not isinstance(content, bytes):
            continue
        if part.get_filename():
            assert part.get_content_type() == "image/png"
            files[name] = content
        else:
            texts[name] = content.decode()
    return texts, files

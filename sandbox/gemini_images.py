"""Pictures of Gemini's image models: what is refused of them, how they are drawn, what they cost.

Source: Google's discovery document v1beta (2026-08-23), ImageConfig and GenerationConfig;
ai.google.dev/gemini-api/docs/image-generation (shapes, tokens of each size).
An edit is drawn so that one sees what it was led by: what is white in a mask is painted anew,
another picture lends its colours, and a picture alone is coloured where its words say.
"""

import base64
import binascii
import math
from types import MappingProxyType

from PIL import Image

from sandbox import drawing
from sandbox.faults import Faults
from sandbox.gemini_errors import WireError
from sandbox.gemini_models import Traits
from sandbox.messages import Json
from sandbox.openai_images import spoiled

_SHAPES = ("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9")
_LONG_SHAPES = ("1:4", "4:1", "1:8", "8:1")
_SIDE_PX = MappingProxyType({"512": 512, "1K": 1024, "2K": 2048, "4K": 4096})
_TOKENS = MappingProxyType({"512": 747, "1K": 1120, "2K": 1680, "4K": 2520})
_STEP_PX = 16
_OLDER_TOKENS = 1290
_LENT = 0.4
_SPOKEN = "Here is the picture."
_HELD_BACK = (
    "Unable to show the generated image. The image was filtered out because it violated Google's "
    "Generative AI Prohibited Use policy. Try rephrasing the prompt."
)
_UNREADABLE = "Unable to process input image. Please retry or report."


def draws(wanted: Json, model: Traits) -> bool:
    """Tell whether an answer is a picture."""
    modalities = (wanted.get("generationConfig") or {}).get("responseModalities")
    return model.draws and (not modalities or "IMAGE" in modalities)


def check_modalities(config: Json, model: Traits) -> None:
    """Refuse answers that a model does not give, and pictures it does not draw.

    Raises: WireError.
    """
    modalities = sorted(config.get("responseModalities") or [])
    allowed: list[list[str]] = [[], ["TEXT"]]
    if model.draws:
        allowed += [["IMAGE"], ["IMAGE", "TEXT"]]
    if modalities not in allowed:
        raise WireError("The requested combination of response modalities is not supported.")
    wanted = config.get("imageConfig") or {}
    if wanted and not model.draws:
        raise WireError(f"imageConfig is not enabled for models/{model.id}")
    shapes = (*_SHAPES, *(_LONG_SHAPES if model.long_shapes else ()))
    if wanted.get("aspectRatio", "1:1") not in shapes:
        raise WireError(f"aspect_ratio must be one of {', '.join(shapes)}.")
    if wanted.get("imageSize", "1K") not in (model.image_sizes or ("1K",)):
        raise WireError(f"image_size {wanted['imageSize']} is not supported by this model.")
    if "imageSize" in wanted and not model.image_sizes:
        raise WireError(f"image_size is not enabled for models/{model.id}")


def paint(wanted: Json, model: Traits, faults: Faults, *, prompt: str) -> tuple[list[Json], str]:
    """Draw the answer. Returns: its parts, and the finish reason. Raises: WireError."""
    config = wanted.get("generationConfig") or {}
    if faults.content_filter:
        return [], faults.code or "IMAGE_SAFETY"
    if faults.files == "none":
        return [], "NO_IMAGE"
    words = f"{model.id}|{prompt}|{config.get('seed')}"
    given = _given(wanted)
    image = _edited(given, words) if given else None
    size = _size(config.get("imageConfig") or {}, image)
    if image is None:
        data = drawing.drawn(words, size, "png")
    else:
        data = drawing.written(image.resize(size), "png")
    [file] = spoiled([data], faults.files)
    part = {"inlineData": {"mimeType": "image/png", "data": base64.b64encode(file).decode()}}
    if config.get("responseModalities") == ["IMAGE"]:
        return [part], "STOP"
    return [{"text": _SPOKEN}, part], "STOP"


def picture_tokens(config: Json, model: Traits) -> int:
    """Count the tokens of one picture."""
    if not model.image_sizes:
        return _OLDER_TOKENS
    return _TOKENS[(config.get("imageConfig") or {}).get("imageSize", "1K")]


def finish_message(reason: str) -> str:
    """Say why there is no picture, where Google says it."""
    return _HELD_BACK if reason.startswith("IMAGE_") else ""


def _given(wanted: Json) -> list[tuple[str, Image.Image]]:
    """Read the pictures of the last turn, each with the text before it. Raises: WireError."""
    found, label = [], ""
    for part in wanted["contents"][-1]["parts"]:
        blob = part.get("inlineData")
        if blob is None:
            label = str(part.get("text", ""))
            continue
        try:
            # Both kinds of base64 are taken; Google's own SDK sends the one for addresses.
            data = base64.urlsafe_b64decode(blob["data"] + "==")
            found.append((label, drawing.opened(data)))
        except (drawing.NoPicture, binascii.Error, ValueError):
            raise WireError(_UNREADABLE) from None
    return found


def _edited(given: list[tuple[str, Image.Image]], words: str) -> Image.Image:
    image = given[0][1]
    if len(given) == 1:
        return drawing.recoloured(image, words, words)
    for label, other in given[1:]:
        if "mask" in label:
            image = drawing.painted(image, other, words)
        else:
            image = drawing.in_colours_of(image, other, _LENT)
    return image


def _size(config: Json, image: Image.Image | None) -> tuple[int, int]:
    """Give the pixels: of the shape asked for, else of the picture that came, else a square."""
    side = _SIDE_PX[config.get("imageSize", "1K")]
    across, down = (1, 1) if image is None else image.size
    if "aspectRatio" in config:
        across, down = map(int, config["aspectRatio"].split(":"))
    scale = side / math.sqrt(across * down)
    return _stepped(across * scale), _stepped(down * scale)


def _stepped(side: float) -> int:
    return max(_STEP_PX, round(side / _STEP_PX) * _STEP_PX)

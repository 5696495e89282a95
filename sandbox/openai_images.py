"""OpenAI's images: pictures that follow from the body, of the size and in the format asked for.

Source: `openai` Python SDK 3.54.0, `types/image_generate_params.py`, `types/images_response.py`,
`types/image_model.py` (which models have ended); the limits of sizes: OpenAI's image generation
guide as quoted by yingtu.ai (Apr 2026); the refusal of the filter: ucx0204/CarrotMangaTranslator
#122 (Sep 2026). What each token costs is ours: README.md has the rule.
Left out: streams and partial images, GIF and SVG, `complexity`.
"""

import io
import re
from base64 import b64encode
from collections.abc import Sequence

from PIL import Image

from sandbox.faults import DIRECTIVE, Faults
from sandbox.messages import Json
from sandbox.openai_checks import WireError
from sandbox.openai_usage import wrong_count
from sandbox.pictures import picture
from sandbox.text import count_tokens

_FIELDS = frozenset(
    (
        *("prompt", "model", "n", "size", "quality", "output_format", "output_compression"),
        *("background", "moderation", "user", "safety_identifier", "stream", "partial_images"),
    )
)
_ENDED = frozenset({"dall-e-2", "dall-e-3", "gpt-image-1"})
_WORDS: dict[str, tuple[str, ...]] = {
    "output_format": ("png", "jpeg", "webp"),
    "background": ("transparent", "opaque", "auto"),
    "moderation": ("low", "auto"),
}
_QUALITIES = ("low", "medium", "high", "auto")
_NEWER_QUALITIES = (*_QUALITIES, "xhigh", "max")
_TOKENS = {"low": 272, "medium": 1056, "high": 4160, "xhigh": 6240, "max": 8320}
"""Of a square of 1024 pixels."""
_FIXED_SIZES = ("1024x1024", "1536x1024", "1024x1536", "auto")
_OWN_SIZE, _OWN_QUALITY = "1024x1024", "high"
_SIZE = re.compile(r"([1-9]\d{0,4})x([1-9]\d{0,4})")
_VERSION = re.compile(r"gpt-image-(\d+(?:\.\d+)?)(?![\d.])")
_LONGEST_PROMPT, _LONGEST_IDENTIFIER = 32_000, 64
_STEP, _LONGEST_SIDE, _WIDEST = 16, 3840, 3
_LEAST_PIXELS, _MOST_PIXELS = 655_360, 8_294_400
_EPOCH = 1_780_000_000


def directive_text(wanted: Json) -> str:
    """Give the text that may ask for faults."""
    prompt = wanted.get("prompt")
    return prompt if isinstance(prompt, str) else ""


def draw(wanted: Json, faults: Faults, digest: bytes) -> Json:
    """Answer one request. Raises: WireError for what the live API refuses."""
    given = {name: value for name, value in wanted.items() if value is not None}
    _check_fields(given)
    _check_model(given.get("model"))
    _check_values(given)
    for word, stage in ((faults.refusal, "input"), (faults.content_filter, "output")):
        if word:
            raise _blocked(stage)
    size = _own(given.get("size"), _OWN_SIZE)
    quality = _own(given.get("quality"), _OWN_QUALITY)
    form = given.get("output_format", "png")
    clear = given.get("background") == "transparent"
    across, _, down = size.partition("x")
    files = [
        _drawn(f"{digest.hex()}{index}", (int(across), int(down)), form, clear=clear)
        for index in range(given.get("n", 1))
    ]
    answer: Json = {
        "created": _EPOCH + digest[0],
        "background": "transparent" if clear else "opaque",
        "data": [{"b64_json": b64encode(file).decode()} for file in spoiled(files, faults.files)],
        "output_format": form,
        "quality": quality,
        "size": size,
    }
    if not faults.missing_usage:
        answer["usage"] = _usage(given, faults, image_tokens(int(across), int(down), quality))
    return answer


def spoiled(files: Sequence[bytes], fault: str) -> list[bytes]:
    """Do to the files what a fault says; README.md has the words."""
    if fault == "none":
        return []
    if fault == "fewer":
        return list(files[:-1])
    if fault == "text":
        return [b"This is no picture." for _ in files]
    if fault == "cut":
        return [file[: len(file) // 2] for file in files]
    return list(files)


def image_tokens(width: int, height: int, quality: str) -> int:
    """Count the tokens of one picture: in proportion to its pixels, rounded up."""
    return -(-_TOKENS[quality] * width * height // 1024**2)


def check_size(size: str) -> None:
    """Refuse a size that no model takes. Raises: WireError."""
    found = _SIZE.fullmatch(size)
    if found is None:
        raise _invalid_size(f"Invalid size '{size}'. Use WIDTHxHEIGHT, as in 1024x1024.")
    width, height = int(found[1]), int(found[2])
    if width % _STEP or height % _STEP:
        raise _invalid_size(f"Invalid size '{size}'. Width and height must be divisible by 16.")
    if max(width, height) > _LONGEST_SIDE:
        raise _invalid_size(f"Invalid size '{size}'. The longest edge must be at most 3840px.")
    if max(width, height) > _WIDEST * min(width, height):
        raise _invalid_size(f"Invalid size '{size}'. The aspect ratio must be at most 3:1.")
    if not _LEAST_PIXELS <= width * height <= _MOST_PIXELS:
        text = f"Invalid size '{size}'. Between {_LEAST_PIXELS} and {_MOST_PIXELS} pixels."
        raise _invalid_size(text)


def _own(value: str | None, own: str) -> str:
    """Give what was asked for, or what the model takes where it is left to it."""
    return own if value in (None, "auto") else value


def _drawn(seed: str, size: tuple[int, int], form: str, *, clear: bool) -> bytes:
    """Draw a picture; a clear one has a quarter that can be seen through."""
    data = picture(seed, size, form)
    if not clear:
        return data
    with Image.open(io.BytesIO(data)) as opened:
        whole = opened.convert("RGBA")
    whole.paste((0, 0, 0, 0), (0, 0, size[0] // 2, size[1] // 2))
    file = io.BytesIO()
    whole.save(file, form.upper())
    return file.getvalue()


def _check_fields(given: Json) -> None:
    unknown = given.keys() - _FIELDS
    if unknown:
        name = min(unknown)
        raise WireError(f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter")
    if given.get("stream") or given.get("partial_images"):
        raise WireError("The sandbox does not stream images.", param="stream")
    prompt = given.get("prompt")
    if not isinstance(prompt, str):
        text = "Missing required parameter: 'prompt'."
        raise WireError(text, param="prompt", code="missing_required_parameter")
    if not prompt.strip() or len(prompt) > _LONGEST_PROMPT:
        raise WireError("Invalid 'prompt': 1 to 32000 characters are expected.", param="prompt")


def _check_model(model: object) -> None:
    if not isinstance(model, str) or model in _ENDED:
        text = f"The model '{model}' does not exist."
        raise WireError(text, param="model", code="model_not_found", status=404)
    if "gpt-image-" not in model:
        raise WireError(f"Invalid value: '{model}'.", param="model", code="invalid_value")


def _check_values(given: Json) -> None:
    found = _VERSION.match(given["model"])
    version = float(found[1]) if found else 1.0
    if type(given.get("n", 1)) is not int or not 1 <= given.get("n", 1) <= 10:
        raise WireError("Invalid 'n': an integer from 1 to 10 is expected.", param="n")
    qualities = _NEWER_QUALITIES if version >= 2.5 else _QUALITIES
    for name, words in {**_WORDS, "quality": qualities}.items():
        if given.get(name, words[0]) not in words:
            wish = ", ".join(f"'{word}'" for word in words)
            text = f"Invalid value: '{given[name]}'. Supported values are: {wish}."
            raise WireError(text, param=name, code="invalid_value")
    person = given.get("safety_identifier", "")
    if not isinstance(person, str) or len(person) > _LONGEST_IDENTIFIER:
        raise WireError("Invalid 'safety_identifier'.", param="safety_identifier")
    if not isinstance(given.get("user", ""), str):
        raise WireError("Invalid 'user'.", param="user")
    _check_size_of(given.get("size", "auto"), any_size=version >= 2)
    _check_file(given)


def _check_size_of(size: object, *, any_size: bool) -> None:
    if size in _FIXED_SIZES:
        return
    if not isinstance(size, str) or not any_size:
        wish = ", ".join(f"'{known}'" for known in _FIXED_SIZES)
        raise _invalid_size(f"Invalid value: '{size}'. Supported values are: {wish}.")
    check_size(size)


def _check_file(given: Json) -> None:
    form = given.get("output_format", "png")
    compression = given.get("output_compression")
    if compression is not None:
        known = type(compression) is int and 0 <= compression <= 100
        if not known or (form == "png" and compression != 100):
            text = "Invalid 'output_compression': 0 to 100, for jpeg and webp."
            raise WireError(text, param="output_compression")
    if given.get("background") == "transparent" and form == "jpeg":
        text = "Transparent background is not supported for JPEG output format."
        raise WireError(text, param="background")


def _invalid_size(text: str) -> WireError:
    return WireError(text, param="size", code="invalid_value")


def _blocked(stage: str) -> WireError:
    """Make the refusal of the filter, of the prompt or of what came of it."""
    text = (
        "Your request was rejected by the safety system. If you believe this is an error, contact "
        "us at help.openai.com and include the request ID b68e1d8f-31a3-4a04-aa41-bf442d857ccd. "
        "safety_violations=[sandbox]."
    )
    error = WireError(text, code="moderation_blocked", kind="image_generation_user_error")
    details = {"moderation_stage": stage, "categories": ["sandbox"]}
    error.body["error"]["moderation_details"] = details
    return error


def _usage(given: Json, faults: Faults, tokens: int) -> Json:
    """Count tokens: the prompt's by the rule of texts, each picture's by its pixels."""
    if faults.usage:
        wrong = wrong_count(faults.usage)
        return dict.fromkeys(("input_tokens", "output_tokens", "total_tokens"), wrong)
    asked = count_tokens(DIRECTIVE.sub("", given["prompt"]))
    made = tokens * given.get("n", 1)
    return {
        "input_tokens": asked,
        "input_tokens_details": {"image_tokens": 0, "text_tokens": asked},
        "output_tokens": made,
        "output_tokens_details": {"image_tokens": made, "text_tokens": 0},
        "total_tokens": asked + made,
    }

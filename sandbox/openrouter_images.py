"""OpenRouter's images: any model with a vendor, shapes and tiers or pixels, the exact cost.

Source: `openrouter` Python SDK 1.3.84, `components/imagegenerationrequest.py` and -response.py;
OpenRouter's OpenAPI 1.0.0 (Aug 2026), POST /images. Tokens and their price are ours.
Left out: references, streams, routing, SVG. What is not documented is refused, where OpenRouter
ignores it.
"""

import math
import re
from base64 import b64encode
from decimal import Decimal

from msgspec import Raw

from sandbox.faults import DIRECTIVE, Faults
from sandbox.messages import Json
from sandbox.openai_checks import WireError
from sandbox.openai_images import check_size, spoiled
from sandbox.openai_usage import wrong_count
from sandbox.openrouter_checks import RouterError, asked_for, check_model
from sandbox.pictures import MEDIA_TYPES, picture
from sandbox.text import count_tokens

_EPOCH = 1_780_000_000
_TOKENS_PER_MEGAPIXEL = 1290
_USD_PER_TOKEN = Decimal("0.00003")
_PIXELS = {
    "512": 512**2,
    "768": 768**2,
    "1K": 1024**2,
    "1.5K": 1536**2,
    "2K": 2048**2,
    "4K": 4096**2,
}
_SHAPES = (
    *("1:1", "1:2", "1:4", "1:8", "2:1", "2:3", "2.35:1", "3:2", "3:4", "4:1", "4:3", "4:5", "5:2"),
    *("5:4", "5:7", "7:5", "8:1", "9:16", "16:9", "9:19.5", "19.5:9", "9:20", "20:9", "9:21"),
    *("21:9", "auto"),
)
_WORDS: dict[str, tuple[str, ...]] = {
    "aspect_ratio": _SHAPES,
    "background": ("auto", "transparent", "opaque"),
    "output_format": ("png", "jpeg", "webp"),
    "quality": ("auto", "low", "medium", "high", "xhigh", "max"),
    "resolution": tuple(_PIXELS),
}
_RANGES = {"n": (1, 10), "output_compression": (0, 100), "seed": (-(2**53), 2**53)}
_FIELDS = frozenset(
    ("model", "prompt", "size", "user", "session_id", "stream", "provider", *_WORDS, *_RANGES)
)
_SIZE = re.compile(r"([1-9]\d{1,4})x([1-9]\d{1,4})")
_STEP = 16


def directive_text(wanted: Json) -> str:
    """Give the text that may ask for faults."""
    prompt = wanted.get("prompt")
    return prompt if isinstance(prompt, str) else ""


def draw(wanted: Json, faults: Faults, digest: bytes) -> Json:
    """Answer one request; an error of a model that had begun is an answer too.

    Raises: RouterError for what OpenRouter refuses.
    """
    given = {name: value for name, value in wanted.items() if value is not None}
    _check(given)
    width, height = _size_of(given)
    if faults.refusal:
        raise asked_for(403, "moderation", "")
    if faults.content_filter:
        kind = {"error_type": "content_policy_violation"}
        return RouterError("The image was held back", status=400, metadata=kind).body
    if faults.error_event is not None:
        status = int(faults.code) if faults.code.isdigit() else 502
        return RouterError("Provider returned error", status=status).body
    form, count = given.get("output_format", "png"), given.get("n", 1)
    seed = str(given["seed"]) if "seed" in given else digest.hex()
    files = [picture(f"{seed}{index}", (width, height), form) for index in range(count)]
    items = [
        {"b64_json": b64encode(file).decode(), "media_type": MEDIA_TYPES[form]}
        for file in spoiled(files, faults.files)
    ]
    answer: Json = {"created": _EPOCH + digest[0], "data": items}
    if not faults.missing_usage:
        answer["usage"] = _usage(given, faults, count * _tokens(width, height))
    return answer


def _check(given: Json) -> None:
    unknown = given.keys() - _FIELDS
    if unknown:
        raise RouterError(f"Unrecognized key: {min(unknown)}")
    for name in ("prompt", "model"):
        if not isinstance(given.get(name), str) or not given[name]:
            raise RouterError(f"{name}: Invalid input: expected string")
    check_model(given["model"])
    for name, words in _WORDS.items():
        if given.get(name, words[0]) not in words:
            raise RouterError(f"{name}: Invalid option: expected one of {'|'.join(words)}")
    for name, (least, most) in _RANGES.items():
        value = given.get(name, least)
        if type(value) is not int or not least <= value <= most:
            raise RouterError(f"{name}: expected an integer from {least} to {most}")
    _check_together(given)


def _check_together(given: Json) -> None:
    """Refuse fields that are good alone and not with each other."""
    if given.get("n", 1) > 1 and not given["model"].startswith("openai/"):
        raise RouterError(f"{given['model']} does not support n > 1")
    if given.get("background") == "transparent" and given.get("output_format") == "jpeg":
        raise RouterError("background: transparent requires png or webp")


def _size_of(given: Json) -> tuple[int, int]:
    """Work out the pixels. Raises: RouterError for a size that contradicts the rest, or is none."""
    size = given.get("size", given.get("resolution", "1K"))
    pixels = _PIXELS.get(size) if isinstance(size, str) else None
    if pixels is None:
        return _explicit_size(given, str(size))
    if given.get("resolution", size) != size:
        raise RouterError("size: conflicts with resolution")
    shape = given.get("aspect_ratio", "auto")
    across, _, down = ("1:1" if shape == "auto" else shape).partition(":")
    ratio = float(across) / float(down)
    return _stepped(math.sqrt(pixels * ratio)), _stepped(math.sqrt(pixels / ratio))


def _explicit_size(given: Json, size: str) -> tuple[int, int]:
    found = _SIZE.fullmatch(size)
    if found is None:
        raise RouterError("size: expected a tier or WIDTHxHEIGHT")
    if "aspect_ratio" in given or "resolution" in given:
        raise RouterError("size: conflicts with aspect_ratio or resolution")
    if given["model"].startswith("openai/"):
        try:
            check_size(size)
        except WireError as error:
            raise RouterError(error.body["error"]["message"]) from None
    return int(found[1]), int(found[2])


def _stepped(side: float) -> int:
    return max(1, round(side / _STEP)) * _STEP


def _tokens(width: int, height: int) -> int:
    return -(-_TOKENS_PER_MEGAPIXEL * width * height // 1024**2)


def _usage(given: Json, faults: Faults, made: int) -> Json:
    """Count tokens and their cost, each token at the same price."""
    asked = count_tokens(DIRECTIVE.sub("", given["prompt"]))
    counts: Json = {
        "prompt_tokens": asked,
        "completion_tokens": made,
        "total_tokens": asked + made,
    }
    if faults.usage:
        wrong = wrong_count(faults.usage)
        return {**dict.fromkeys(counts, wrong), "cost": wrong}
    cost = Raw(str(_USD_PER_TOKEN * (asked + made)).encode())
    return {
        **counts,
        "completion_tokens_details": {"image_tokens": made, "reasoning_tokens": 0},
        "cost": cost,
        "is_byok": False,
        "cost_details": {
            "upstream_inference_cost": None,
            "upstream_inference_prompt_cost": 0,
            "upstream_inference_completions_cost": cost,
        },
    }

"""What the official Flux models take, and which inputs Replicate refuses, in its own words.

Source: github replicate/cog-flux @51e81e0 (schnell, dev); the version pages of flux-1.1-pro
(96ccd0e7) and flux-pro (2b8181d8) on replicate.com; refusals: replies of the live API (2025).
Stricter than it: an unknown field is refused, to show what a client must leave out.
"""

from types import MappingProxyType
from typing import Any

import msgspec

from sandbox.messages import Headers, Json

_OPEN_SIZES = MappingProxyType(
    {
        "1:1": (1024, 1024),
        "16:9": (1344, 768),
        "21:9": (1536, 640),
        "3:2": (1216, 832),
        "2:3": (832, 1216),
        "4:5": (896, 1088),
        "5:4": (1088, 896),
        "3:4": (896, 1152),
        "4:3": (1152, 896),
        "9:16": (768, 1344),
        "9:21": (640, 1536),
    }
)
_PRO_RATIOS = ["custom", "1:1", "16:9", "3:2", "2:3", "4:5", "5:4", "9:16", "3:4", "4:3"]
_FORMATS = ["webp", "jpg", "png"]


class Field(msgspec.Struct, frozen=True):
    """One field of a model's input: its type, its words or limits, and what it is if not given."""

    kind: str
    default: Any = None
    words: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None


def _number(default: float | None, least: float, most: float, kind: str = "integer") -> Field:
    return Field(kind, default, least=least, most=most)


def _words(default: str, words: list[str]) -> Field:
    return Field("string", default, words=tuple(words))


_SHARED = {
    "prompt": Field("string"),
    "seed": Field("integer"),
    "output_format": _words("webp", _FORMATS),
    "output_quality": _number(80, 0, 100),
}
_SCHNELL = {
    **_SHARED,
    "aspect_ratio": _words("1:1", list(_OPEN_SIZES)),
    "megapixels": _words("1", ["1", "0.25"]),
    "num_outputs": _number(1, 1, 4),
    "num_inference_steps": _number(4, 1, 4),
    "disable_safety_checker": Field("boolean", False),
    "go_fast": Field("boolean", True),
}
_DEV = {
    **_SCHNELL,
    "image": Field("string"),
    "prompt_strength": _number(0.8, 0, 1, "number"),
    "num_inference_steps": _number(28, 1, 50),
    "guidance": _number(3, 0, 10, "number"),
}
_PRO = {
    **_SHARED,
    "aspect_ratio": _words("1:1", _PRO_RATIOS),
    "image_prompt": Field("string"),
    "width": _number(None, 256, 1440),
    "height": _number(None, 256, 1440),
    "safety_tolerance": _number(2, 1, 6),
    "prompt_upsampling": Field("boolean", False),
}
_MODELS: MappingProxyType[str, dict[str, Field]] = MappingProxyType(
    {
        "black-forest-labs/flux-schnell": _SCHNELL,
        "black-forest-labs/flux-dev": _DEV,
        "black-forest-labs/flux-1.1-pro": _PRO,
        "black-forest-labs/flux-pro": {
            **_PRO,
            "steps": _number(25, 1, 50),
            "guidance": _number(3, 2, 5, "number"),
            "interval": _number(2, 1, 4, "number"),
        },
    }
)
_TYPES: MappingProxyType[str, tuple[type, ...]] = MappingProxyType(
    {"string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,)}
)
_NAMES = ((bool, "boolean"), (str, "string"), (int, "integer"), (float, "number"), (list, "array"))
_STEP_PX = 32


class ReplicateError(Exception):
    """An answer other than a success: a problem in the form of RFC 7807, as far as they use it."""

    def __init__(
        self,
        detail: str,
        *,
        status: int,
        title: str = "",
        invalid: list[Json] | None = None,
        headers: Headers | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.headers: Headers = headers or []
        self.body: Json = {"detail": detail, "status": status}
        if title:
            self.body["title"] = title
        if invalid:
            self.body["invalid_fields"] = invalid


def not_found() -> ReplicateError:
    """Make the answer about something that is not there, or another account's."""
    text = "The requested resource could not be found."
    return ReplicateError(text, status=404, title="Not found")


def refusal(problems: list[tuple[str, str, str]]) -> ReplicateError:
    """Make the refusal of a body: each problem is its kind, the field and what is said of it."""
    lines = [f"- {field}: {text}" if field else f"- {text}" for _, field, text in problems]
    invalid = [
        {"type": kind, "field": field, "description": text} for kind, field, text in problems
    ]
    detail = "\n".join(lines) + "\n"
    return ReplicateError(detail, status=422, title="Input validation failed", invalid=invalid)


def completed_input(model: str, given: Json) -> Json:
    """Check an input and fill in what it leaves out. Raises: ReplicateError."""
    fields = _MODELS.get(model)
    if fields is None:
        raise not_found()
    problems = [problem for name in given for problem in _problems(name, given[name], fields)]
    if "prompt" not in given:
        problems.insert(0, ("required", "input", "prompt is required"))
    if problems:
        raise refusal(problems)
    defaults = {name: field.default for name, field in fields.items() if field.default is not None}
    return {**defaults, **given}


def is_batch(model: str) -> bool:
    """Tell whether a model's output is a list; else it is one address."""
    return "num_outputs" in _MODELS[model]


def size_of(completed: Json) -> tuple[int, int]:
    """Give the pixels of the pictures that an input asks for."""
    if completed["aspect_ratio"] == "custom":
        wanted = (completed.get("width") or 1024, completed.get("height") or 1024)
        across, down = (max(round(side / _STEP_PX) * _STEP_PX, 256) for side in wanted)
        return across, down
    across, down = _OPEN_SIZES[completed["aspect_ratio"]]
    quarter = completed.get("megapixels") == "0.25"
    return (across // 2, down // 2) if quarter else (across, down)


def _problems(name: str, value: object, fields: dict[str, Field]) -> list[tuple[str, str, str]]:
    field, where = fields.get(name), f"input.{name}"
    if field is None:
        text = f"Additional property {name} is not allowed"
        return [("additional_property_not_allowed", "input", text)]
    odd = isinstance(value, bool) and field.kind != "boolean"
    if odd or not isinstance(value, _TYPES[field.kind]):
        text = f"Invalid type. Expected: {field.kind}, given: {_name_of(value)}"
        return [("invalid_type", where, text)]
    if field.words and value not in field.words:
        allowed = ", ".join(f'"{word}"' for word in field.words)
        return [("enum", where, f"{name} must be one of the following: {allowed}")]
    return _limits(where, value, field)


def _limits(where: str, value: object, field: Field) -> list[tuple[str, str, str]]:
    if not isinstance(value, int | float):
        return []
    if field.least is not None and value < field.least:
        return [("number_gte", where, f"Must be greater than or equal to {field.least}")]
    if field.most is not None and value > field.most:
        return [("number_lte", where, f"Must be less than or equal to {field.most}")]
    return []


def _name_of(value: object) -> str:
    if value is None:
        return "null"
    return next((name for kind, name in _NAMES if isinstance(value, kind)), "object")

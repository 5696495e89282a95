"""How an operation on pictures is described: once, for what is checked and for what is shown.

edits.py and controls.py hold the operations; a surface's body is checked against one of them, and
`shown_operations` is what callers may read of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from msgspec import Struct

from gateway.operations.image import ImageFormat
from gateway.operations.image_input import ImageInput
from gateway.providers.stability.form import LONGEST_PROMPT, MOST_BYTES, MOST_SEED, PRESETS
from gateway.providers.stability.limits import PictureLimits
from studio.core.errors import InvalidRequest

FILE_FORMATS: Mapping[str, ImageFormat] = MappingProxyType(
    {"png": "png", "jpg": "jpeg", "jpeg": "jpeg", "webp": "webp"}
)
"""What callers call a format, and its name."""
STYLE_PRESETS = tuple(sorted(PRESETS))
LONGEST_TEXT = LONGEST_PROMPT
LARGEST_SEED = MOST_SEED
MOST_SENT_BYTES = MOST_BYTES - 64 * 1024
"""How much the pictures of a request may have together; the rest is for its texts."""


class Field(Struct, frozen=True, kw_only=True):
    """Something an operation may use.

    `words` begin the sentence that it is missing; `names` are the body's fields, any of which gives
    it. Only what is `shown` is among the fields of the metadata.
    """

    words: str
    names: tuple[str, ...]
    shown: bool = True


class Between(Struct, frozen=True, kw_only=True):
    """The numbers that an option may have, whole ones alone if it is `whole`."""

    least: float
    most: float
    whole: bool = False

    def check(self, name: str, value: object) -> None:
        """Refuse another value. Raises: InvalidRequest."""
        if not self._holds(value):
            kind = "whole number" if self.whole else "number"
            raise refused(name, f"must be a {kind} from {self.least:g} to {self.most:g}.")

    def _holds(self, value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        if self.whole and not isinstance(value, int):
            return False
        return self.least <= value <= self.most


class Operation(Struct, frozen=True, kw_only=True):
    """One operation: what it is called, who does it, what it uses and what it cannot do without.

    `kind` is its name in the catalogue; `doing` ends the sentence that something is missing.
    `uses` and `required` name fields, `options` what its `options` may hold.
    """

    label: str
    description: str
    provider: str
    kind: str
    doing: str
    limits: PictureLimits
    uses: frozenset[str] = frozenset()
    required: tuple[str, ...] = ()
    options: Mapping[str, Between] = {}
    formats: tuple[ImageFormat, ...] = ("png", "jpeg", "webp")


Fields = Mapping[str, Field]
Operations = Mapping[str, Operation]


def shown_operations(operations: Operations, fields: Fields) -> dict[str, Any]:
    """Write the metadata of all operations: which fields each of them uses."""
    return {
        name: {
            "label": one.label,
            "description": one.description,
            "provider": one.provider,
            "fields": {field: field in one.uses for field, about in fields.items() if about.shown},
        }
        for name, one in operations.items()
    }


def find_operation(name: str | None, operations: Operations) -> Operation:
    """Give the operation of this name. Raises: InvalidRequest."""
    found = operations.get(name or "")
    if found is None:
        raise refused("operation", f"choose one of {', '.join(operations)}.")
    return found


def check_fields(name: str, operation: Operation, body: Struct, fields: Fields) -> None:
    """Refuse a body that lacks what its operation needs, or gives what it does not use.

    Null, zero and an empty text are not given. Raises: InvalidRequest.
    """
    for field, about in fields.items():
        given = [one for one in about.names if getattr(body, one)]
        if given and field not in operation.uses:
            raise refused(given[0], f"{name} does not use it.")
        if not given and field in operation.required:
            text = f"{about.words} is required for {operation.doing}"
            raise InvalidRequest(text, details={"param": about.names[0]})


def check_options(name: str, operation: Operation, options: Mapping[str, Any]) -> None:
    """Refuse options that an operation does not have. Raises: InvalidRequest."""
    for option, value in options.items():
        between = operation.options.get(option)
        if between is None:
            known = ", ".join(operation.options) or "none"
            raise refused(f"options.{option}", f"{name} does not have it; it has: {known}.")
        between.check(f"options.{option}", value)


def format_named(name: str | None, operation: str, formats: Sequence[ImageFormat]) -> ImageFormat:
    """Give the format of this name, png where none is. Raises: InvalidRequest."""
    found = FILE_FORMATS.get((name or "png").lower())
    if found is None or found not in formats:
        raise refused("output_format", f"{operation} gives {', '.join(formats)}.")
    return found


def check_picture(picture: ImageInput, limits: PictureLimits, *, field: str) -> None:
    """Refuse a picture that the provider does not work on. Raises: InvalidRequest."""
    problem = limits.problem_of(picture.width, picture.height)
    if problem is not None:
        raise refused(field, f"{problem}; it has {picture.width}x{picture.height}.")


def check_choice(field: str, value: str | None, known: Iterable[str]) -> None:
    """Refuse a word that is not among those known. Raises: InvalidRequest."""
    words = tuple(known)
    if value and value not in words:
        raise refused(field, f"choose one of {', '.join(words)}.")


def refused(field: str, why: str) -> InvalidRequest:
    """Make the error that a field is wrong."""
    return InvalidRequest(f"{field}: {why}", details={"param": field})

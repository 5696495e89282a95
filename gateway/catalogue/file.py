"""Reading and checking model-catalog.json. Pure: no database."""

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import msgspec

CATALOGUE_FILE = Path(__file__).with_name("model-catalog.json")
CHANNELS = ("stable", "experimental", "fast", "quality")
ORDERS = ("listed", "weighted", "cheapest", "fastest")
MOST_PATIENCE_MS = 600_000
OPERATIONS_OF_JOBS = ("image", "image_edit", "image_upscale", "image_control", "image_fit", "music")
"""Operations whose models may be called by another name upstream."""


class CatalogueFileInvalid(Exception):
    """The file contradicts itself or its form. Nothing was written."""


class FileModel(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The facts of one model, under the key `provider:name`.

    `upstream_model` is the provider's own id where the name is only ours: a name that callers and
    the price book know, kept alive by another model.
    """

    operation: str
    upstream_model: str = ""
    context_tokens: int = 0
    max_output_tokens: int = 0
    image_tokens: int = 0
    capabilities: list[str] = []
    drop_parameters: list[str] = []
    sunset_on: date | None = None
    successor: str | None = None
    source: str


class FileRoute(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """One model of a kind. In the file it may be written as the model's key alone."""

    model: str
    weight: int = 1


class FileKind(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A kind whose routes are not simply tried as listed.

    `order` is one of `ORDERS`; `patience_ms` is how long an attempt may be silent before its first
    byte while another route is left, 0 for what is usual.
    """

    order: str = "listed"
    patience_ms: int = 0
    routes: list[str | FileRoute]


class CatalogueFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The file: models by key, channel → kind → routes, alias → kind or model key.

    A kind may be written as the list of its routes alone.
    """

    about: str
    models: dict[str, FileModel]
    channels: dict[str, dict[str, list[str | FileRoute] | FileKind]]
    aliases: dict[str, str]

    def routes(self) -> Iterator[tuple[str, str, int, FileRoute]]:
        """Give every route: channel, kind, position, route."""
        for channel, name, kind in self.kinds():
            for position, route in enumerate(kind.routes):
                whole = FileRoute(model=route) if isinstance(route, str) else route
                yield channel, name, position, whole

    def kinds(self) -> Iterator[tuple[str, str, FileKind]]:
        """Give every kind of every channel: channel, name, kind."""
        for channel, kinds in self.channels.items():
            for name, kind in kinds.items():
                whole = FileKind(routes=kind) if isinstance(kind, list) else kind
                yield channel, name, whole


def read_catalogue_file(path: Path = CATALOGUE_FILE) -> CatalogueFile:
    """Read the file and check that everything it names exists.

    Raises: CatalogueFileInvalid, with every contradiction found, one a line.
    """
    try:
        document = json.loads(path.read_bytes(), object_pairs_hook=_without_repetition)
        file = msgspec.convert(document, CatalogueFile)
    except (OSError, ValueError) as error:
        raise CatalogueFileInvalid(f"{path.name}: {error}") from error
    problems = [
        *_model_problems(file),
        *_channel_problems(file),
        *_route_problems(file),
        *_alias_problems(file),
    ]
    if problems:
        raise CatalogueFileInvalid("\n".join(f"{path.name}: {problem}" for problem in problems))
    return file


def successors_first(models: dict[str, FileModel]) -> list[str]:
    """Order the models' keys so that each comes after its successor."""
    ordered: dict[str, None] = {}
    for key in models:
        chain = [key]
        while (successor := models[chain[-1]].successor) is not None and successor not in ordered:
            chain.append(successor)
        ordered.update(dict.fromkeys(reversed(chain)))
    return list(ordered)


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} is there twice")
    return document


def _model_problems(file: CatalogueFile) -> Iterator[str]:
    for key, model in file.models.items():
        provider, _, name = key.partition(":")
        if not provider or not name:
            yield f"model {key!r} is not written provider:name"
        if model.operation == "chat" and not (model.context_tokens and model.max_output_tokens):
            yield f"model {key} needs context_tokens and max_output_tokens"
        if model.upstream_model and model.operation not in OPERATIONS_OF_JOBS:
            yield f"model {key} is called by its own name: it is for {model.operation}"
        if (model.sunset_on is None) != (model.successor is None):
            yield f"model {key} needs both sunset_on and successor, or neither"
        yield from _successor_problems(file, key, model)


def _successor_problems(file: CatalogueFile, key: str, model: FileModel) -> Iterator[str]:
    seen = [key]
    while model.successor is not None:
        successor = file.models.get(model.successor)
        if successor is None:
            yield f"model {seen[-1]} names the successor {model.successor}, which is not there"
            return
        if successor.operation != model.operation:
            yield f"model {seen[-1]} is for {model.operation}, its successor is not"
        if model.successor in seen:
            yield f"model {key} has successors in a circle"
            return
        seen.append(model.successor)
        model = successor


def _channel_problems(file: CatalogueFile) -> Iterator[str]:
    if unknown := file.channels.keys() - set(CHANNELS):
        yield f"there are no channels {', '.join(sorted(unknown))}"
    stable = file.channels.get("stable", {})
    for channel, name, kind in file.kinds():
        if not kind.routes:
            yield f"kind {name} has no route in channel {channel}"
        if name not in stable:
            yield f"kind {name} is not in channel stable"
        if kind.order not in ORDERS:
            yield f"kind {name} has the order {kind.order}, which is none of {', '.join(ORDERS)}"
        if not 0 <= kind.patience_ms <= MOST_PATIENCE_MS:
            yield f"kind {name} has a patience that is not 0 to {MOST_PATIENCE_MS} ms"


def _route_problems(file: CatalogueFile) -> Iterator[str]:
    operations: dict[str, str] = {}
    places: set[tuple[str, str, str]] = set()
    for channel, kind, _, route in file.routes():
        model = file.models.get(route.model)
        if model is None:
            yield f"kind {kind} names the model {route.model}, which is not there"
        elif operations.setdefault(kind, model.operation) != model.operation:
            yield f"kind {kind} is for {operations[kind]}, and {route.model} is not"
        if (channel, kind, route.model) in places:
            yield f"kind {kind} names {route.model} twice in channel {channel}"
        places.add((channel, kind, route.model))
        if route.weight < 1:
            yield f"kind {kind} gives {route.model} a weight below 1"


def _alias_problems(file: CatalogueFile) -> Iterator[str]:
    kinds = file.channels.get("stable", {})
    names = {key.partition(":")[2] for key in file.models}
    for alias, target in file.aliases.items():
        if alias in kinds or alias in names:
            yield f"alias {alias} is the name of a kind or of a model"
        if target not in kinds and target not in file.models:
            yield f"alias {alias} leads to {target}, which is neither a kind of stable nor a model"

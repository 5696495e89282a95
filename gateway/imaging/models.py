"""The models that make Image Studio's pictures, by the names of its API (models.json)."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import msgspec

Level = Literal["draft", "standard", "premium"]
LEVELS: tuple[Level, ...] = ("draft", "standard", "premium")
"""What a caller may ask for as quality, the cheapest first."""

_FILE = Path(__file__).with_name("models.json")


class ImageModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model: `key` is the catalogue's (`provider:name`), `name` the API's.

    `pixels` is the most it draws, `shapes` the ratios of sides it knows, none for any.
    """

    key: str
    name: str
    families: tuple[str, ...]
    level: Level
    pixels: int
    shapes: tuple[str, ...] = ()
    source: str

    @property
    def provider(self) -> str:
        """The slug of its provider."""
        return self.key.partition(":")[0]

    @property
    def catalogue_name(self) -> str:
        """Its name in the catalogue and the price book."""
        return self.key.partition(":")[2]


class ImageProvider(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One provider as callers are told of it."""

    slug: str
    name: str
    max_resolution: str


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    about: str
    providers: tuple[ImageProvider, ...]
    models: tuple[ImageModel, ...]


_READ = msgspec.json.decode(_FILE.read_bytes(), type=_File)
MODELS = _READ.models
PROVIDERS: Mapping[str, ImageProvider] = MappingProxyType(
    {provider.slug: provider for provider in _READ.providers}
)
_SHOWN = {(model.provider, model.catalogue_name): model.name for model in MODELS}


def models_of(provider: str) -> tuple[ImageModel, ...]:
    """Give the models of a provider, as listed; of all where the provider is `auto`."""
    return tuple(model for model in MODELS if provider in ("auto", model.provider))


def find_model(name: str) -> ImageModel | None:
    """Find a model by its name here, or by the catalogue's with or without its provider."""
    for model in MODELS:
        if name in (model.name, model.key, model.catalogue_name):
            return model
    return None


def shown_name(provider: str, model: str) -> str:
    """Give the name that callers know for a model of the catalogue."""
    return _SHOWN.get((provider, model), model)

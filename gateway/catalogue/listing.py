"""The body of GET /v1/models: the studio catalogue and OpenAI's list in one object."""

from collections.abc import Callable

import msgspec

from gateway.catalogue.snapshot import CatalogueSnapshot, Resolution, Route


class KindEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What answers a kind; not `available` without a price or a provider that we reach."""

    provider: str
    model: str
    available: bool


class DeprecatedEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A kind or a model whose model was or will be switched off on `date`."""

    kind: str = ""
    channel: str = ""
    model: str
    date: str
    replacement: str


class OpenAIModel(msgspec.Struct, frozen=True, kw_only=True):
    """One entry as OpenAI's SDKs read it.

    Source: OpenAI's OpenAPI 2.3.0 (August 2026), schema Model.
    """

    id: str
    object: str = "model"
    created: int
    owned_by: str
    shutdown_date: str | None = None


class ModelList(msgspec.Struct, frozen=True, kw_only=True):
    """The whole answer."""

    object: str = "list"
    data: list[OpenAIModel]
    channels: dict[str, dict[str, KindEntry]]
    deprecated: list[DeprecatedEntry]


def list_models(catalogue: CatalogueSnapshot, can_call: Callable[[Route], bool]) -> ModelList:
    """List every kind of every channel, and for OpenAI's clients every name that can be called now.

    `can_call` tells whether a route has a price and a provider that this installation reaches.
    """
    return ModelList(
        data=[*openai_models(catalogue, can_call).values()],
        channels={
            channel: {
                kind: _kind_entry(table.kinds[kind], can_call) for kind in sorted(table.kinds)
            }
            for channel, table in catalogue.channels.items()
        },
        deprecated=_deprecated(catalogue),
    )


def openai_models(
    catalogue: CatalogueSnapshot, can_call: Callable[[Route], bool]
) -> dict[str, OpenAIModel]:
    """Give what can be called now in stable, by name: kinds, aliases and model ids."""
    added = {(model.provider, model.name): model.added_at for model in catalogue.models}
    stable = catalogue.channels["stable"]
    own_names = {model.name for model in catalogue.models}
    entries: dict[str, OpenAIModel] = {}
    for name, resolution in sorted(stable.names.items()):
        route = next(filter(can_call, resolution.routes), None)
        if route is None:
            continue
        deprecation = resolution.deprecation
        entries[name] = OpenAIModel(
            id=name,
            created=int(added[route.provider, route.model].timestamp()),
            owned_by=route.provider if name in own_names else "studio",
            shutdown_date=deprecation.on.isoformat() if deprecation else None,
        )
    return entries


def _kind_entry(resolution: Resolution, can_call: Callable[[Route], bool]) -> KindEntry:
    callable_route = next(filter(can_call, resolution.routes), None)
    route = callable_route or resolution.routes[0]
    available = callable_route is not None
    return KindEntry(provider=route.provider, model=route.model, available=available)


def _deprecated(catalogue: CatalogueSnapshot) -> list[DeprecatedEntry]:
    """List the kinds, a channel's own where it differs from stable, then the model ids."""
    entries: list[DeprecatedEntry] = []
    stable = catalogue.channels["stable"].kinds
    for channel, table in catalogue.channels.items():
        for kind, resolution in sorted(table.kinds.items()):
            entry = _deprecated_entry(resolution, kind=kind, channel=channel)
            inherited = channel != "stable" and stable[kind].deprecation == resolution.deprecation
            if entry is not None and not inherited:
                entries.append(entry)
    for name, resolution in sorted(catalogue.channels["stable"].names.items()):
        entry = _deprecated_entry(resolution)
        if entry is not None and entry.model == name:
            entries.append(entry)
    return entries


def _deprecated_entry(
    resolution: Resolution, *, kind: str = "", channel: str = ""
) -> DeprecatedEntry | None:
    noted = resolution.deprecation
    if noted is None:
        return None
    return DeprecatedEntry(
        kind=kind,
        channel=channel,
        model=noted.model,
        date=noted.on.isoformat(),
        replacement=noted.replacement,
    )

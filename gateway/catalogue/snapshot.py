"""The whole catalogue in memory, immutable: what a call looks up instead of the database.

Everything is worked out when it is built: for each channel, each name a caller may use, the routes
it leads to today.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime

import msgspec
from django.db import connection

from gateway.catalogue.errors import UnknownChannel, UnknownKind, WrongOperation
from gateway.catalogue.file import CHANNELS

_CHANNEL_ALIASES = {"beta": "experimental"}
_LONGEST_NAME_SHOWN = 200

_READ_ALL = """
SELECT jsonb_build_object(
  'today', (now() AT TIME ZONE 'UTC')::date,
  'models', (SELECT coalesce(jsonb_agg(to_jsonb(m) ORDER BY m.id), '[]')
               FROM gateway_cataloguemodel m WHERE m.enabled),
  'routes', (SELECT coalesce(jsonb_agg(to_jsonb(r) ORDER BY r.channel, r.kind, r.position), '[]')
               FROM gateway_kindroute r WHERE r.enabled),
  'policies', (SELECT coalesce(jsonb_agg(to_jsonb(p)), '[]') FROM gateway_kindpolicy p
                WHERE p.enabled),
  'aliases', (SELECT coalesce(jsonb_object_agg(a.name, a.target), '{}') FROM gateway_alias a
               WHERE a.enabled))::text
"""
"""One statement, so that a change under way is seen whole or not at all."""

_READ_REVISION = """
SELECT revision + coalesce((SELECT max(version) FROM billing_pricebook), 0)
       + ((now() AT TIME ZONE 'UTC')::date - date '2026-01-01')
  FROM gateway_cataloguerevision
"""
"""Each part only ever grows. The day is one of them because sunset dates pass at midnight UTC."""


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One model to call, with the facts that calling it takes.

    `model` is the name it is priced and recorded by, `upstream_model` the provider's own id of it:
    the same but for names that are only ours.
    """

    provider: str
    model: str
    operation: str
    context_tokens: int
    max_output_tokens: int
    image_tokens: int
    capabilities: tuple[str, ...]
    drop_parameters: tuple[str, ...]
    weight: int = 1
    upstream_model: str = ""


class Deprecation(msgspec.Struct, frozen=True, kw_only=True):
    """A model that was or will be switched off, and what answers from that day on."""

    model: str
    on: date
    replacement: str


class Resolution(msgspec.Struct, frozen=True, kw_only=True):
    """What a name leads to today: at least one route, the first preferred if `order` is `listed`.

    `asked` is the name the caller used; `kind` the kind it stands for, or the operation where a
    model was named. `order` is one of `file.ORDERS`; `patience_ms` is how long a route may be
    silent while another is left, 0 for what is usual.
    """

    asked: str
    kind: str
    channel: str
    routes: tuple[Route, ...]
    deprecation: Deprecation | None
    order: str = "listed"
    patience_ms: int = 0

    def deprecation_header(self) -> str:
        """Give the value of a Deprecation header, empty if nothing is deprecated.

        Source: RFC 9745 (March 2025), 2.1: a structured date; the parameters are ours.
        """
        noted = self.deprecation
        if noted is None:
            return ""
        midnight = datetime(noted.on.year, noted.on.month, noted.on.day, tzinfo=UTC)
        seconds = int(midnight.timestamp())
        return f'@{seconds};model="{noted.model}";replacement="{noted.replacement}"'


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """One model as the catalogue's table has it."""

    id: int
    provider: str
    name: str
    operation: str
    context_tokens: int
    max_output_tokens: int
    image_tokens: int
    capabilities: tuple[str, ...]
    drop_parameters: tuple[str, ...]
    upstream_model: str
    sunset_on: date | None
    successor_id: int | None
    added_at: datetime


class _RouteRow(msgspec.Struct, frozen=True):
    channel: str
    kind: str
    model_id: int
    weight: int


class _PolicyRow(msgspec.Struct, frozen=True):
    channel: str = ""
    kind: str = ""
    order: str = "listed"
    patience_ms: int = 0


_AS_LISTED = _PolicyRow()


class _Document(msgspec.Struct, frozen=True):
    today: date
    models: list[Model]
    routes: list[_RouteRow]
    policies: list[_PolicyRow]
    aliases: dict[str, str]


class ChannelTable(msgspec.Struct, frozen=True):
    """What each name leads to in one channel, stable's answers filled in.

    `names` holds kinds, aliases and model ids, `keys` models by `provider:model`.
    """

    kinds: dict[str, Resolution]
    names: dict[str, Resolution]
    keys: dict[str, Resolution]


class CatalogueSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The catalogue as of `today` (UTC)."""

    today: date
    channels: dict[str, ChannelTable]
    models: tuple[Model, ...]

    def channel(self, name: str) -> str:
        """Give the channel that a name stands for (`beta` is experimental).

        Raises: UnknownChannel.
        """
        channel = _CHANNEL_ALIASES.get(name, name)
        if channel not in self.channels:
            known = ", ".join(self.channels)
            raise UnknownChannel(f"Unknown x-model-channel: choose one of {known}.")
        return channel

    def resolve(
        self, *, kind: str | None, model: str | None, channel: str, operation: str = "chat"
    ) -> Resolution:
        """Find what answers a kind, or else a model (a kind, an alias or a provider's id).

        Raises: UnknownKind, UnknownChannel, WrongOperation.
        """
        channel = self.channel(channel)
        table = self.channels[channel]
        if kind or not model:
            asked = kind or f"{operation}.default"
            found = table.kinds.get(asked)
        else:
            asked = model
            found = table.names.get(model)
        return _checked(found, asked=asked, channel=channel, operation=operation)

    def resolve_model(self, name: str, *, channel: str, operation: str) -> Resolution:
        """Find a model by `provider:model`, or by any name that `resolve` knows.

        Raises: UnknownKind, UnknownChannel, WrongOperation.
        """
        channel = self.channel(channel)
        table = self.channels[channel]
        found = table.keys.get(name) or table.names.get(name)
        return _checked(found, asked=name, channel=channel, operation=operation)


def _checked(found: Resolution | None, *, asked: str, channel: str, operation: str) -> Resolution:
    if found is None:
        raise UnknownKind(
            f'Model kind "{asked[:_LONGEST_NAME_SHOWN]}" not found in channel "{channel}" '
            "or stable fallback"
        )
    if found.routes[0].operation != operation:
        raise WrongOperation(f'"{asked}" is for {found.routes[0].operation}, not {operation}.')
    return found


def read_revision() -> int:
    """Read a number that is higher after every change of catalogue or prices and every midnight.

    One cheap query.
    """
    with connection.cursor() as cursor:
        cursor.execute(_READ_REVISION)
        [(revision,)] = cursor.fetchall()
    return int(revision)


def load_catalogue_snapshot() -> CatalogueSnapshot:
    """Read the whole catalogue in one query."""
    with connection.cursor() as cursor:
        cursor.execute(_READ_ALL)
        [(document,)] = cursor.fetchall()
    return _build(msgspec.json.decode(document, type=_Document))


def _build(document: _Document) -> CatalogueSnapshot:
    models = {model.id: model for model in document.models}
    builder = _Builder(models, document)
    return CatalogueSnapshot(
        today=document.today,
        channels={channel: builder.table(channel) for channel in CHANNELS},
        models=tuple(document.models),
    )


class _Builder:
    """The tables read so far, while the snapshot is put together."""

    def __init__(self, models: dict[int, Model], document: _Document) -> None:
        self._models = models
        self._today = document.today
        self._aliases = document.aliases
        self._routes: dict[str, dict[str, list[_RouteRow]]] = {}
        for row in document.routes:
            self._routes.setdefault(row.channel, {}).setdefault(row.kind, []).append(row)
        self._policies = {(row.channel, row.kind): row for row in document.policies}

    def table(self, channel: str) -> ChannelTable:
        """Work out one channel."""
        kinds: dict[str, Resolution] = {}
        for source in ("stable", channel):
            for kind, rows in self._routes.get(source, {}).items():
                named = [(self._models.get(row.model_id), row.weight) for row in rows]
                resolution = self._resolution(kind, kind, channel, named)
                if resolution is not None:
                    policy = self._policies.get((source, kind), _AS_LISTED)
                    kinds[kind] = msgspec.structs.replace(
                        resolution, order=policy.order, patience_ms=policy.patience_ms
                    )
        names: dict[str, Resolution] = {}
        by_key: dict[str, Resolution] = {}
        for model in self._models.values():
            resolution = self._resolution(model.name, model.operation, channel, [(model, 1)])
            if resolution is not None:
                by_key[f"{model.provider}:{model.name}"] = resolution
                names.setdefault(model.name, resolution)
        for alias, target in self._aliases.items():
            found = kinds.get(target) or by_key.get(target)
            if found is not None:
                names[alias] = msgspec.structs.replace(found, asked=alias)
        return ChannelTable(kinds, {**names, **kinds}, by_key)

    def _resolution(
        self, asked: str, kind: str, channel: str, named: Iterable[tuple[Model | None, int]]
    ) -> Resolution | None:
        """Give what these models lead to today; None if nothing they lead to is in service."""
        routes: list[Route] = []
        deprecation = None
        for model, weight in named:
            current = self._current(model)
            if model is None or current is None:
                continue
            if not routes:
                deprecation = self._deprecation(model)
            route = _route(current, weight)
            if route not in routes:  # two models may have one successor
                routes.append(route)
        if not routes:
            return None
        return Resolution(
            asked=asked, kind=kind, channel=channel, routes=tuple(routes), deprecation=deprecation
        )

    def _current(self, model: Model | None) -> Model | None:
        """Follow the successors of a retired model. They end: the services refuse circles."""
        while model is not None and model.sunset_on is not None and model.sunset_on <= self._today:
            model = self._successor(model)
        return model

    def _successor(self, model: Model) -> Model | None:
        return None if model.successor_id is None else self._models.get(model.successor_id)

    def _deprecation(self, model: Model) -> Deprecation | None:
        if model.sunset_on is None:
            return None
        replacement = self._current(self._successor(model))
        if replacement is None:
            return None
        return Deprecation(model=model.name, on=model.sunset_on, replacement=replacement.name)


def _route(model: Model, weight: int) -> Route:
    return Route(
        provider=model.provider,
        model=model.name,
        operation=model.operation,
        context_tokens=model.context_tokens,
        max_output_tokens=model.max_output_tokens,
        image_tokens=model.image_tokens,
        capabilities=model.capabilities,
        drop_parameters=model.drop_parameters,
        weight=weight,
        upstream_model=model.upstream_model or model.name,
    )

"""model-catalog.json into the database: adds, changes and removes rows, but none of staff's."""

from pathlib import Path
from typing import Any, TypeVar

import msgspec
from django.db import transaction
from django.db.models import Q

from gateway.catalogue.file import (
    CATALOGUE_FILE,
    CatalogueFile,
    FileKind,
    read_catalogue_file,
    successors_first,
)
from gateway.catalogue.services import delete_row, lock_catalogue, save_row
from gateway.models.catalogue import Alias, CatalogueModel, CatalogueRow, KindPolicy, KindRoute

_Row = TypeVar("_Row", bound=CatalogueRow)


class LoadedCatalogue(msgspec.Struct, frozen=True, kw_only=True):
    """What loading came to: rows written, rows removed, and rows left alone as staff's."""

    written: int
    removed: int
    kept: int


class _Loading:
    """One loading under way: who, and what it came to so far."""

    def __init__(self, actor: str) -> None:
        self.actor = actor
        self.written = self.removed = self.kept = 0

    def write(self, row: CatalogueRow, values: dict[str, Any]) -> None:
        """Give the row the file's values unless it is staff's or says so already."""
        if row.edited_by_staff:
            self.kept += 1
            return
        if row.pk is not None and all(getattr(row, name) == values[name] for name in values):
            return
        for name, value in values.items():
            setattr(row, name, value)
        self.written += save_row(row, actor=self.actor, by_staff=False)

    def remove(self, row: CatalogueRow) -> None:
        """Remove a row the file no longer has, unless it is staff's."""
        if row.edited_by_staff:
            self.kept += 1
            return
        delete_row(row, actor=self.actor)
        self.removed += 1


def load_catalogue(
    path: Path = CATALOGUE_FILE, *, actor: str = "load_catalogue"
) -> LoadedCatalogue:
    """Make the database say what the file says. Safe to repeat: equal rows are not touched.

    Raises: CatalogueFileInvalid, with nothing written; ValidationError where the file
    contradicts a row of staff's, with nothing written.
    """
    file = read_catalogue_file(path)
    loading = _Loading(actor)
    with transaction.atomic():
        lock_catalogue()
        stored_models = {str(model): model for model in CatalogueModel.objects.all()}
        models = _load_models(file, stored_models, loading)
        _load_routes(file, models, loading)
        _load_policies(file, loading)
        _load_aliases(file, loading)
        _remove_models(file, loading)
    return LoadedCatalogue(written=loading.written, removed=loading.removed, kept=loading.kept)


def _load_models(
    file: CatalogueFile, stored: dict[str, CatalogueModel], loading: _Loading
) -> dict[str, CatalogueModel]:
    models: dict[str, CatalogueModel] = {}
    for key in successors_first(file.models):
        facts = file.models[key]
        provider, _, name = key.partition(":")
        model = stored.get(key) or CatalogueModel(provider=provider, name=name)
        values = msgspec.structs.asdict(facts)
        values["successor"] = models[facts.successor] if facts.successor else None
        loading.write(model, {**values, "enabled": True})
        models[key] = model
    return models


def _load_routes(file: CatalogueFile, models: dict[str, CatalogueModel], loading: _Loading) -> None:
    routes = KindRoute.objects.select_related("model")
    stored = {(route.channel, route.kind, route.position): route for route in routes}
    for channel, kind, position, wanted in file.routes():
        route = stored.pop((channel, kind, position), None)
        route = route or KindRoute(channel=channel, kind=kind, position=position)
        values = {"model": models[wanted.model], "weight": wanted.weight, "enabled": True}
        loading.write(route, values)
    for route in stored.values():
        loading.remove(route)


def _load_policies(file: CatalogueFile, loading: _Loading) -> None:
    stored = {(policy.channel, policy.kind): policy for policy in KindPolicy.objects.all()}
    for channel, name, kind in file.kinds():
        if kind == FileKind(routes=kind.routes):
            continue  # as listed: that takes no row
        policy = stored.pop((channel, name), None) or KindPolicy(channel=channel, kind=name)
        values = {"order": kind.order, "patience_ms": kind.patience_ms, "enabled": True}
        loading.write(policy, values)
    for policy in stored.values():
        loading.remove(policy)


def _load_aliases(file: CatalogueFile, loading: _Loading) -> None:
    stored = {alias.name: alias for alias in Alias.objects.all()}
    for name, target in file.aliases.items():
        alias = stored.pop(name, None) or Alias(name=name)
        loading.write(alias, {"target": target, "enabled": True})
    for alias in stored.values():
        loading.remove(alias)


def _remove_models(file: CatalogueFile, loading: _Loading) -> None:
    """Remove what the file no longer has and nothing leads to, predecessors before successors."""
    while True:
        unused = CatalogueModel.objects.filter(
            Q(routes=None) & Q(predecessors=None), edited_by_staff=False
        )
        gone = [model for model in unused if str(model) not in file.models]
        if not gone:
            return
        for model in gone:
            loading.remove(model)

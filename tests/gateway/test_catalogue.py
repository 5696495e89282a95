"""The catalogue in the database and in memory: loading, resolving, retiring, history."""

import copy
import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import Error, connection, transaction
from pytest_django import DjangoAssertNumQueries

from billing.price_books import load_prices
from gateway.catalogue.errors import UnknownChannel, UnknownKind, WrongOperation
from gateway.catalogue.listing import list_models, openai_models
from gateway.catalogue.loader import load_catalogue
from gateway.catalogue.services import delete_row, hand_back, save_row
from gateway.catalogue.snapshot import (
    CatalogueSnapshot,
    Route,
    load_catalogue_snapshot,
    read_revision,
)
from gateway.models import Alias, CatalogueChange, CatalogueModel, KindRoute

pytestmark = pytest.mark.django_db

TODAY = datetime.now(UTC).date()
CHAT = {"operation": "chat", "context_tokens": 1000, "max_output_tokens": 100, "source": "here"}
SMALL: dict[str, Any] = {
    "about": "a small catalogue",
    "models": {
        "openai:oldest": {**CHAT, "sunset_on": "2026-01-01", "successor": "openai:old"},
        "openai:old": {**CHAT, "sunset_on": "2026-01-02", "successor": "openai:new"},
        "openai:ending": {**CHAT, "sunset_on": "2999-12-31", "successor": "openai:new"},
        "openai:new": {**CHAT, "image_tokens": 7, "drop_parameters": ["temperature"]},
        "openai:small": CHAT,
        "replicate:picture": {"operation": "image", "source": "here"},
    },
    "channels": {
        "stable": {
            "chat.default": ["openai:new", "openai:small"],
            "chat.old": ["openai:oldest"],
            "chat.ending": ["openai:ending"],
            "image.default": ["replicate:picture"],
        },
        "fast": {"chat.default": ["openai:small"]},
    },
    "aliases": {"house": "chat.default", "smaller": "openai:small"},
}
Load = Callable[[dict[str, Any]], CatalogueSnapshot]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def loader(document: dict[str, Any]) -> CatalogueSnapshot:
        path = tmp_path / "model-catalog.json"
        path.write_text(json.dumps(document))
        load_catalogue(path, actor="tests")
        return load_catalogue_snapshot()

    return loader


@pytest.fixture
def catalogue(load: Load) -> CatalogueSnapshot:
    return load(SMALL)


def models_of(catalogue: CatalogueSnapshot, kind: str, channel: str = "stable") -> list[str]:
    routes = catalogue.resolve(kind=kind, model=None, channel=channel).routes
    return [route.model for route in routes]


def test_a_kind_gives_its_models_in_order_with_their_facts(catalogue: CatalogueSnapshot) -> None:
    resolution = catalogue.resolve(kind="chat.default", model=None, channel="stable")
    assert [route.model for route in resolution.routes] == ["new", "small"]
    assert resolution.routes[0] == Route(
        provider="openai",
        model="new",
        operation="chat",
        context_tokens=1000,
        max_output_tokens=100,
        image_tokens=7,
        capabilities=(),
        drop_parameters=("temperature",),
        upstream_model="new",
    )
    assert resolution.deprecation is None
    assert resolution.deprecation_header() == ""


def test_a_channel_answers_by_its_own_model_and_else_by_stable(
    catalogue: CatalogueSnapshot,
) -> None:
    assert models_of(catalogue, "chat.default", "fast") == ["small"]
    assert models_of(catalogue, "chat.ending", "fast") == ["ending"]
    assert catalogue.resolve(kind="chat.ending", model=None, channel="fast").channel == "fast"


def test_beta_is_experimental_and_other_channels_are_refused(catalogue: CatalogueSnapshot) -> None:
    assert catalogue.channel("beta") == "experimental"
    resolution = catalogue.resolve(kind=None, model=None, channel="beta")
    assert resolution.channel == "experimental"
    for name in ("", "Stable", "nightly"):
        with pytest.raises(UnknownChannel) as refusal:
            catalogue.channel(name)
        assert refusal.value.status == 400


@pytest.mark.parametrize(("kind", "model"), [("invalid", None), (None, "invalid")])
def test_an_unknown_name_is_refused_with_the_guides_text(
    catalogue: CatalogueSnapshot, kind: str | None, model: str | None
) -> None:
    with pytest.raises(UnknownKind) as refusal:
        catalogue.resolve(kind=kind, model=model, channel="stable")
    assert refusal.value.message == (
        'Model kind "invalid" not found in channel "stable" or stable fallback'
    )
    assert (refusal.value.code, refusal.value.status) == ("model_not_found", 500)


def test_an_endless_name_is_not_repeated_in_full(catalogue: CatalogueSnapshot) -> None:
    with pytest.raises(UnknownKind) as refusal:
        catalogue.resolve(kind="x" * 10**6, model=None, channel="stable")
    assert len(refusal.value.message) < 300


def test_neither_kind_nor_model_is_the_default_of_the_operation(
    catalogue: CatalogueSnapshot,
) -> None:
    for nothing in (None, ""):
        resolution = catalogue.resolve(kind=nothing, model=nothing, channel="stable")
        assert (resolution.asked, resolution.kind) == ("chat.default", "chat.default")
    picture = catalogue.resolve(kind=None, model=None, channel="stable", operation="image")
    assert picture.kind == "image.default"


def test_a_model_may_be_a_kind_an_alias_or_a_providers_id(catalogue: CatalogueSnapshot) -> None:
    def found(model: str) -> tuple[str, str, str]:
        resolution = catalogue.resolve(kind=None, model=model, channel="stable")
        return resolution.asked, resolution.kind, resolution.routes[0].model

    assert found("chat.default") == ("chat.default", "chat.default", "new")
    assert found("house") == ("house", "chat.default", "new")
    assert found("smaller") == ("smaller", "chat", "small")
    assert found("small") == ("small", "chat", "small")


def test_a_kind_wins_over_a_model_and_must_be_a_kind(catalogue: CatalogueSnapshot) -> None:
    both = catalogue.resolve(kind="chat.ending", model="small", channel="stable")
    assert both.routes[0].model == "ending"
    with pytest.raises(UnknownKind):
        catalogue.resolve(kind="small", model=None, channel="stable")


def test_a_kind_of_another_operation_is_refused(catalogue: CatalogueSnapshot) -> None:
    with pytest.raises(WrongOperation, match="is for image, not chat"):
        catalogue.resolve(kind="image.default", model=None, channel="stable")


def test_a_retired_model_is_answered_by_the_last_of_its_successors(
    catalogue: CatalogueSnapshot,
) -> None:
    for kind, model in (("chat.old", None), (None, "oldest")):
        resolution = catalogue.resolve(kind=kind, model=model, channel="stable")
        assert resolution.routes[0].model == "new"
        noted = resolution.deprecation
        assert noted is not None
        assert (noted.model, noted.on, noted.replacement) == ("oldest", date(2026, 1, 1), "new")
        assert resolution.deprecation_header() == ('@1767225600;model="oldest";replacement="new"')


def test_a_model_that_ends_later_still_answers_and_says_when(catalogue: CatalogueSnapshot) -> None:
    resolution = catalogue.resolve(kind="chat.ending", model=None, channel="stable")
    assert resolution.routes[0].model == "ending"
    assert resolution.deprecation is not None
    assert resolution.deprecation.on == date(2999, 12, 31)


@pytest.mark.parametrize(("days", "answers"), [(0, "new"), (1, "ending")])
def test_the_successor_answers_from_the_day_itself(load: Load, days: int, answers: str) -> None:
    document = copy.deepcopy(SMALL)
    sunset = (TODAY + timedelta(days=days)).isoformat()
    document["models"]["openai:ending"]["sunset_on"] = sunset
    assert models_of(load(document), "chat.ending") == [answers]


def test_what_is_switched_off_does_not_answer(catalogue: CatalogueSnapshot) -> None:
    small = CatalogueModel.objects.get(name="small")
    small.enabled = False
    save_row(small, actor="ada", by_staff=True)
    after = load_catalogue_snapshot()
    assert models_of(after, "chat.default") == ["new"]
    assert models_of(after, "chat.default", "fast") == ["new"]
    with pytest.raises(UnknownKind):
        after.resolve(kind=None, model="smaller", channel="stable")
    assert models_of(catalogue, "chat.default", "fast") == ["small"]


def test_loading_again_changes_nothing(load: Load, tmp_path: Path) -> None:
    load(SMALL)
    revision, changes = read_revision(), CatalogueChange.objects.count()
    again = load_catalogue(tmp_path / "model-catalog.json")
    assert (again.written, again.removed, again.kept) == (0, 0, 0)
    assert (read_revision(), CatalogueChange.objects.count()) == (revision, changes)


def test_what_left_the_file_leaves_the_catalogue(load: Load) -> None:
    load(SMALL)
    document = copy.deepcopy(SMALL)
    for name in ("oldest", "old"):
        del document["models"][f"openai:{name}"]
    del document["channels"]["stable"]["chat.old"]
    del document["aliases"]["smaller"]
    after = load(document)
    assert not CatalogueModel.objects.filter(name__in=["old", "oldest"]).exists()
    assert not Alias.objects.filter(name="smaller").exists()
    with pytest.raises(UnknownKind):
        after.resolve(kind="chat.old", model=None, channel="stable")


def test_the_file_does_not_overwrite_what_staff_edited(load: Load, tmp_path: Path) -> None:
    load(SMALL)
    route = KindRoute.objects.get(channel="fast", kind="chat.default")
    route.model = CatalogueModel.objects.get(name="ending")
    save_row(route, actor="ada", by_staff=True)
    document = copy.deepcopy(SMALL)
    document["channels"]["fast"] = {}
    assert models_of(load(document), "chat.default", "fast") == ["ending"]
    assert load_catalogue(tmp_path / "model-catalog.json").kept == 1
    hand_back(route, actor="ada")
    assert models_of(load(document), "chat.default", "fast") == ["new", "small"]


def test_a_contradiction_in_the_file_writes_nothing(load: Load) -> None:
    load(SMALL)
    revision = read_revision()
    document = copy.deepcopy(SMALL)
    document["models"]["openai:another"] = CHAT
    document["aliases"]["house"] = "nowhere"
    with pytest.raises(Exception, match="leads to nowhere"):
        load(document)
    assert read_revision() == revision


def test_every_change_is_in_the_history_with_who_and_what(load: Load) -> None:
    load(SMALL)
    small = CatalogueModel.objects.get(name="small")
    small.max_output_tokens = 50
    save_row(small, actor="ada", by_staff=True)
    change = CatalogueChange.objects.get(row="openai:small", actor="ada")
    assert change.before is not None
    assert change.after is not None
    moved = {name for name in change.after if change.before[name] != change.after[name]}
    assert moved == {"max_output_tokens", "edited_by_staff"}
    alias = Alias.objects.get(name="house")
    delete_row(alias, actor="bob")
    gone = CatalogueChange.objects.get(row="house", actor="bob")
    assert gone.before == {
        "enabled": True,
        "edited_by_staff": False,
        "name": "house",
        "target": "chat.default",
    }
    assert gone.after is None


@pytest.mark.parametrize(
    "verb",
    [
        "UPDATE gateway_cataloguechange SET actor = 'x'",
        "DELETE FROM gateway_cataloguechange",
        "TRUNCATE gateway_cataloguechange",
    ],
)
def test_history_cannot_be_changed(catalogue: CatalogueSnapshot, verb: str) -> None:
    before = CatalogueChange.objects.count()
    with pytest.raises(Error), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(verb)
    assert CatalogueChange.objects.count() == before


def test_staff_cannot_save_what_leads_nowhere(catalogue: CatalogueSnapshot) -> None:
    new = CatalogueModel.objects.get(name="new")
    new.sunset_on = TODAY
    new.successor = CatalogueModel.objects.get(name="oldest")
    alias = Alias(name="lost", target="chat.nowhere")
    revision = read_revision()
    for row, complaint in ((new, "circle"), (alias, "Neither a kind")):
        with pytest.raises(ValidationError, match=complaint):
            save_row(row, actor="ada", by_staff=True)
    other = KindRoute(channel="fast", kind="chat.default", position=1)
    other.model = CatalogueModel.objects.get(name="picture")
    with pytest.raises(ValidationError, match="chat.default is for chat"):
        save_row(other, actor="ada", by_staff=True)
    assert read_revision() == revision


def test_the_revision_moves_with_catalogue_and_prices_only(load: Load, tmp_path: Path) -> None:
    load(SMALL)
    first = read_revision()
    assert read_revision() == first
    save_row(Alias(name="mine", target="chat.default"), actor="ada", by_staff=True)
    second = read_revision()
    assert second > first
    prices = tmp_path / "prices.toml"
    prices.write_text(
        '[[price]]\nprovider = "openai"\nmodel = "new"\noperation = "chat"\n'
        'usd = { input = "4", output = "20" }\nsource = "here"\nas_of = 2026-11-21\n'
    )
    load_prices(prices)
    assert read_revision() == second + 1


def test_reading_takes_one_query_each(
    catalogue: CatalogueSnapshot, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        load_catalogue_snapshot()
    with django_assert_num_queries(1):
        read_revision()


def test_the_list_of_models_serves_both_kinds_of_clients(catalogue: CatalogueSnapshot) -> None:
    listed = msgspec.to_builtins(list_models(catalogue, lambda route: route.model != "ending"))
    assert listed["object"] == "list"
    assert listed["channels"]["stable"]["chat.default"] == {
        "provider": "openai",
        "model": "new",
        "available": True,
    }
    assert listed["channels"]["fast"]["chat.ending"]["available"] is False
    assert listed["deprecated"] == [
        {
            "kind": "chat.ending",
            "channel": "stable",
            "model": "ending",
            "date": "2999-12-31",
            "replacement": "new",
        },
        {
            "kind": "chat.old",
            "channel": "stable",
            "model": "oldest",
            "date": "2026-01-01",
            "replacement": "new",
        },
        {"model": "ending", "date": "2999-12-31", "replacement": "new"},
        {"model": "old", "date": "2026-01-02", "replacement": "new"},
        {"model": "oldest", "date": "2026-01-01", "replacement": "new"},
    ]
    names = [entry["id"] for entry in listed["data"]]
    assert names == sorted(names)
    assert "ending" not in names
    assert {"chat.default", "house", "small", "old"} <= set(names)


def test_an_entry_of_openais_list_says_when_the_model_ends(catalogue: CatalogueSnapshot) -> None:
    entries = openai_models(catalogue, lambda _: True)
    entry = msgspec.to_builtins(entries["ending"])
    assert entry.pop("created") > 1_700_000_000
    assert entry == {
        "id": "ending",
        "object": "model",
        "owned_by": "openai",
        "shutdown_date": "2999-12-31",
    }
    assert entries["chat.default"].owned_by == "studio"
    assert entries["chat.default"].shutdown_date is None


def test_the_command_loads_and_warns_of_models_that_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "model-catalog.json"
    path.write_text(json.dumps(SMALL))
    call_command("load_catalogue", file=path)
    call_command("load_catalogue", file=path)
    said = capsys.readouterr().out.splitlines()
    assert said[-3:] == [
        "catalogue: 0 rows written, 0 removed, 0 left as staff edited them",
        "voices: 0 rows written, 0 removed, 0 left as staff edited them",
        "catalogue: stable chat.old: openai:oldest ends on 2026-01-01, then openai:old answers",
    ]


def test_the_command_refuses_a_wrong_file(tmp_path: Path) -> None:
    path = tmp_path / "model-catalog.json"
    path.write_text("{}")
    with pytest.raises(CommandError, match="about"):
        call_command("load_catalogue", file=path)

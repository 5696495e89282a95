"""In which order routes are tried: as catalogue data, and as plain choices."""

import json
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from django.core.exceptions import ValidationError

from gateway.breaker import Circuit
from gateway.catalogue.file import CatalogueFileInvalid, read_catalogue_file
from gateway.catalogue.loader import load_catalogue
from gateway.catalogue.services import save_row
from gateway.catalogue.snapshot import (
    CatalogueSnapshot,
    Route,
    load_catalogue_snapshot,
    read_revision,
)
from gateway.models import CatalogueChange, KindPolicy
from gateway.operations.chat import ChatUsage
from gateway.providers import find_provider
from gateway.providers.base import chats
from gateway.routing import PricedRoute, RouteOrder
from gateway.transport import Upstream
from tests.gateway.route_stage import price_of

LIKELY = ChatUsage(input_tokens=1000, output_tokens=1000)


def seeded(seed: int = 7) -> RouteOrder:
    """Make an order whose chances are always the same."""
    return RouteOrder(random.Random(seed))  # noqa: S311  it picks routes, no secrets


def route_of(key: str, *, weight: int = 1) -> PricedRoute:
    """Name a route as it stands behind a kind, at its price in the newest book."""
    provider, _, model = key.partition(":")
    adaptor = find_provider(provider)
    assert adaptor is not None
    assert chats(adaptor)
    route = Route(
        provider=provider,
        model=model,
        operation="chat",
        context_tokens=100_000,
        max_output_tokens=1000,
        image_tokens=0,
        capabilities=(),
        drop_parameters=(),
        weight=weight,
    )
    upstream = Upstream(provider=adaptor, base_url="https://x", key="k", sandbox=False)
    return PricedRoute(
        route=route,
        upstream=upstream,
        provider=adaptor,
        price=price_of(provider, model),
        circuit=Circuit(provider, trips=True, alone=True),
    )


def names(routes: list[PricedRoute]) -> list[str]:
    """Name routes by their models."""
    return [route.route.model for route in routes]


@pytest.fixture
def three(db: None) -> list[PricedRoute]:
    """Three routes: in the middle the cheapest."""
    return [
        route_of("openai:gpt-5.6-sol", weight=1),
        route_of("openai:gpt-6-luna", weight=8),
        route_of("xai:grok-4.3", weight=1),
    ]


def test_as_listed_is_as_listed(three: list[PricedRoute]) -> None:
    order = seeded()
    assert order.arrange(three, "listed", usage=LIKELY, streamed=False) == three


def test_weighted_puts_one_first_by_its_weight_and_keeps_the_others_behind_it(
    three: list[PricedRoute],
) -> None:
    order = seeded()
    drawn = [
        names(order.arrange(three, "weighted", usage=LIKELY, streamed=False)) for _ in range(1000)
    ]
    firsts = [models[0] for models in drawn]
    counts = [firsts.count(model) for model in names(three)]
    assert sum(counts) == 1000
    assert [70 < counts[0] < 130, 750 < counts[1] < 850, 70 < counts[2] < 130] == [True] * 3
    assert {tuple(models) for models in drawn} == {
        ("gpt-5.6-sol", "gpt-6-luna", "grok-4.3"),
        ("gpt-6-luna", "gpt-5.6-sol", "grok-4.3"),
        ("grok-4.3", "gpt-5.6-sol", "gpt-6-luna"),
    }


def test_cheapest_is_what_the_request_would_cost(three: list[PricedRoute]) -> None:
    order = RouteOrder()
    arranged = order.arrange(three, "cheapest", usage=LIKELY, streamed=False)
    assert names(arranged) == ["gpt-6-luna", "grok-4.3", "gpt-5.6-sol"]
    costs = [route.price.charge_ucr(LIKELY, 0) for route in arranged if route.price]
    assert costs == sorted(costs)
    by_own_key = msgspec.structs.replace(three[1], price=None)
    arranged = order.arrange([by_own_key, *three[::2]], "cheapest", usage=LIKELY, streamed=False)
    assert names(arranged)[-1] == "gpt-6-luna"


def test_fastest_is_by_the_first_byte_lately_and_others_are_tried_rarely(
    three: list[PricedRoute],
) -> None:
    order = seeded()
    for route, seconds in zip(three, (0.9, 0.5, 0.1), strict=True):
        order.note_first_byte(route.route, seconds, streamed=True)
    drawn = [
        names(order.arrange(three, "fastest", usage=LIKELY, streamed=True)) for _ in range(1000)
    ]
    explored = [models for models in drawn if models[0] != "grok-4.3"]
    assert 30 < len(explored) < 75
    assert {models[0] for models in explored} == {"gpt-6-luna", "gpt-5.6-sol"}
    assert drawn.count(["grok-4.3", "gpt-6-luna", "gpt-5.6-sol"]) == 1000 - len(explored)


def test_one_slow_answer_moves_the_known_time_by_a_fifth(three: list[PricedRoute]) -> None:
    order = seeded(2)
    one, other = three[0].route, three[1].route
    order.note_first_byte(one, 1.0, streamed=False)
    order.note_first_byte(other, 1.3, streamed=False)
    order.note_first_byte(one, 2.0, streamed=False)
    first = partial(_first, order, three[:2])
    assert first(streamed=False) == one.model
    order.note_first_byte(one, 2.0, streamed=False)
    assert first(streamed=False) == other.model
    assert first(streamed=True) == one.model


def _first(order: RouteOrder, routes: list[PricedRoute], *, streamed: bool) -> str:
    return names(order.arrange(routes, "fastest", usage=LIKELY, streamed=streamed))[0]


SMALL: dict[str, Any] = {
    "about": "a small catalogue",
    "models": {
        key: {"operation": "chat", "context_tokens": 9, "max_output_tokens": 9, "source": "here"}
        for key in ("openai:one", "openai:two")
    },
    "channels": {
        "stable": {
            "chat.default": {
                "order": "weighted",
                "patience_ms": 2500,
                "routes": ["openai:one", {"model": "openai:two", "weight": 3}],
            },
            "chat.other": ["openai:two", "openai:one"],
        },
        "fast": {"chat.default": ["openai:two"]},
    },
    "aliases": {"house": "chat.default"},
}
Load = Callable[[dict[str, Any]], CatalogueSnapshot]


@pytest.fixture
def load(tmp_path: Path, db: None) -> Load:
    def loader(document: dict[str, Any]) -> CatalogueSnapshot:
        path = tmp_path / "model-catalog.json"
        path.write_text(json.dumps(document))
        load_catalogue(path, actor="tests")
        return load_catalogue_snapshot()

    return loader


def policy_of(catalogue: CatalogueSnapshot, kind: str, channel: str) -> tuple[str, int, list[int]]:
    found = catalogue.resolve(kind=kind, model=None, channel=channel)
    return found.order, found.patience_ms, [route.weight for route in found.routes]


def test_order_patience_and_weights_are_catalogue_data(load: Load) -> None:
    catalogue = load(SMALL)
    assert policy_of(catalogue, "chat.default", "stable") == ("weighted", 2500, [1, 3])
    assert policy_of(catalogue, "chat.default", "quality") == ("weighted", 2500, [1, 3])
    assert policy_of(catalogue, "chat.default", "fast") == ("listed", 0, [1])
    assert policy_of(catalogue, "chat.other", "stable") == ("listed", 0, [1, 1])
    alias = catalogue.resolve(kind=None, model="house", channel="stable")
    assert (alias.order, len(alias.routes)) == ("weighted", 2)
    named = catalogue.resolve(kind=None, model="one", channel="stable")
    assert (named.order, len(named.routes)) == ("listed", 1)


def test_a_policy_that_left_the_file_is_gone_and_staff_s_stays(load: Load) -> None:
    load(SMALL)
    plain = json.loads(json.dumps(SMALL))
    plain["channels"]["stable"]["chat.default"] = ["openai:one", "openai:two"]
    assert policy_of(load(plain), "chat.default", "stable") == ("listed", 0, [1, 1])
    policy = KindPolicy(channel="stable", kind="chat.other", order="cheapest")
    save_row(policy, actor="staff", by_staff=True)
    assert policy_of(load(plain), "chat.other", "stable") == ("cheapest", 0, [1, 1])


def test_a_change_of_policy_moves_the_revision(load: Load) -> None:
    load(SMALL)
    before = read_revision()
    policy = KindPolicy.objects.get(kind="chat.default")
    policy.order = "fastest"
    save_row(policy, actor="staff", by_staff=True)
    assert read_revision() == before + 1
    changes = CatalogueChange.objects.filter(table="kind's policy").order_by("-id")
    assert [change.actor for change in changes] == ["staff", "tests"]


@pytest.mark.parametrize(
    ("policy", "problem"),
    [
        ({"order": "dearest"}, "has the order dearest"),
        ({"patience_ms": -1}, "has a patience"),
        ({"patience_ms": 600_001}, "has a patience"),
        ({"routes": []}, "has no route"),
        ({"speed": 1}, "unknown field"),
    ],
)
def test_a_policy_that_is_none_is_refused(
    tmp_path: Path, policy: dict[str, Any], problem: str
) -> None:
    document = json.loads(json.dumps(SMALL))
    document["channels"]["stable"]["chat.default"] |= policy
    path = tmp_path / "model-catalog.json"
    path.write_text(json.dumps(document))
    with pytest.raises(CatalogueFileInvalid, match=problem):
        read_catalogue_file(path)


def test_a_policy_needs_a_kind_of_its_channel(load: Load) -> None:
    load(SMALL)
    policy = KindPolicy(channel="fast", kind="chat.other", order="cheapest")
    with pytest.raises(ValidationError, match="has no route in fast"):
        save_row(policy, actor="staff", by_staff=True)


def test_two_models_with_one_successor_are_one_route(load: Load) -> None:
    document = json.loads(json.dumps(SMALL))
    document["models"]["openai:one"] |= {"sunset_on": "2026-01-01", "successor": "openai:two"}
    found = load(document).resolve(kind="chat.other", model=None, channel="stable")
    assert [route.model for route in found.routes] == ["two"]

"""The catalogue as callers meet it, and how it and the prices change under running gateways."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any
from uuid import uuid4

import pytest
import requests

from billing.price_books import change_price
from billing.pricing import PriceRow, load_price_book
from gateway.catalogue.services import save_row
from gateway.models import Alias, CatalogueModel
from gateway.operations.chat import ChatUsage
from tests.conftest import StartGateway
from tests.databases import Database, rows
from tests.gateway.conftest import CHAT, Payer

SEEN_WITHIN_S = 5
CHANNELS = ("stable", "experimental", "fast", "quality")
CHAT_KINDS = (
    "chat.default",
    "chat.gpt5",
    "chat.o4mini",
    "chat.claude",
    "chat.claude45",
    "chat.grok",
    "chat.grokLatest",
    "chat.gemini",
)
"""Chat kinds of the studio guide, and Gemini's."""
OTHER_KINDS = {
    "realtime.default",
    "image.default",
    "image.flux-dev",
    "image.flux-pro",
    "music.default",
    "voice.default",
    "voice.openai",
    "voice.openai-hd",
    "voice.flash",
    "voice.turbo",
    "voice.multilingual",
}
O4_MINI_END = "@1792713600"
"""Midnight UTC of 23 October 2026, as a structured date."""


def ask(payer: Payer, model: str, text: str = "Hello!") -> requests.Response:
    """Ask as an OpenAI client does."""
    messages = [{"role": "user", "content": text}]
    return payer.post("/v1/chat/completions", json={"model": model, "messages": messages})


def wait_until(is_so: Callable[[], bool]) -> None:
    """Ask again until the running gateway has noticed a change; it looks every second."""
    end_s = time.monotonic() + SEEN_WITHIN_S
    while not is_so():
        assert time.monotonic() < end_s, "the gateway did not notice"
        rows("SELECT pg_sleep(0.2)::text")


@contextmanager
def in_flight(payer: Payer, model: str) -> Iterator[None]:
    """Be in the middle of a stream until the block ends, then leave it."""
    messages = [{"role": "user", "content": "[[sandbox chunks=400 chunk_delay_ms=50]]"}]
    body = {"model": model, "messages": messages, "stream": True}
    with payer.post("/v1/chat/completions", json=body, stream=True) as response:
        assert response.status_code == 200, response.text
        lines = response.iter_lines()
        next(lines)
        yield
        next(lines)


def new_model(**facts: Any) -> CatalogueModel:
    """Add a model of OpenAI's under a name that the sandbox knows."""
    limits = {"context_tokens": 100_000, "max_output_tokens": 10_000}
    name = f"gpt-{uuid4().hex[:12]}"
    model = CatalogueModel(provider="openai", name=name, operation="chat", **limits, **facts)
    save_row(model, actor="test", by_staff=True)
    return model


def set_price(model: CatalogueModel, *, input_ucr: int, output_ucr: int) -> int:
    """Price a model in two steps. Returns: the book's newest version."""
    version = 0
    for meter, amount_ucr in (("input", input_ucr), ("output", output_ucr)):
        row = PriceRow(
            provider="openai",
            model=model.name,
            operation="chat",
            meter=meter,
            list_ucr=amount_ucr,
            cost_ucr=amount_ucr,
            source="test",
            as_of=date(2026, 11, 21),
        )
        version = change_price(row, actor="test")
    return version


def charge_of(usage: dict[str, Any], version: int) -> int:
    """Price a usage row by one version of the book."""
    price = load_price_book(version).chat("openai", usage["model"])
    assert price is not None
    used = ChatUsage(input_tokens=usage["input_tokens"], output_tokens=usage["output_tokens"])
    return price.charge_ucr(used, usage["markup_bp"])


def test_models_are_one_answer_for_the_studio_s_clients_and_openai_s(payer: Payer) -> None:
    body = payer.get("/v1/models").json()
    assert set(body) == {"object", "data", "channels", "deprecated"}
    assert tuple(body["channels"]) == CHANNELS
    for kinds in body["channels"].values():
        assert set(kinds) >= {*CHAT_KINDS, *OTHER_KINDS}
    stable = body["channels"]["stable"]
    assert stable["chat.default"] == {
        "provider": "openai",
        "model": "gpt-5.6-sol",
        "available": True,
    }
    assert (stable["image.default"]["provider"], stable["image.default"]["available"]) == (
        "replicate",
        True,
    )
    assert stable["voice.default"]["available"] is True
    assert body["object"] == "list"
    assert {entry["object"] for entry in body["data"]} == {"model"}
    listed = {entry["id"] for entry in body["data"]}
    assert {"chat.default", "studiocore-1", "gpt-5.6-sol", "gpt-5", "chat.claude"} <= listed
    assert {"image.default", "dall-e-3", "music.default", "voice.default"} <= listed
    deprecated = {(entry.get("kind"), entry["model"]): entry for entry in body["deprecated"]}
    assert deprecated["chat.gpt5", "gpt-5"] == {
        "kind": "chat.gpt5",
        "channel": "stable",
        "model": "gpt-5",
        "date": "2026-12-11",
        "replacement": "gpt-5.6-sol",
    }
    assert deprecated[None, "o4-mini"]["replacement"] == "gpt-5.6-luna"


@pytest.mark.parametrize("channel", CHANNELS)
def test_every_chat_kind_answers_in_every_channel(payer: Payer, channel: str) -> None:
    shown = payer.get("/v1/models").json()["channels"][channel]
    for kind in CHAT_KINDS:
        answer = payer.post(json={**CHAT, "kind": kind}, headers={"x-model-channel": channel})
        assert (kind, answer.status_code) == (kind, 200)
        assert shown[kind]["available"] is True
    served = [(usage["kind"], usage["channel"], usage["model"]) for usage in payer.usage()]
    assert served == [(kind, channel, shown[kind]["model"]) for kind in CHAT_KINDS]
    assert payer.balance()[1] == 0


def test_kinds_of_other_operations_are_no_chat(payer: Payer) -> None:
    for kind in sorted(OTHER_KINDS):
        answer = payer.post(json={**CHAT, "kind": kind})
        assert answer.status_code == 400
        assert kind in answer.json()["error"]
    assert payer.entries() == []


@pytest.mark.parametrize(
    ("model", "channel", "answering"),
    [
        ("chat.default", "stable", "gpt-5.6-sol"),
        ("chat.default", "fast", "gpt-6-luna"),
        ("studiocore-1", "stable", "gpt-5.6-sol"),
        ("studiocore-1", "quality", "gpt-6-astra"),
        ("gpt-5.5", "fast", "gpt-5.5"),
        ("gpt-5.5-2026-04-23", "stable", "gpt-5.5"),
    ],
)
def test_a_model_is_a_kind_an_alias_or_a_provider_s_id(
    payer: Payer, model: str, channel: str, answering: str
) -> None:
    messages = CHAT["messages"]
    headers = {"x-model-channel": channel}
    answer = payer.post(json={"model": model, "messages": messages}, headers=headers)
    assert (answer.status_code, answer.json()["model"]) == (200, answering)
    assert "deprecation" not in answer.headers
    [usage] = payer.usage()
    assert (usage["surface"], usage["model"], usage["channel"]) == ("core", answering, channel)


@pytest.mark.parametrize("body", [{"kind": "chat.o4mini"}, {"model": "o4-mini"}])
@pytest.mark.parametrize("stream", [False, True])
def test_a_retired_model_is_answered_by_its_successor_and_says_so(
    payer: Payer, body: dict[str, str], stream: bool
) -> None:
    answer = payer.post(json={**body, "messages": CHAT["messages"], "stream": stream})
    assert answer.status_code == 200
    expected = f'{O4_MINI_END};model="o4-mini";replacement="gpt-5.6-luna"'
    assert answer.headers["deprecation"] == expected
    [usage] = payer.usage()
    assert (usage["model"], usage["status"]) == ("gpt-5.6-luna", "succeeded")


def test_a_model_without_a_price_is_503_until_it_has_one(payer: Payer) -> None:
    model = new_model()
    wait_until(lambda: ask(payer, model.name).status_code != 404)
    refused = ask(payer, model.name)
    assert refused.status_code == 503
    assert refused.json()["error"]["type"] == "no_price"
    listed = {entry["id"] for entry in payer.get("/v1/models").json()["data"]}
    assert model.name not in listed
    assert payer.entries() == []
    version = set_price(model, input_ucr=10**9, output_ucr=5 * 10**9)
    wait_until(lambda: ask(payer, model.name).status_code == 200)
    usage = next(usage for usage in payer.usage() if usage["status"] == "succeeded")
    assert (usage["price_version"], usage["charge_ucr"]) == (version, charge_of(usage, version))


def test_a_new_price_holds_for_calls_that_begin_after_it_and_for_no_other(payer: Payer) -> None:
    model = new_model()
    old = set_price(model, input_ucr=10**9, output_ucr=10**9)
    wait_until(lambda: ask(payer, model.name).status_code == 200)
    with in_flight(payer, model.name):
        new = set_price(model, input_ucr=7 * 10**9, output_ucr=7 * 10**9)
        wait_until(lambda: priced_by(payer, model) == new)
    wait_until(lambda: payer.balance()[1] == 0)
    usages = [usage for usage in payer.usage() if usage["status"] in ("succeeded", "cancelled")]
    [left] = [usage for usage in usages if usage["status"] == "cancelled"]
    assert (left["price_version"], left["charge_ucr"]) == (old, charge_of(left, old))
    assert left["charge_ucr"] > 0
    for usage in usages:
        assert usage["charge_ucr"] == charge_of(usage, usage["price_version"])


def priced_by(payer: Payer, model: CatalogueModel) -> int:
    """Ask once and tell by which version of the book it was charged."""
    request_id = ask(payer, model.name).headers["x-request-id"]
    [usage] = rows("SELECT price_version FROM usage WHERE request_id = %s", request_id)
    version: int = usage["price_version"]
    return version


def test_an_alias_is_moved_without_moving_a_call_in_flight(payer: Payer) -> None:
    alias = Alias(name=f"house-{uuid4().hex[:8]}", target="openai:gpt-5.5")
    assert ask(payer, alias.name).status_code == 404
    save_row(alias, actor="test", by_staff=True)
    wait_until(lambda: ask(payer, alias.name).status_code == 200)
    with in_flight(payer, alias.name):
        alias.target = "openai:gpt-5.4-mini"
        save_row(alias, actor="test", by_staff=True)
        wait_until(lambda: ask(payer, alias.name).json()["model"] == "gpt-5.4-mini")
    wait_until(lambda: payer.balance()[1] == 0)
    [left] = [usage for usage in payer.usage() if usage["status"] == "cancelled"]
    assert left["model"] == "gpt-5.5"
    alias.enabled = False
    save_row(alias, actor="test", by_staff=True)
    wait_until(lambda: ask(payer, alias.name).status_code == 404)


def test_a_model_s_last_day_passes_to_its_successor_without_a_restart(payer: Payer) -> None:
    model = new_model()
    set_price(model, input_ucr=10**9, output_ucr=10**9)
    wait_until(lambda: ask(payer, model.name).status_code == 200)
    model.successor = CatalogueModel.objects.get(provider="openai", name="gpt-5.5")
    model.sunset_on = date(2026, 1, 1)
    save_row(model, actor="test", by_staff=True)
    wait_until(lambda: ask(payer, model.name).json()["model"] == "gpt-5.5")
    header = ask(payer, model.name).headers["deprecation"]
    assert header.endswith(f'model="{model.name}";replacement="gpt-5.5"')


def test_without_any_key_and_without_a_sandbox_nothing_can_be_called(
    make_payer: Callable[..., Payer], gateway_database: Database, start_gateway: StartGateway
) -> None:
    alone = start_gateway(gateway_database, OPENAI_API_KEY="", SANDBOX_URL="")
    payer = make_payer(url=alone.url)
    answer = payer.post(json=CHAT)
    assert (answer.status_code, answer.json()["error"][:22]) == (503, "No provider is configu")
    listed = payer.get("/v1/models").json()["data"]
    assert {model["owned_by"] for model in listed} == {"studio"}, "what we make ourselves stays"
    assert payer.balance() == (1_000_000_000, 0)

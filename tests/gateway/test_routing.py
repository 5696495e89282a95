"""Which routes a chat may take, and by whose key."""

import uuid
from collections.abc import Iterator
from datetime import date

import pytest
from pytest_django import DjangoDbBlocker

from billing.price_books import change_price
from billing.pricing import PriceRow
from gateway.catalogue.services import save_row
from gateway.models import CatalogueModel
from tests.conftest import StartGateway
from tests.databases import WORKER, Facts
from tests.gateway.conftest import CHAT, Payer
from tests.gateway.route_stage import (
    GRANTED_UCR,
    Stage,
    add_kind,
    charge_of,
    new_mark,
    only_usage,
    staged,
)

IMAGE = {
    "type": "image_url",
    "image_url": {"url": "data:image/png;base64," + "iVBORw0KGgo" * 4},
}
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
OPENAI_KEY = "x-user-openai-key"
XAI_KEY = "x-user-xai-key"


@pytest.fixture(scope="module")
def stage(
    server_facts: Facts,
    gateway_environment: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Stage]:
    """One gateway whose providers are all the sandbox's."""
    directory = tmp_path_factory.mktemp("routing")
    name = f"studio_test_{WORKER}_routing"
    with (
        django_db_blocker.unblock(),
        staged(server_facts, name, directory, gateway_environment, prepare=_add_kinds) as made,
    ):
        yield made


def _add_kinds() -> None:
    blind = {"context_tokens": 100_000, "max_output_tokens": 1000, "capabilities": ["tools"]}
    model = CatalogueModel(provider="openai", name="gpt-blind", operation="chat", **blind)
    save_row(model, actor="test", by_staff=True)
    unpriced = {"context_tokens": 100_000, "max_output_tokens": 1000, "capabilities": []}
    model = CatalogueModel(provider="openai", name="gpt-unpriced", operation="chat", **unpriced)
    save_row(model, actor="test", by_staff=True)
    for meter in ("input", "output"):
        price = PriceRow(
            provider="openai",
            model="gpt-blind",
            operation="chat",
            meter=meter,
            list_ucr=10**9,
            cost_ucr=10**9,
            source="test",
            as_of=date(2026, 11, 21),
        )
        change_price(price, actor="test")
    add_kind("chat.blind", "openai:gpt-blind", "xai:grok-4.3")
    add_kind("chat.blind-alone", "openai:gpt-blind")
    add_kind("chat.grok-first", "xai:grok-4.3", "openai:gpt-5.5")
    add_kind("chat.grok-alone", "xai:grok-4.3")
    add_kind("chat.unpriced", "openai:gpt-unpriced", "xai:grok-4.3")
    add_kind("chat.weighted", "openai:gpt-5.5", "xai:grok-4.3", order="weighted", weights=(1, 1))
    add_kind("chat.cheapest", "openai:gpt-5.5", "xai:grok-4.3", order="cheapest")
    add_kind("chat.fastest", "openai:gpt-5.5", "xai:grok-4.3", order="fastest")


@pytest.fixture
def payer(stage: Stage) -> Payer:
    """A payer with 1 000 credits, and room in the budget for trying again."""
    stage.fill()
    return stage.payer()


def test_a_route_that_cannot_see_is_passed_by_for_one_that_can(payer: Payer) -> None:
    text = {"type": "text", "text": "Look"}
    seeing = {"kind": "chat.blind", "messages": [{"role": "user", "content": [text, IMAGE]}]}
    answer = payer.post(json=seeing)
    assert (answer.status_code, answer.json()["model"]) == (200, "grok-4.3")
    assert payer.say("Look", body={"kind": "chat.blind"}).json()["model"] == "gpt-blind"
    alone = payer.post(json=seeing | {"kind": "chat.blind-alone"})
    assert (alone.status_code, alone.json()["error"]) == (
        400,
        "messages: gpt-blind does not support this.",
    )
    assert len(payer.usage()) == 2


def test_a_field_one_provider_does_not_know_is_served_by_another_or_named(payer: Payer) -> None:
    biased = {"logit_bias": {"50256": -100}}
    answer = payer.say("Hello", body={"kind": "chat.grok-first", **biased})
    assert (answer.status_code, answer.json()["model"]) == (200, "gpt-5.5")
    assert payer.say("Hello", body={"kind": "chat.grok-first"}).json()["model"] == "grok-4.3"
    alone = payer.say("Hello", body={"kind": "chat.grok-alone", **biased})
    assert (alone.status_code, alone.json()["error"]) == (
        400,
        "logit_bias: grok-4.3 does not support this.",
    )
    named = payer.post(
        "/v1/chat/completions", json={"model": "grok-4.3", "messages": CHAT["messages"], **biased}
    )
    assert (named.status_code, named.json()["error"]["param"]) == (400, "logit_bias")
    assert {usage["attempts"] for usage in payer.usage() if usage["status"] == "succeeded"} == {1}


def test_a_model_that_calls_no_tools_is_not_asked_to(payer: Payer) -> None:
    answer = payer.say("look", body={"kind": "chat.blind", "tools": [TOOL]})
    assert answer.json()["model"] == "gpt-blind"


def test_a_route_without_a_price_is_passed_by(payer: Payer) -> None:
    answer = payer.say("Hello", body={"kind": "chat.unpriced"})
    assert (answer.status_code, answer.json()["model"]) == (200, "grok-4.3")
    assert only_usage(payer)["charge_ucr"] == charge_of(only_usage(payer))


def test_a_key_with_a_list_of_models_takes_the_routes_that_are_on_it(stage: Stage) -> None:
    stage.fill()
    by_model = stage.payer(allowed_models=["grok-4.3"])
    assert by_model.say("Hello", body={"kind": "chat.pair"}).json()["model"] == "grok-4.3"
    assert by_model.say("Hello", body={"kind": "chat.lone"}).status_code == 403
    by_kind = stage.payer(allowed_models=["chat.pair"])
    mark = new_mark()
    text = f"[[sandbox status=500 times=1 tag={mark}]] {mark}"
    assert by_kind.say(text, body={"kind": "chat.pair"}).json()["model"] == "grok-4.3"
    assert stage.sent(mark) == ["openai", "xai"]


def test_orders_choose_over_http_as_the_catalogue_says(payer: Payer) -> None:
    def models(kind: str, calls: int) -> list[str]:
        body = {"kind": kind, "max_tokens": 20}
        return [payer.say("Hello", body=body).json()["model"] for _ in range(calls)]

    assert set(models("chat.cheapest", 5)) == {"grok-4.3"}
    assert set(models("chat.weighted", 40)) == {"gpt-5.5", "grok-4.3"}
    assert set(models("chat.fastest", 5)) <= {"gpt-5.5", "grok-4.3"}
    assert payer.balance()[0] == GRANTED_UCR - sum(row["charge_ucr"] for row in payer.usage())


def test_a_user_s_key_chooses_its_provider_and_no_other(stage: Stage, payer: Payer) -> None:
    mark, key = new_mark(), f"xai-{uuid.uuid4().hex}"
    answer = payer.say(mark, body={"kind": "chat.pair"}, headers={XAI_KEY: key})
    assert (answer.status_code, answer.json()["model"]) == (200, "grok-4.3")
    assert "x-credits-remaining" not in answer.headers
    usage = only_usage(payer)
    assert (usage["billing"], usage["charge_ucr"], usage["cost_ucr"]) == ("byok", 0, 0)
    assert payer.entries() == []

    failing = new_mark()
    text = f"[[sandbox status=500]] {failing}"
    refused = payer.say(text, body={"kind": "chat.pair"}, headers={XAI_KEY: key})
    assert refused.status_code == 502
    assert set(stage.sent(failing)) == {"xai"}
    assert payer.balance() == (GRANTED_UCR, 0)


@pytest.mark.parametrize(
    ("key", "status", "code"),
    [
        ("sk-invalid", 401, "user_key_refused"),
        ("sk-quota", 429, "user_quota_exceeded"),
        ("sk-ratelimited", 429, "user_rate_limited"),
    ],
)
def test_a_user_s_failing_key_is_told_and_nothing_else_is_tried(
    stage: Stage, payer: Payer, key: str, status: int, code: str
) -> None:
    mark = new_mark()
    answer = payer.say(mark, body={"kind": "chat.pair"}, headers={OPENAI_KEY: key})
    assert answer.status_code == status
    assert OPENAI_KEY in answer.json()["error"]
    assert ("retry-after" in answer.headers) is (code == "user_rate_limited")
    assert set(stage.sent(mark)) == {"openai"}
    usage = only_usage(payer)
    assert (usage["status"], usage["reason"], usage["billing"]) == ("failed", code, "byok")
    assert payer.balance() == (GRANTED_UCR, 0)
    assert payer.entries() == []


def test_two_keys_of_a_user_s_follow_one_another(stage: Stage, payer: Payer) -> None:
    mark = new_mark()
    keys = {OPENAI_KEY: "sk-mine", XAI_KEY: "xai-mine"}
    text = f"[[sandbox status=500 times=1 tag={mark}]] {mark}"
    answer = payer.say(text, body={"kind": "chat.pair"}, headers=keys)
    assert answer.json()["model"] == "grok-4.3"
    assert stage.sent(mark) == ["openai", "xai"]
    assert (only_usage(payer)["attempts"], only_usage(payer)["billing"]) == (2, "byok")


def test_by_a_user_s_own_key_a_model_needs_no_price(payer: Payer) -> None:
    body = {"kind": "chat.unpriced"}
    answer = payer.say("Hello", body=body, headers={OPENAI_KEY: "sk-mine"})
    assert (answer.status_code, answer.json()["model"]) == (200, "gpt-unpriced")
    assert (only_usage(payer)["charge_ucr"], only_usage(payer)["cost_ucr"]) == (0, 0)


def test_a_spend_cap_does_not_stop_a_user_s_own_key(stage: Stage) -> None:
    stage.fill()
    capped = stage.payer(spend_cap_ucr=1)
    assert capped.say("Hello").status_code == 200
    assert capped.say("Hello").status_code == 402
    assert capped.say("Hello", headers={OPENAI_KEY: "sk-mine"}).status_code == 200


def test_the_sandbox_does_not_stand_in_beside_a_real_provider(
    stage: Stage, start_gateway: StartGateway
) -> None:
    # xAI is real here, as far as the gateway knows: its address is not under SANDBOX_URL.
    real = stage.sandbox_url.replace("127.0.0.1", "localhost")
    gateway = start_gateway(
        stage.database,
        OPENAI_API_KEY="",
        XAI_API_KEY="xai-real",
        XAI_BASE_URL=f"{real}/xai/v1",
    )
    payer = Payer(**{**vars(stage.payer()), "url": gateway.url})
    answer = payer.say("Hello", body={"kind": "chat.pair"})
    assert answer.json()["model"] == "grok-4.3"
    assert "x-studio-upstream" not in answer.headers
    doubled = payer.say("Hello", body={"kind": "chat.lone"})
    assert (doubled.json()["model"], doubled.headers["x-studio-upstream"]) == ("gpt-5.5", "sandbox")

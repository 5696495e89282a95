"""A stage for calls that may take several routes: kinds made for it, a gateway on a database of its
own, callers that pay, and the sandbox's word on what was sent.
"""

import contextlib
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from billing.pricing import ChatPrice, latest_price_book
from billing.services import grant_credits
from gateway.catalogue.services import save_row
from gateway.models import CatalogueModel, KindPolicy, KindRoute
from gateway.operations.chat import ChatUsage
from studio.accounts.services import create_app_key, create_workspace
from tests.databases import Database, Facts, cloned, django_on
from tests.gateway.conftest import Payer
from tests.running import Gateway, run_gateway
from tests.sandbox.caller import Caller as Sandbox

GRANTED_UCR = 1_000_000_000
FILLERS = 5
"""Ordinary calls that make room in the retry budget for one more try."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A running gateway, its database, and the sandbox behind it."""

    gateway: Gateway
    database: Database
    sandbox_url: str
    filler: list[Payer] = field(default_factory=list)

    def payer(self, *, credits: float = 1000, tier: str = "managed", **key: Any) -> Payer:
        """Make a workspace with credits and a key."""
        workspace = create_workspace(name=f"payer-{uuid.uuid4()}", tier=tier)
        if credits:
            grant_credits(
                workspace_id=workspace.pk, amount_ucr=int(credits * 1_000_000), reason="test"
            )
        issued = create_app_key(workspace_id=workspace.pk, **key)
        return Payer(
            workspace_id=workspace.pk,
            app_key_id=issued.app_key_id,
            key=issued.token,
            url=self.gateway.url,
        )

    def fill(self) -> None:
        """Make ordinary calls, so that the one that follows may be tried again."""
        if not self.filler:
            self.filler.append(self.payer(tier="vip_founder"))
        for _ in range(FILLERS):
            assert self.filler[0].say("Hello!", body={"kind": "chat.filler"}).status_code == 200

    def sent(self, mark: str) -> list[str]:
        """Name the providers that got a request with this text, in order."""
        found = Sandbox(url=self.sandbox_url).journal(contains=mark, at_least=0)
        return [str(entry["path"]).split("/")[1] for entry in found]


@contextlib.contextmanager
def staged(
    facts: Facts,
    name: str,
    directory: Path,
    environment: dict[str, str],
    *,
    prepare: Callable[[], None] = lambda: None,
) -> Iterator[Stage]:
    """Run a gateway on a clone of its own, with the kinds of `add_kinds` and what `prepare`
    writes.
    """
    with cloned(facts, name) as database, django_on(database):
        add_kinds()
        prepare()
        urls = {"DATABASE_URL": database.app_url, "DATABASE_OWNER_URL": database.owner_url}
        gateway = run_gateway(directory, environment | urls)
        try:
            yield Stage(gateway=gateway, database=database, sandbox_url=environment["SANDBOX_URL"])
        finally:
            gateway.stop()


def add_kinds() -> None:
    """Make the kinds that tests of routes call."""
    add_kind("chat.filler", "openai:gpt-6-luna")
    add_kind("chat.pair", "openai:gpt-5.5", "xai:grok-4.3")
    add_kind("chat.impatient", "openai:gpt-5.5", "xai:grok-4.3", patience_ms=300)
    add_kind("chat.lone", "openai:gpt-5.5")
    add_kind("chat.thrifty", "openai:gpt-6-luna", "openai:gpt-6-astra")
    add_kind("chat.many", *(f"openai:gpt-{name}" for name in ("5.5", "5.4", "5.2", "5.1", "5")))


def add_kind(
    kind: str,
    *models: str,
    channel: str = "stable",
    order: str = "listed",
    patience_ms: int = 0,
    weights: tuple[int, ...] = (),
) -> None:
    """Add a kind with these models (`provider:name`) as its routes."""
    for position, key in enumerate(models):
        provider, _, name = key.partition(":")
        route = KindRoute(
            channel=channel,
            kind=kind,
            position=position,
            model=CatalogueModel.objects.get(provider=provider, name=name),
            weight=weights[position] if weights else 1,
        )
        save_row(route, actor="test", by_staff=True)
    policy = KindPolicy(channel=channel, kind=kind, order=order, patience_ms=patience_ms)
    save_row(policy, actor="test", by_staff=True)


def new_mark() -> str:
    """Make a word that no other request has."""
    return f"mark-{uuid.uuid4().hex}"


def strike(fault: str, mark: str, times: int = 1) -> str:
    """Ask the sandbox to fail the first requests with this mark."""
    return f"[[sandbox {fault} times={times} tag={mark}]] {mark}"


def price_of(provider: str, model: str) -> ChatPrice:
    """Give a model's price in the newest book."""
    price = latest_price_book().chat(provider, model)
    assert price is not None
    return price


def charge_of(usage: dict[str, Any]) -> int:
    """Price a usage row by the route it names."""
    used = ChatUsage(
        input_tokens=usage["input_tokens"],
        cached_input_tokens=usage["cached_input_tokens"],
        cache_write_tokens=usage["cache_write_tokens"],
        output_tokens=usage["output_tokens"],
    )
    return price_of(usage["provider"], usage["model"]).charge_ucr(used, usage["markup_bp"])


def only_usage(payer: Payer) -> dict[str, Any]:
    """Give the one usage row of a payer."""
    [usage] = payer.usage()
    return usage


def forget_journal(sandbox_url: str) -> None:
    """Empty the sandbox's journal and its tags."""
    requests.delete(f"{sandbox_url}/_sandbox/requests", timeout=10)

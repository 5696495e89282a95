"""Every page of the admin, on the database of a gateway that was used: it opens, in few queries,
and shows no secret. What each page is for is tested beside its app.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.db import connection, models
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from gateway.catalogue.services import save_row
from gateway.models import Alias, Call
from studio.accounts.models import AppKey, Issuer, Member, Session
from tests.billing.people import leave_money_rows
from tests.databases import rows
from tests.gateway.conftest import CHAT, Payer

MOST_QUERIES = 16
IDEMPOTENCY_KEY = "key-of-a-stored-answer"
READ_ONLY = ["wallet", "lot", "hold", "entry", "pricebook", "usage", "call", "cataloguechange"]
READ_ONLY += ["moneyrequest", "freeze", "dispute"]
MAYBE_EMPTY = {"budget", "alertsettings", "outboxmessage", "monthclose", "providerinvoice"}
MAYBE_EMPTY |= {"quarantine", "paymentorder", "payment", "reversal", "stripeevent"}
MAYBE_EMPTY |= {"autorecharge", "backfill", "kindpolicy", "paymentinvoice", "stripecustomer"}
MAYBE_EMPTY |= {"asset", "job", "webhookendpoint", "webhookdelivery", "providerhealth", "calendar"}
"""Payments, alerts, finance, clocks, orders of routes: their own tests leave and open rows."""


def registered() -> list[type[models.Model]]:
    """Give every model that staff see."""
    return list(admin.site._registry)  # noqa: SLF001  Django offers no other way to ask


def name_of(model: type[models.Model]) -> str:
    """Name a model as the admin's addresses do."""
    return f"{model._meta.app_label}_{model._meta.model_name}"


each_model = pytest.mark.parametrize("model", registered(), ids=name_of)


@pytest.fixture
def staff(open_database: None) -> Iterator[Client]:
    """Somebody who may do everything."""
    user = User.objects.filter(username="pages").first() or User.objects.create_superuser("pages")
    client = Client()
    client.force_login(user)
    yield client
    client.logout()


@pytest.fixture
def used(payer: Payer, staff: Client) -> Iterator[dict[str, str]]:
    """Leave a row in every table, and an open hold. Gives the secrets that made them."""
    answer = payer.say("a secret question", headers={"idempotency-key": IDEMPOTENCY_KEY})
    assert answer.status_code == 200
    token = payer.post("/v1/validate").json()["sessionToken"]
    assert payer.post("/api/image-studio/personas", json={"name": "Acme"}).status_code == 201
    public_key = ec.generate_private_key(ec.SECP256R1()).public_key()
    Issuer.objects.create(
        workspace_id=payer.workspace_id,
        issuer=f"https://login.example/{payer.workspace_id}",
        audience="studio",
        algorithm="ES256",
        public_key_pem=public_key.public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        ).decode(),
    )
    Group.objects.get_or_create(name="clerks")
    Member.objects.create(
        workspace_id=payer.workspace_id, user=User.objects.get(username="pages"), role="owner"
    )
    alias = Alias.objects.filter(name="pages").first() or Alias(name="pages", target="chat.gpt5")
    alias.target = "chat.gpt5" if alias.target == "chat.default" else "chat.default"
    save_row(alias, actor="pages", by_staff=True)
    leave_money_rows(payer.workspace_id)
    key = AppKey.objects.get(pk=payer.app_key_id)
    call = Call.objects.get(workspace_id=payer.workspace_id)
    text = "[[sandbox chunks=400 chunk_delay_ms=50]]"
    with payer.say(text, body={"stream": True}, stream=True) as stream:
        lines = stream.iter_lines()
        next(lines)
        yield {
            "the key": payer.key,
            "the key without its check digits": payer.key[19:-6],
            "the key's MAC": bytes(key.mac).hex(),
            "the session token": token,
            "its digest": bytes(Session.objects.get(app_key=key).token_digest).hex(),
            "the Idempotency-Key": IDEMPOTENCY_KEY,
            "its digest in the call": bytes(call.idempotency_digest or b"-").hex(),
            "the question": "a secret question",
            "the pepper": settings.APP_KEY_PEPPERS[max(settings.APP_KEY_PEPPERS)],
            "the vault's secret": settings.VAULT_SECRET,
            "the secret of JWTs": settings.APP_JWT_SECRET,
            "Django's secret": settings.SECRET_KEY,
        }
        next(lines)


def open_page(staff: Client, address: str) -> str:
    """Open a page in a bounded number of queries and give its text."""
    with CaptureQueriesContext(connection) as queries:
        page = staff.get(address)
    assert page.status_code == 200, address
    assert len(queries) <= MOST_QUERIES, [query["sql"][:200] for query in queries]
    return page.content.decode()


def pages_of(staff: Client, model: type[models.Model]) -> Iterator[str]:
    """Open a model's list and the page of its newest row."""
    listing = reverse(f"admin:{name_of(model)}_changelist")
    page = open_page(staff, listing)
    yield page
    if model._meta.model_name in MAYBE_EMPTY and 'id="result_list"' not in page:
        return
    assert 'id="result_list"' in page, f"no rows at {listing}"
    row = model._default_manager.order_by("-pk").first()  # noqa: SLF001  Django's documented way
    assert row is not None, f"the test left no row in {name_of(model)}"
    yield open_page(staff, reverse(f"admin:{name_of(model)}_change", args=[row.pk]))


def test_every_page_opens_in_few_queries_and_shows_no_secret(
    staff: Client, used: dict[str, str]
) -> None:
    seen = {name_of(model): "".join(pages_of(staff, model)) for model in registered()}
    seen["index"] = open_page(staff, reverse("admin:index"))
    shown = [
        f"{what} on the pages of {name}"
        for name, text in seen.items()
        for what, secret in used.items()
        if secret in text
    ]
    assert shown == []


def test_a_list_needs_no_more_queries_for_more_rows(
    staff: Client, make_payer: Callable[..., Payer]
) -> None:
    def counts() -> dict[str, int]:
        found = {}
        for model in registered():
            with CaptureQueriesContext(connection) as queries:
                staff.get(reverse(f"admin:{name_of(model)}_changelist"))
            found[name_of(model)] = len(queries)
        return found

    make_payer().post(json=CHAT)
    before = counts()
    for _ in range(5):
        make_payer().post(json=CHAT)
    assert counts() == before


@pytest.mark.parametrize("name", READ_ONLY)
def test_records_are_not_written_here(staff: Client, used: dict[str, str], name: str) -> None:
    [model] = [model for model in registered() if model._meta.model_name == name]
    row = model._default_manager.order_by("-pk").first()  # noqa: SLF001  as above
    assert row is not None
    before = ledger_sums()
    add = reverse(f"admin:{name_of(model)}_add")
    assert (staff.get(add).status_code, staff.post(add, {"amount": "1"}).status_code) == (403, 403)
    for page in ("change", "delete"):
        address = reverse(f"admin:{name_of(model)}_{page}", args=[row.pk])
        assert staff.post(address, {"post": "yes", "frozen": "on"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": [str(row.pk)], "post": "yes"}
    staff.post(reverse(f"admin:{name_of(model)}_changelist"), chosen)
    assert ledger_sums() == before
    assert model._default_manager.filter(pk=row.pk).exists()  # noqa: SLF001  as above


def ledger_sums() -> list[dict[str, Any]]:
    """Add up the journal, without calls: one of another test may be settled at any moment."""
    return rows(
        "SELECT count(*) AS entries, sum(amount) AS total FROM ledger.entry"
        " WHERE kind NOT IN ('usage', 'void', 'lapse')"
    )


@each_model
def test_nobody_but_staff_sees_a_page(open_database: None, model: type[models.Model]) -> None:
    stranger = Client()
    visitor = Client()
    user = User.objects.filter(username="visitor").first() or User.objects.create_user("visitor")
    visitor.force_login(user)
    address = reverse(f"admin:{name_of(model)}_changelist")
    for client in (stranger, visitor):
        page = client.get(address)
        assert (page.status_code, page["location"].split("?")[0]) == (302, "/admin/login/")

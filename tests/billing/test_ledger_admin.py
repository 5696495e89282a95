"""What staff sees of the ledger, and the one thing they may do."""

import re

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import DjangoAssertNumQueries

from billing import ledger, services
from billing.models import Entry, Hold, Lot, MoneyRequest, Wallet
from studio.accounts.models import Workspace
from studio.core.ids import new_id

LISTS = ["wallet", "lot", "hold", "entry"]


@pytest.fixture
def workspace(db: None) -> Workspace:
    """A workspace with a few entries, and an open hold."""
    workspace = Workspace.objects.create(name="Ledger admin")
    services.grant_credits(workspace_id=workspace.pk, amount_ucr=100_000, reason="welcome")
    for _ in range(2):
        held = ledger.HoldItem(
            workspace_id=workspace.pk,
            id=new_id(),
            amount_ucr=10,
            seconds=60,
            price_version=1,
            markup_bp=0,
        )
        ledger.place_holds([held])
    ledger.settle([ledger.SettleItem(workspace_id=workspace.pk, id=held.id, kind="void")])
    return workspace


@pytest.fixture
def clerk(db: None) -> Client:
    """Staff who may view all of the ledger, and no more."""
    user = User.objects.create_user("clerk", is_staff=True)
    user.user_permissions.set(
        Permission.objects.filter(
            content_type__app_label="billing", codename__in=[f"view_{name}" for name in LISTS]
        )
    )
    client = Client()
    client.force_login(user)
    return client


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("term", ["", "Ledger admin", "00000000-0000-0000-0000-000000000000", "7"])
def test_lists_are_read_with_few_queries(
    workspace: Workspace,
    clerk: Client,
    django_assert_max_num_queries: DjangoAssertNumQueries,
    name: str,
    term: str,
) -> None:
    with django_assert_max_num_queries(9):
        page = clerk.get(f"/admin/billing/{name}/", {"q": term} if term else {})
    assert page.status_code == 200


def test_a_search_for_a_workspace_finds_its_rows_only(workspace: Workspace, clerk: Client) -> None:
    other = Workspace.objects.create(name="Ledger other")
    services.grant_credits(workspace_id=other.pk, amount_ucr=5, reason="welcome")
    for term in ("Ledger admin", str(workspace.pk)):
        page = clerk.get("/admin/billing/entry/", {"q": term})
        kinds = [entry.kind for entry in page.context["cl"].result_list]
        assert kinds == ["void", "promo"] or sorted(kinds) == ["promo", "void"]


@pytest.mark.parametrize("name", LISTS)
def test_lists_read_no_whole_column_for_their_filters(
    workspace: Workspace, clerk: Client, name: str
) -> None:
    with CaptureQueriesContext(connection) as queries:
        assert clerk.get(f"/admin/billing/{name}/").status_code == 200
    assert [query["sql"] for query in queries if "DISTINCT" in query["sql"]] == []


@pytest.mark.parametrize(
    ("constraint", "known"),
    [("lot_kind_check", Lot.Kind), ("entry_moves_between_known_accounts", Entry.Kind)],
)
def test_the_filters_offer_what_the_tables_allow(
    db: None, constraint: str, known: type[Lot.Kind] | type[Entry.Kind]
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s", [constraint]
        )
        (definition,) = cursor.fetchone()
    accounts = {"cash", "wallet", "revenue", "receivable", "expired", "granted", "adjustments"}
    allowed = set(re.findall(r"'(\w+)'", definition)) - accounts
    assert allowed == set(known.values)


def test_rows_open_and_offer_nothing_to_change(workspace: Workspace, clerk: Client) -> None:
    for model in (Wallet, Lot, Hold, Entry):
        row = model.objects.filter(wallet_id=workspace.pk)[0]
        address = f"/admin/billing/{model._meta.model_name}/{row.key}/change/"
        assert clerk.get(address).status_code == 200
        assert clerk.post(address, {"frozen": "on"}).status_code == 403
        assert clerk.post(address.replace("change", "delete")).status_code == 403


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("key", ["x", "1_x_0", "999999999999999999999", "-1", "1_1_1_1", "%F0%9F"])
def test_a_key_that_is_none_finds_nothing(clerk: Client, name: str, key: str) -> None:
    assert clerk.get(f"/admin/billing/{name}/{key}/change/").status_code == 302


def test_only_who_may_grant_grants(workspace: Workspace, clerk: Client) -> None:
    address = f"/admin/billing/wallet/{workspace.pk}/grant/"
    form = {"key": str(new_id()), "credits": "1", "reason": "sorry"}
    assert clerk.get(address).status_code == 403
    assert clerk.post(address, form).status_code == 403
    assert Client().post(address, form).status_code == 302
    assert Wallet.objects.get(wallet_id=workspace.pk).available_ucr == 99_990


def test_a_grant_sent_twice_grants_once_and_names_who_gave_it(
    workspace: Workspace, admin_client: Client
) -> None:
    address = f"/admin/billing/wallet/{workspace.pk}/grant/"
    assert admin_client.get(address).status_code == 200
    form = {"key": str(new_id()), "credits": "0.5", "reason": "sorry for the outage"}
    for _ in range(2):
        done = admin_client.post(address, form)
        assert done.status_code == 302
    [entry] = Entry.objects.filter(wallet_id=workspace.pk, kind="grant")
    assert (entry.amount_ucr, entry.ref) == (500_000, f"sorry for the outage [{entry.call_id}]")
    asked = MoneyRequest.objects.get(pk=entry.call_id)
    assert (asked.requested_by.get_username(), asked.state) == ("admin", "executed")


@pytest.mark.parametrize(
    "wrong", [{"credits": "x"}, {"credits": "0"}, {"credits": "-5"}, {"reason": ""}]
)
def test_a_grant_that_makes_no_sense_says_so(
    workspace: Workspace, admin_client: Client, wrong: dict[str, str]
) -> None:
    form = {"key": str(new_id()), "credits": "1", "reason": "sorry", **wrong}
    page = admin_client.post(f"/admin/billing/wallet/{workspace.pk}/grant/", form)
    assert page.status_code == 200
    assert b"errorlist" in page.content
    assert Wallet.objects.get(wallet_id=workspace.pk).available_ucr == 99_990

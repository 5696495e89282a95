"""Finance's pages: who may, what is sent, and that two people are needed."""

import base64
import hashlib
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import Group, Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import AsyncClient, Client
from django.test.utils import CaptureQueriesContext

from billing.models import ClosedMonth, MonthClose, ProviderInvoice
from tests.billing.finance.history import History

REPORTS = "/admin/billing/monthclose/reports/"
CLOSE = "/admin/billing/monthclose/close/"
DRIFT = "/admin/billing/monthclose/drift/"
IMPORT = "/admin/billing/providerinvoice/import/"
ORDER = {"report": "statement", "month": "2025-03", "workspace": "Ann", "form": "csv"}
INVOICE = b"provider,day,model,quantity,amount_usd\nopenai,2025-03-01,gpt-5,1,1\n"


def person(name: str, *groups: str) -> User:
    user = User.objects.create_user(name, is_staff=True)
    user.groups.set(Group.objects.filter(name__in=groups))
    return user


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def wallet(history: History) -> int:
    """A workspace with a March."""
    wallet = history.workspace("Ann")
    history.workspace("Other")
    with history.at("2025-03-05 12:00") as ledger:
        ledger.topped_up(wallet, 1_000)
    return wallet


@pytest.fixture
def clerk(history: History) -> Client:
    """Somebody of finance."""
    return client_of(person("clerk", "finance"))


def test_the_group_has_its_permissions_and_no_others(history: History) -> None:
    found = Permission.objects.filter(group__name="finance").values_list("codename", flat=True)
    assert sorted(found) == [
        "close_month",
        "export_finance",
        "import_invoice",
        "view_monthclose",
        "view_providerinvoice",
    ]


def test_only_who_may_gets_a_report_closes_or_imports(history: History, wallet: int) -> None:
    stranger = client_of(person("support"))
    file = SimpleUploadedFile("a.csv", INVOICE)
    assert stranger.get(REPORTS).status_code == 403
    assert stranger.post(REPORTS, ORDER).status_code == 403
    assert stranger.post(CLOSE, {"month": "2025-03"}).status_code == 403
    assert stranger.get(DRIFT).status_code == 403
    assert stranger.post(IMPORT, {"file": file}).status_code == 403
    assert Client().post(REPORTS, ORDER).status_code == 302
    assert not MonthClose.objects.exists()
    assert not ProviderInvoice.objects.exists()


def test_a_statement_is_sent_with_its_digest(wallet: int, clerk: Client) -> None:
    sent = clerk.post(REPORTS, ORDER)
    data = sent.getvalue()
    name = f"statement-2025-03-workspace-{wallet}.csv"
    assert sent.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    assert sent.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert int(sent.headers["Content-Length"]) == len(data)
    digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
    assert sent.headers["Content-Digest"] == f"sha-256=:{digest}:"
    assert b",topup,paid,1000,0.000001000,1000,0.000001000,test\r\n" in data


def test_the_asynchronous_door_sends_the_same_bytes(wallet: int, clerk: Client) -> None:
    async def fetch() -> bytes:
        door = AsyncClient()
        await door.aforce_login(await User.objects.aget(username="clerk"))
        sent: Any = await door.post(REPORTS, ORDER | {"form": "xlsx"})
        assert sent.is_async
        return b"".join([chunk async for chunk in sent])

    assert async_to_sync(fetch)() == clerk.post(REPORTS, ORDER | {"form": "xlsx"}).getvalue()


@pytest.mark.parametrize("report", ["statements", "roll-forward", "journal", "margins", "stripe"])
def test_every_report_is_sent(wallet: int, clerk: Client, report: str) -> None:
    sent = clerk.post(REPORTS, {"report": report, "month": "2025-03", "form": "xlsx"})
    assert sent.getvalue().startswith(b"PK")


@pytest.mark.parametrize(
    "wrong", [{"month": "x"}, {"workspace": "Nobody"}, {"form": "pdf"}, {"report": "secrets"}]
)
def test_an_order_that_makes_no_sense_says_so(
    wallet: int, clerk: Client, wrong: dict[str, str]
) -> None:
    page = clerk.post(REPORTS, ORDER | wrong)
    assert page.status_code == 200
    assert b"errorlist" in page.content


def test_books_that_do_not_tie_send_no_file(history: History, wallet: int, clerk: Client) -> None:
    history.owner.execute("UPDATE ledger.wallet SET owed = owed + 1 WHERE id = %s", [wallet])
    page = clerk.post(REPORTS, ORDER)
    assert page.status_code == 200
    assert "Content-Disposition" not in page.headers
    assert b"lots less debt" in page.content


def test_two_people_close_a_month_in_the_admin(wallet: int, clerk: Client) -> None:
    assert clerk.get(CLOSE).status_code == 200
    assert clerk.post(CLOSE, {"month": "2025-03"}).status_code == 302
    again = clerk.post(CLOSE, {"month": "2025-03"})
    assert again.status_code == 302
    assert not ClosedMonth.objects.exists()
    other = client_of(person("chief", "finance"))
    assert other.post(CLOSE, {"month": "2025-03"}).status_code == 302
    (closed,) = ClosedMonth.objects.all()
    assert (closed.closed_by, closed.confirmed_by) == ("clerk", "chief")
    page = other.get("/admin/billing/monthclose/")
    assert b"closed by clerk and chief" in page.content


def test_an_invoice_comes_in_by_the_admin_and_its_drift_is_shown(
    wallet: int, clerk: Client
) -> None:
    for _ in range(2):
        file = SimpleUploadedFile("march.csv", INVOICE)
        assert clerk.post(IMPORT, {"file": file}).status_code == 302
    assert ProviderInvoice.objects.get().file_name == "march.csv"
    page = clerk.get(DRIFT, {"month": "2025-03"})
    assert b"1 of 1 rows are above" in page.content
    assert b'<td class="n">1.000000000</td>' in page.content
    assert clerk.get("/admin/billing/providerinvoice/").status_code == 200


def test_bad_lines_of_an_invoice_are_listed(wallet: int, clerk: Client) -> None:
    file = SimpleUploadedFile("march.csv", INVOICE + b"openai,today,gpt-5,1,1\n")
    page = clerk.post(IMPORT, {"file": file})
    assert b"line 3: day" in page.content
    assert not ProviderInvoice.objects.exists()


def test_commands_write_files_whole_and_say_their_digest(
    wallet: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("finance_statement", workspace="Ann", month="2025-03", folder=tmp_path)
    call_command("finance_export", month="2025-03", format="csv", folder=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "journal-2025-03.csv",
        "margins-2025-03.csv",
        "provider-invoices-2025-03.csv",
        "roll-forward-2025-03.csv",
        f"statement-2025-03-workspace-{wallet}.xlsx",
        "statements-2025-03.csv",
        "stripe-2025-03.csv",
    ]
    digest = hashlib.sha256((tmp_path / "journal-2025-03.csv").read_bytes()).hexdigest()
    assert digest in capsys.readouterr().out


def test_a_command_leaves_no_file_of_books_that_do_not_tie(
    history: History, wallet: int, tmp_path: Path
) -> None:
    history.owner.execute("UPDATE ledger.wallet SET owed = owed + 1 WHERE id = %s", [wallet])
    with pytest.raises(CommandError):
        call_command("finance_statement", workspace="Ann", month="2025-03", folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_two_people_close_a_month_by_command(wallet: int) -> None:
    for name in ("ann", "bob"):
        person(name, "finance")
    person("support")
    with pytest.raises(CommandError):
        call_command("close_month", month="2025-03", username="support")
    for _ in range(2):
        call_command("close_month", month="2025-03", username="ann")
    assert not ClosedMonth.objects.exists()
    call_command("close_month", month="2025-03", username="bob")
    assert ClosedMonth.objects.get().confirmed_by == "bob"


def test_a_command_imports_an_invoice_or_lists_its_bad_lines(
    history: History, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    person("ann", "finance")
    path = tmp_path / "march.csv"
    path.write_bytes(INVOICE + b"x\n")
    with pytest.raises(CommandError, match="line 3: 1 values"):
        call_command("import_provider_invoice", path, username="ann")
    assert not ProviderInvoice.objects.exists()
    path.write_bytes(INVOICE)
    call_command("import_provider_invoice", path, username="ann")
    call_command("import_provider_invoice", path, username="ann")
    assert capsys.readouterr().out.splitlines() == [
        "Imported: 1 lines, $1.000000000.",
        "Imported before: 1 lines, $1.000000000.",
    ]


def test_the_list_of_months_asks_no_more_for_more_months(history: History, clerk: Client) -> None:
    staff = User.objects.get(username="clerk")

    def questions() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert clerk.get("/admin/billing/monthclose/").status_code == 200
        return len(queries)

    MonthClose.objects.create(month=date(2024, 1, 1), requested_by=staff)
    before = questions()
    for month in range(2, 9):
        MonthClose.objects.create(month=date(2024, month, 1), requested_by=staff)
    assert questions() == before

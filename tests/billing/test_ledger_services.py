"""The ledger through its Python doors: typed functions, services, the command, the sweeps."""

from datetime import timedelta
from functools import partial
from io import StringIO

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from billing import ledger, services, tasks
from billing.errors import CreditMismatch, CreditRefused, WalletNotFound
from billing.ledger import HoldItem, HoldVerdict, SettleItem, SettleVerdict
from billing.models import Entry, Hold
from billing.queries import Balance, read_balance
from studio.accounts.models import Workspace
from studio.core.ids import event_id, new_id
from tests.databases import Database, django_on


@pytest.fixture
def workspace(db: None) -> Workspace:
    """A workspace without credit."""
    return Workspace.objects.create(name="Ledger services")


def item(workspace: Workspace, amount_ucr: int) -> HoldItem:
    return HoldItem(
        workspace_id=workspace.pk,
        id=new_id(),
        amount_ucr=amount_ucr,
        seconds=60,
        price_version=7,
        markup_bp=2000,
    )


def test_a_call_through_python(workspace: Workspace) -> None:
    services.grant_credits(workspace_id=workspace.pk, amount_ucr=100, reason="welcome")
    items = [item(workspace, 60), item(workspace, 60)]
    assert ledger.place_holds(items) == [
        HoldVerdict(verdict="held", available_ucr=40),
        HoldVerdict(verdict="insufficient", available_ucr=40),
    ]
    calls = [(workspace.pk, hold.id) for hold in items]
    assert ledger.extend(calls, seconds=90) == [True, False]
    end = SettleItem(
        workspace_id=workspace.pk, id=items[0].id, kind="usage", charge_ucr=50, cost_ucr=30
    )
    verdict = SettleVerdict(verdict="usage", fresh=True, charged_ucr=50, available_ucr=50)
    assert ledger.settle([end]) == [verdict]
    entry = Entry.objects.get(call_id=items[0].id)
    assert (entry.amount_ucr, entry.cost_ucr) == (50, 30)
    assert (entry.price_version, entry.markup_bp) == (7, 2000)
    assert (ledger.place_holds([]), ledger.settle([]), ledger.extend([], seconds=1)) == ([], [], [])


def test_a_grant_keeps_its_reason_and_happens_once_per_id(workspace: Workspace) -> None:
    once = event_id("grant:test")
    grant = partial(
        services.grant_credits, workspace_id=workspace.pk, reason=" welcome ", credit_id=once
    )
    first = grant(amount_ucr=5)
    assert (first.verdict, first.available_ucr) == ("credited", 5)
    assert grant(amount_ucr=5).verdict == "replay"
    with pytest.raises(CreditMismatch):
        grant(amount_ucr=6)
    entry = Entry.objects.get(wallet_id=workspace.pk)
    assert (entry.kind, entry.amount_ucr, entry.ref) == ("promo", 5, "welcome")


@pytest.mark.parametrize(
    ("amount_ucr", "reason"), [(0, "x"), (-1, "x"), (10**17 + 1, "x"), (1, " "), (1, "a\nb")]
)
def test_a_grant_that_makes_no_sense_is_refused(
    workspace: Workspace, amount_ucr: int, reason: str
) -> None:
    with pytest.raises(CreditRefused):
        services.grant_credits(workspace_id=workspace.pk, amount_ucr=amount_ucr, reason=reason)
    assert not Entry.objects.filter(wallet_id=workspace.pk).exists()


def test_a_grant_to_nobody_is_refused(db: None) -> None:
    with pytest.raises(WalletNotFound):
        services.grant_credits(workspace_id=2**60, amount_ucr=1, reason="x")


def test_balance_tells_available_held_and_expiring_apart(workspace: Workspace) -> None:
    assert read_balance(workspace.pk) == Balance(
        available_ucr=0, held_ucr=0, expiring_ucr=0, next_expiry=None
    )
    soon, later = (timezone.now() + timedelta(days=days) for days in (3, 300))
    for amount_ucr, expires_at in (
        (100, soon),
        (20, later),
        (3, None),
        (999, soon - timedelta(days=4)),
    ):
        services.grant_credits(
            workspace_id=workspace.pk, amount_ucr=amount_ucr, reason="x", expires_at=expires_at
        )
    ledger.place_holds([item(workspace, 30)])
    assert read_balance(workspace.pk) == Balance(
        available_ucr=93, held_ucr=30, expiring_ucr=70, next_expiry=soon
    )


def test_the_sweeps_run_until_nothing_is_left(fresh_database: Database) -> None:
    size = services.SWEEP_LIMIT + 1
    with django_on(fresh_database), psycopg.connect(fresh_database.owner_url) as owner:
        workspace = Workspace.objects.create(name="Ledger sweeps")
        with transaction.atomic():
            for _ in range(size):
                ledger.credit(
                    workspace_id=workspace.pk, id=new_id(), kind="promo", amount_ucr=2, ref="x"
                )
        ledger.place_holds([item(workspace, 1) for _ in range(size)])
        assert (tasks.sweep_holds(), tasks.sweep_lots()) == (0, 0)
        owner.execute("UPDATE ledger.hold SET expires_at = now() - interval '1 second'")
        owner.execute("UPDATE ledger.lot SET expires_at = now() - interval '1 second'")
        owner.commit()
        assert (tasks.sweep_holds(), tasks.sweep_lots()) == (size, size)
        assert Entry.objects.filter(kind="expiry").aggregate(Sum("amount_ucr")) == {
            "amount_ucr__sum": 2 * size
        }
        assert not Hold.objects.exists()


def test_the_command_grants_decimals_and_says_what_there_is(workspace: Workspace) -> None:
    said = StringIO()
    for _ in range(2):
        call_command(
            "grant_credits",
            workspace="Ledger services",
            credits="0.25",
            once="welcome",
            reason="first steps",
            stdout=said,
        )
    assert said.getvalue() == (
        "Granted 0.25 credits.\nLedger services has 0.25 credits available.\n"
        "Granted before: 0.25 credits.\nLedger services has 0.25 credits available.\n"
    )
    entry = Entry.objects.get(wallet_id=workspace.pk)
    assert (entry.amount_ucr, entry.ref) == (250_000, "first steps")


@pytest.mark.parametrize(
    ("name", "amount", "message"),
    [
        ("Nobody", "1", "No workspace named 'Nobody': create_app_key makes one."),
        ("Ledger services", "one", "not an amount of credits: 'one'"),
        ("Ledger services", "0.0000001", "credits have at most 6 decimal places: '0.0000001'"),
        ("Ledger services", "NaN", "credits have at most 6 decimal places: 'NaN'"),
        ("Ledger services", "-1", "A grant is more than 0 and at most 100 000 000 000 credits"),
    ],
)
def test_the_command_says_what_is_wrong(
    workspace: Workspace, name: str, amount: str, message: str
) -> None:
    with pytest.raises(CommandError) as refused:
        call_command("grant_credits", workspace=name, credits=amount)
    assert str(refused.value) == message
    assert not Entry.objects.filter(wallet_id=workspace.pk).exists()

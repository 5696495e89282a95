"""Spend caps per calendar window: the windows, across clock changes, and setting caps."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection

from billing.budgets import (
    BudgetItem,
    Period,
    Window,
    forget_spends,
    read_budgets,
    window_at,
    window_from,
    zone_of,
)
from billing.errors import BudgetRefused
from billing.models import Budget, BudgetSpend
from gateway.budgets import set_budgets
from studio.accounts.models import Workspace
from studio.accounts.services import create_app_key, create_workspace
from tests.databases import Database, django_on

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"
HALF_HOUR = "Australia/Lord_Howe"  # +10:30, and +11:00 in its summer: a change of half an hour
KOLKATA = "Asia/Kolkata"  # +5:30 all year
HAVANA = "America/Havana"  # changes at midnight: one midnight twice, one not at all

# zone, period, a moment, and the window it lies in (all UTC)
WINDOWS = [
    # Berlin, 29 March 2026: 02:00 becomes 03:00; the day has 23 hours.
    (BERLIN, "day", "2026-03-28T22:59:59", "2026-03-27T23:00", "2026-03-28T23:00"),
    (BERLIN, "day", "2026-03-28T23:00:00", "2026-03-28T23:00", "2026-03-29T22:00"),
    (BERLIN, "day", "2026-03-29T21:59:59", "2026-03-28T23:00", "2026-03-29T22:00"),
    (BERLIN, "day", "2026-03-29T22:00:00", "2026-03-29T22:00", "2026-03-30T22:00"),
    (BERLIN, "week", "2026-03-29T12:00:00", "2026-03-22T23:00", "2026-03-29T22:00"),
    (BERLIN, "month", "2026-03-31T21:59:59", "2026-02-28T23:00", "2026-03-31T22:00"),
    # Berlin, 25 October 2026: 03:00 becomes 02:00; the day has 25 hours.
    (BERLIN, "day", "2026-10-24T22:00:00", "2026-10-24T22:00", "2026-10-25T23:00"),
    (BERLIN, "day", "2026-10-25T00:30:00", "2026-10-24T22:00", "2026-10-25T23:00"),
    (BERLIN, "day", "2026-10-25T01:30:00", "2026-10-24T22:00", "2026-10-25T23:00"),
    (BERLIN, "day", "2026-10-25T22:59:59", "2026-10-24T22:00", "2026-10-25T23:00"),
    (BERLIN, "day", "2026-10-25T23:00:00", "2026-10-25T23:00", "2026-10-26T23:00"),
    (BERLIN, "week", "2026-10-25T22:59:59", "2026-10-18T22:00", "2026-10-25T23:00"),
    (BERLIN, "month", "2026-10-25T01:30:00", "2026-09-30T22:00", "2026-10-31T23:00"),
    # New York, 8 March 2026: 02:00 becomes 03:00.
    (NEW_YORK, "day", "2026-03-08T04:59:59", "2026-03-07T05:00", "2026-03-08T05:00"),
    (NEW_YORK, "day", "2026-03-08T05:00:00", "2026-03-08T05:00", "2026-03-09T04:00"),
    (NEW_YORK, "week", "2026-03-08T12:00:00", "2026-03-02T05:00", "2026-03-09T04:00"),
    (NEW_YORK, "month", "2026-03-08T07:00:00", "2026-03-01T05:00", "2026-04-01T04:00"),
    # New York, 1 November 2026: 02:00 becomes 01:00, on the first of a month.
    (NEW_YORK, "day", "2026-11-01T03:59:59", "2026-10-31T04:00", "2026-11-01T04:00"),
    (NEW_YORK, "day", "2026-11-01T04:00:00", "2026-11-01T04:00", "2026-11-02T05:00"),
    (NEW_YORK, "day", "2026-11-02T04:59:59", "2026-11-01T04:00", "2026-11-02T05:00"),
    (NEW_YORK, "month", "2026-11-01T05:30:00", "2026-11-01T04:00", "2026-12-01T05:00"),
    (NEW_YORK, "month", "2026-11-01T03:59:59", "2026-10-01T04:00", "2026-11-01T04:00"),
    # Lord Howe, 5 April and 4 October 2026: half an hour back, and forth.
    (HALF_HOUR, "day", "2026-04-04T13:00:00", "2026-04-04T13:00", "2026-04-05T13:30"),
    (HALF_HOUR, "day", "2026-04-05T13:29:59", "2026-04-04T13:00", "2026-04-05T13:30"),
    (HALF_HOUR, "day", "2026-10-03T13:30:00", "2026-10-03T13:30", "2026-10-04T13:00"),
    (HALF_HOUR, "month", "2026-10-04T00:00:00", "2026-09-30T13:30", "2026-10-31T13:00"),
    (KOLKATA, "day", "2026-11-20T18:29:59", "2026-11-19T18:30", "2026-11-20T18:30"),
    (KOLKATA, "day", "2026-11-20T18:30:00", "2026-11-20T18:30", "2026-11-21T18:30"),
    (KOLKATA, "month", "2026-12-31T18:30:00", "2026-12-31T18:30", "2027-01-31T18:30"),
    # Havana, 1 November 2026: 01:00 becomes 00:00, midnight comes twice; 8 March: never.
    (HAVANA, "day", "2026-11-01T04:30:00", "2026-11-01T04:00", "2026-11-02T05:00"),
    (HAVANA, "day", "2026-11-01T05:30:00", "2026-11-01T04:00", "2026-11-02T05:00"),
    (HAVANA, "day", "2026-03-08T05:00:00", "2026-03-08T05:00", "2026-03-09T04:00"),
    ("UTC", "week", "2026-01-01T00:00:00", "2025-12-29T00:00", "2026-01-05T00:00"),
    ("UTC", "month", "2028-02-29T23:59:59", "2028-02-01T00:00", "2028-03-01T00:00"),
]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.fixture
def workspace(fresh_database: Database) -> Iterator[Workspace]:
    """A workspace in Berlin, on a database of its own."""
    with django_on(fresh_database):
        made = create_workspace(name="Budgets", tier="managed")
        Workspace.objects.filter(pk=made.pk).update(time_zone=BERLIN)
        yield made


@pytest.mark.parametrize(("zone", "period", "moment", "starts", "ends"), WINDOWS)
def test_a_moment_lies_in_the_window_of_its_own_calendar(
    zone: str, period: Period, moment: str, starts: str, ends: str
) -> None:
    window = window_at(period, ZoneInfo(zone), utc(moment))
    assert (window.starts_at, window.ends_at) == (utc(starts), utc(ends))
    assert window.starts_at <= utc(moment) < window.ends_at


@pytest.mark.django_db
@pytest.mark.parametrize("zone", [BERLIN, NEW_YORK, HALF_HOUR, KOLKATA, HAVANA, "UTC"])
def test_the_database_counts_in_the_same_windows(zone: str) -> None:
    """Every half hour of a year."""
    query = """
        SELECT m, billing_window_start('day', %s, m), billing_window_start('week', %s, m),
               billing_window_start('month', %s, m)
        FROM generate_series('2026-01-01Z'::timestamptz, '2027-01-01Z', '30 minutes') m
    """
    with connection.cursor() as cursor:
        cursor.execute(query, [zone] * 3)
        found = cursor.fetchall()
    assert len(found) == 365 * 48 + 1
    periods: tuple[Period, ...] = ("day", "week", "month")
    for moment, *starts in found:
        expected = [window_at(period, ZoneInfo(zone), moment).starts_on for period in periods]
        assert starts == expected


@pytest.mark.django_db
def test_a_zone_that_nobody_knows_counts_as_utc() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT billing_window_start('day', 'Mars/Base', '2026-11-21 23:30Z')")
        assert cursor.fetchone() == (date(2026, 11, 21),)
    assert zone_of("Mars/Base") == zone_of("../etc/passwd") == ZoneInfo("UTC")


def test_windows_follow_each_other_without_a_gap() -> None:
    for zone in (BERLIN, NEW_YORK, HALF_HOUR, HAVANA):
        window = window_from("day", ZoneInfo(zone), date(2026, 1, 1))
        for _ in range(366):
            following = window_at("day", ZoneInfo(zone), window.ends_at)
            assert following.starts_at == window.ends_at
            window = following
        assert window.starts_on == date(2027, 1, 2)


def test_caps_are_set_read_and_replaced(workspace: Workspace) -> None:
    items = [
        BudgetItem(period="month", cap_ucr=5_000_000, alert_percent=80),
        BudgetItem(period="day", cap_ucr=1_000_000, app_id="shop"),
    ]
    states = set_budgets(workspace_id=workspace.pk, items=items)
    assert [state.item for state in states] == items
    assert [state.item.scope for state in states] == ["workspace", "app"]
    now = datetime.now(UTC)
    assert states[0].window == window_at("month", ZoneInfo(BERLIN), now)
    assert states[0].spent_ucr == 0
    kept = states[1].id
    BudgetSpend.objects.create(
        budget_id=kept, starts_on=states[1].window.starts_on, spent_ucr=7, told_percent=0
    )
    again = set_budgets(
        workspace_id=workspace.pk,
        items=[BudgetItem(period="day", cap_ucr=2_000_000, app_id="shop", alert_percent=50)],
    )
    assert [(state.id, state.spent_ucr, state.item.cap_ucr) for state in again] == [
        (kept, 7, 2_000_000)
    ]
    assert set_budgets(workspace_id=workspace.pk, items=[]) == []


REFUSED = [
    [BudgetItem(period="day", cap_ucr=0)],
    [BudgetItem(period="day", cap_ucr=10**17 + 1)],
    [BudgetItem(period="day", cap_ucr=1, alert_percent=0)],
    [BudgetItem(period="day", cap_ucr=1, alert_percent=100)],
    [BudgetItem(period="day", cap_ucr=1, app_id="")],
    [BudgetItem(period="day", cap_ucr=1, app_id="x" * 201)],
    [BudgetItem(period="day", cap_ucr=1, app_id="a\nb")],
    [BudgetItem(period="day", cap_ucr=1, app_id="a", key_id="b")],
    [BudgetItem(period="day", cap_ucr=1, key_id="nobody's")],
    [BudgetItem(period="day", cap_ucr=1), BudgetItem(period="day", cap_ucr=2)],
    [BudgetItem(period="day", cap_ucr=1, app_id=str(number)) for number in range(101)],
]


@pytest.mark.parametrize("items", REFUSED)
def test_what_makes_no_sense_is_refused_and_leaves_what_was_there(
    workspace: Workspace, items: list[BudgetItem]
) -> None:
    before = set_budgets(
        workspace_id=workspace.pk, items=[BudgetItem(period="week", cap_ucr=1_000)]
    )
    with pytest.raises(BudgetRefused):
        set_budgets(workspace_id=workspace.pk, items=items)
    assert read_budgets(workspace.pk) == before


def test_another_workspace_s_key_is_not_known(workspace: Workspace) -> None:
    other = create_workspace(name="Other", tier="managed")
    issued = create_app_key(workspace_id=other.pk)
    with connection.cursor() as cursor:
        cursor.execute("SELECT key_id FROM accounts_appkey WHERE id = %s", [issued.app_key_id])
        (key_id,) = cursor.fetchone()
    item = BudgetItem(period="day", cap_ucr=1, key_id=key_id)
    with pytest.raises(BudgetRefused):
        set_budgets(workspace_id=workspace.pk, items=[item])
    assert Budget.objects.count() == 0
    [state] = set_budgets(workspace_id=other.pk, items=[item])
    assert state.item == item


def test_old_counts_and_those_of_caps_that_are_gone_are_forgotten(workspace: Workspace) -> None:
    [state] = set_budgets(workspace_id=workspace.pk, items=[BudgetItem(period="day", cap_ucr=9)])
    now = datetime.now(UTC)
    for budget_id, starts_on, counted_at in (
        (state.id, state.window.starts_on, now),
        (state.id, date(2020, 1, 1), now),
        (state.id + 1, state.window.starts_on, now - timedelta(days=2)),
        (state.id + 2, state.window.starts_on, now),
    ):
        BudgetSpend.objects.create(
            budget_id=budget_id, starts_on=starts_on, spent_ucr=1, counted_at=counted_at
        )
    assert forget_spends() == 2
    kept = sorted(BudgetSpend.objects.values_list("budget_id", flat=True))
    assert kept == [state.id, state.id + 2]


def test_a_window_says_its_day() -> None:
    window = window_at("week", ZoneInfo(BERLIN), utc("2026-11-21T12:00"))
    assert window == Window(
        starts_on=date(2026, 11, 16),
        starts_at=utc("2026-11-15T23:00"),
        ends_at=utc("2026-11-22T23:00"),
    )

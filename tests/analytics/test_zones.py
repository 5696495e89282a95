"""Hours, days and months begin by the workspace's own clock, also on days when clocks change."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from analytics import rebuilding, services, tasks, zones
from analytics.models import Calendar
from studio.accounts.models import Workspace
from tests.analytics.cube_stage import Connection, read_cubes, roll_all, violations, write
from tests.databases import Database, rows

ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Havana",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "Australia/Adelaide",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Pacific/Kiritimati",
    "Pacific/Chatham",
    "Pacific/Pago_Pago",
]
CHANGES = [date(2026, 3, 8), date(2026, 3, 29), date(2026, 4, 5), date(2026, 10, 4)]
CHANGES += [date(2026, 10, 25), date(2026, 11, 1)]
BY_RAW = """
SELECT {bucket} AS bucket, sum(u.request_count)::int AS n FROM usage u
WHERE u.workspace_id = %s GROUP BY 1 ORDER BY 1
"""
BUCKETS = {
    "hour": ("cube_hour", "date_trunc('hour', u.at, %s)"),
    "day": ("cube_day", "(u.at AT TIME ZONE %s)::date"),
    "month": ("cube_month", "date_trunc('month', u.at AT TIME ZONE %s)::date"),
}


@pytest.fixture
def workspace(cubes: Database) -> Workspace:
    """A workspace by the clock of UTC."""
    return Workspace.objects.create(name="Zones")


def write_around_changes(app: Connection, owner: Connection, workspace_id: int) -> None:
    """Write a row every 40 minutes around each day on which some clock changes."""
    owner.execute("SELECT analytics.make_partitions('2026-02-01', '2026-12-01')")
    for day in CHANGES:
        begin = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=26)
        for number in range(110):
            at = begin + timedelta(minutes=40 * number)
            write(app, at=at, workspace_id=workspace_id, charge_ucr=number, latency_ms=number)


def move(workspace: Workspace, zone: str) -> None:
    """Let staff change the zone."""
    Workspace.objects.filter(pk=workspace.pk).update(time_zone=zone)


def assert_as_raw(workspace_id: int, zone: str) -> None:
    """Compare each bucket's requests with the raw rows'."""
    for bucket, (cube, expression) in BUCKETS.items():
        expected = rows(BY_RAW.format(bucket=expression), zone, workspace_id)
        found = rows(
            f"SELECT {bucket} AS bucket, sum(request_count)::int AS n FROM analytics.{cube}"  # noqa: S608
            " WHERE workspace_id = %s GROUP BY 1 ORDER BY 1",
            workspace_id,
        )
        assert found == expected


def test_sums_are_those_of_the_raw_rows_in_every_zone_and_after_every_move(
    cubes_app: Connection, cubes_owner: Connection, workspace: Workspace
) -> None:
    write_around_changes(cubes_app, cubes_owner, workspace.pk)
    roll_all()
    assert_as_raw(workspace.pk, "UTC")
    for zone in ZONES[1:]:
        move(workspace, zone)
        assert tasks.follow_zones() == 1
        assert_as_raw(workspace.pk, zone)
        assert violations() == []
    assert tasks.follow_zones() == 0


def test_a_new_workspace_is_summed_by_its_own_clock_from_the_start(
    cubes_app: Connection, cubes_owner: Connection, workspace: Workspace
) -> None:
    move(workspace, "Asia/Kathmandu")
    write_around_changes(cubes_app, cubes_owner, workspace.pk)
    roll_all()
    assert_as_raw(workspace.pk, "Asia/Kathmandu")
    assert tasks.follow_zones() == 0
    for month in (date(2026, 3, 1), date(2026, 11, 1)):
        before = read_cubes()
        rebuilding.rebuild_month(workspace_id=workspace.pk, month=month)
        assert read_cubes() == before


def test_months_whose_rows_are_gone_keep_their_borders_and_the_calendar_says_so(
    cubes_app: Connection, cubes_owner: Connection, workspace: Workspace
) -> None:
    write_around_changes(cubes_app, cubes_owner, workspace.pk)
    roll_all()
    before = {row["day"]: row["n"] for row in days(workspace.pk)}
    total = sum(before.values())
    cubes_owner.execute(
        "UPDATE analytics.kept_from SET month = '2026-09-01' WHERE table_name = 'usage'"
    )
    move(workspace, "Asia/Kathmandu")
    assert zones.follow_zone(workspace.pk)
    after = {row["day"]: row["n"] for row in days(workspace.pk)}
    assert {day: n for day, n in after.items() if day < date(2026, 10, 1)} == {
        day: n for day, n in before.items() if day < date(2026, 10, 1)
    }
    assert after != before
    assert sum(after.values()) == total
    calendar = Calendar.objects.get(pk=workspace.pk)
    assert (calendar.time_zone, calendar.own_days_from) == ("Asia/Kathmandu", date(2026, 10, 2))
    assert violations() == []


def test_a_zone_that_postgresql_does_not_know_counts_as_utc(
    cubes_app: Connection, workspace: Workspace
) -> None:
    move(workspace, "Mars/Olympus")
    write(cubes_app, workspace_id=workspace.pk)
    roll_all()
    assert Calendar.objects.get(pk=workspace.pk).time_zone == "UTC"
    assert tasks.follow_zones() == 0


def test_a_week_begins_when_the_workspace_says(workspace: Workspace) -> None:
    services.set_week_start(workspace_id=workspace.pk, week_start=Calendar.Weekday.SUNDAY)
    calendar = Calendar.objects.get(pk=workspace.pk)
    assert (calendar.week_start, calendar.time_zone) == (7, "UTC")
    for wrong in (0, 8):
        with pytest.raises(ValueError, match="1 .Monday. to 7"):
            services.set_week_start(workspace_id=workspace.pk, week_start=wrong)
    assert Calendar.objects.get(pk=workspace.pk).week_start == 7


def days(workspace_id: int) -> list[dict[str, Any]]:
    """List a workspace's days with their requests."""
    return rows(
        "SELECT day, sum(request_count)::int AS n FROM analytics.cube_day WHERE workspace_id = %s"
        " GROUP BY 1 ORDER BY 1",
        workspace_id,
    )


def test_the_months_of_the_set_are_in_the_zones_own_rules() -> None:
    moved = [
        day
        for day in CHANGES
        for zone in map(ZoneInfo, ZONES)
        if datetime(day.year, day.month, day.day, tzinfo=zone).utcoffset()
        != datetime(day.year, day.month, day.day, 23, tzinfo=zone).utcoffset()
    ]
    assert set(moved) == set(CHANGES)

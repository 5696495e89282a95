"""Months that are over may go, when their sums are sealed; a restored database is refused."""

from datetime import UTC, date, datetime
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import override_settings
from psycopg import errors

from analytics import rolling, tasks
from analytics.partitions import Kept, Part, Refused, due, retire, seal
from gateway.reconcile import find_violations
from gateway.retiring import retire_due
from studio.supervisor.places import CannotStart
from tests.analytics.cube_stage import Connection, read_cubes, roll_all, violations, write
from tests.conftest import StartGateway
from tests.databases import Database, django_on, rows

MARCH, APRIL = date(2026, 3, 1), date(2026, 4, 1)
TODAY = date(2026, 11, 21)
KEPT = Kept(raw_months=7)
PARTS = (
    "SELECT inhrelid::regclass::text AS part FROM pg_inherits WHERE inhparent = 'usage'::regclass"
)

NEXT_MONTH = "SELECT (date_trunc('month', now()) + interval '1 month')::date AS day"


@pytest.fixture
def spring(cubes_app: Connection, cubes_owner: Connection) -> None:
    """Usage of March and of April, by a user's key, so that the ledger knows nothing of it."""
    cubes_owner.execute("SELECT analytics.make_partitions('2026-03-01', '2026-05-01')")
    for month in (3, 4):
        for workspace_id in (1, 2):
            at = datetime(2026, month, 15, tzinfo=UTC)
            write(cubes_app, at=at, workspace_id=workspace_id, billing="byok", cost_ucr=5)
    roll_all()


def parts() -> list[str]:
    """List the partitions of usage before this summer."""
    return sorted(row["part"] for row in rows(PARTS) if row["part"] < "usage_2026_06")


def test_a_month_that_is_due_goes_and_its_sums_stay(spring: None, cubes_owner: Connection) -> None:
    sums = read_cubes()
    assert retire_due(cubes_owner, kept=KEPT, today=TODAY) == [
        *[Part("cube_hour", date(2026, month, 1)) for month in (2, 3, 4, 5, 6)],
        Part("usage", MARCH),
    ]
    assert parts() == ["usage_2026_04", "usage_2026_05"]
    after = read_cubes()
    assert after.pop("cube_hour") == []
    sums.pop("cube_hour")
    assert after == sums
    seals = rows("SELECT workspace_id, month, row_count, cost_ucr FROM analytics.month_seal")
    assert seals == [
        {"workspace_id": n, "month": MARCH, "row_count": 1, "cost_ucr": 5} for n in (1, 2)
    ]
    assert violations() == []
    assert retire_due(cubes_owner, kept=KEPT, today=TODAY) == []


def test_a_retired_month_takes_no_row_any_more(
    spring: None, cubes_app: Connection, cubes_owner: Connection
) -> None:
    retire_due(cubes_owner, kept=KEPT, today=TODAY)
    with pytest.raises(errors.CheckViolation):
        write(cubes_app, at=datetime(2026, 3, 20, tzinfo=UTC))
    with pytest.raises(errors.CheckViolation, match="is retired"):
        cubes_app.execute("SELECT analytics.make_partitions('2026-03-01', '2026-05-01')")
    write(cubes_app, at=datetime(2026, 4, 20, tzinfo=UTC), billing="byok")
    roll_all()
    assert violations() == []


def test_rows_that_are_not_summed_yet_keep_their_month(
    spring: None, cubes_app: Connection, cubes_owner: Connection
) -> None:
    write(cubes_app, at=datetime(2026, 3, 20, tzinfo=UTC), billing="byok")
    with pytest.raises(Refused, match="not in the cubes yet"):
        seal(cubes_owner, Part("usage", MARCH))
    with pytest.raises(Refused, match="not sealed"):
        retire(cubes_owner, Part("usage", MARCH))
    assert "usage_2026_03" in parts()
    assert rows("SELECT * FROM analytics.month_seal") == []


def test_a_row_that_comes_after_the_seal_keeps_its_month(
    spring: None, cubes_app: Connection, cubes_owner: Connection
) -> None:
    seal(cubes_owner, Part("usage", MARCH))
    write(cubes_app, at=datetime(2026, 3, 20, tzinfo=UTC), billing="byok")
    with pytest.raises(Refused, match="has changed since"):
        retire(cubes_owner, Part("usage", MARCH))
    assert "usage_2026_03" in parts()
    roll_all()
    seal(cubes_owner, Part("usage", MARCH))
    retire(cubes_owner, Part("usage", MARCH))
    assert "usage_2026_03" not in parts()


def test_a_month_that_the_ledger_contradicts_is_not_retired(
    spring: None, cubes_app: Connection, cubes_owner: Connection
) -> None:
    write(cubes_app, at=datetime(2026, 3, 21, tzinfo=UTC), charge_ucr=1)
    roll_all()
    with pytest.raises(Refused, match="2026-03: usage and ledger differ in 1 workspaces"):
        retire_due(cubes_owner, kept=KEPT, today=TODAY)
    assert "usage_2026_03" in parts()
    found = [violation.source for violation in find_violations()]
    assert found == ["usage", "seals"]


def test_a_partition_that_next_month_needs_and_nobody_made_is_a_violation(
    cubes_owner: Connection,
) -> None:
    assert violations() == []
    month = rows(NEXT_MONTH)[0]["day"]
    cubes_owner.execute(f"DROP TABLE usage_{month:%Y_%m}, analytics.user_day_{month:%Y_%m}")
    assert sorted(found[:4] for found in violations()) == [
        ("no partition for next month", table, 0, month) for table in ("usage", "user_day")
    ]
    tasks.make_partitions()
    assert violations() == []


def test_a_web_process_does_not_start_on_numbers_of_another_cluster(
    fresh_database: Database, start_gateway: StartGateway
) -> None:
    with psycopg.connect(fresh_database.app_url, autocommit=True) as app:
        write(app, transaction_id=10**12)
    with pytest.raises(CannotStart, match="analytics_rebase"):
        start_gateway(fresh_database)


def test_the_oldest_month_goes_first(spring: None, cubes_owner: Connection) -> None:
    seal(cubes_owner, Part("usage", APRIL))
    with pytest.raises(Refused, match="not its oldest"):
        retire(cubes_owner, Part("usage", APRIL))
    assert "usage_2026_04" in parts()


def test_settles_go_on_while_a_month_is_taken_away(
    spring: None, cubes: Database, cubes_app: Connection, cubes_owner: Connection
) -> None:
    seal(cubes_owner, Part("usage", MARCH))
    with psycopg.connect(cubes.app_url) as settling:
        write(settling, billing="byok")
        # The settle holds its lock, so that the detachment waits, gives up, and is finished later.
        with pytest.raises(errors.LockNotAvailable):
            retire(cubes_owner, Part("usage", MARCH))
        write(cubes_app, billing="byok")
    assert due(cubes_owner, kept=KEPT, today=TODAY)[-1] == Part("usage", MARCH)
    retire(cubes_owner, Part("usage", MARCH))
    assert "usage_2026_03" not in parts()
    roll_all()
    assert violations() == []


def test_nothing_of_usage_is_due_unless_an_operator_says_how_long_it_is_kept(
    spring: None, cubes_owner: Connection
) -> None:
    found = due(cubes_owner, kept=Kept(raw_months=None), today=date(2029, 1, 1))
    assert {part.table for part in found} == {"cube_hour", "cube_day", "user_day"}


def test_the_command_names_what_is_due_and_needs_the_owner(
    spring: None, cubes: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    with override_settings(DATABASE_OWNER_URL=""), pytest.raises(CommandError, match="OWNER_URL"):
        call_command("analytics_retire")
    with override_settings(DATABASE_OWNER_URL=cubes.owner_url, USAGE_HOURS_KEPT_DAYS=10_000):
        call_command("analytics_retire", "--dry-run")
    assert "due" in capsys.readouterr().out
    assert "usage_2026_03" in parts()


def test_a_database_from_another_cluster_is_refused_until_it_is_rebased(
    fresh_database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    with psycopg.connect(fresh_database.app_url, autocommit=True) as app:
        for number in range(3):
            write(app, transaction_id=10**12 + number, charge_ucr=1)
    with django_on(fresh_database):
        with pytest.raises(rolling.NumbersFromAnotherCluster, match="analytics_rebase"):
            rolling.roll()
        assert rows("SELECT * FROM analytics.cube_day") == []
        settings: Any = override_settings(DATABASE_OWNER_URL=fresh_database.owner_url)
        with settings:
            with (
                psycopg.connect(fresh_database.app_url),
                pytest.raises(CommandError, match="other connections"),
            ):
                call_command("analytics_rebase")
            call_command("analytics_rebase")
    with (
        django_on(fresh_database),
        psycopg.connect(fresh_database.app_url, autocommit=True) as app,
    ):
        write(app, charge_ucr=1)
        newest = rows("SELECT max(transaction_id) AS n FROM usage")[0]["n"]
        assert newest > 10**12 + 2
        while rolling.roll().watermark <= newest:
            pass
        assert rows("SELECT sum(charge_ucr)::int AS n FROM analytics.cube_day") == [{"n": 4}]
        assert violations() == []
        call_command("analytics_rebase")
    assert "nothing to do" in capsys.readouterr().out

"""Rows of usage come into the cubes once, whatever they are and whenever they commit."""

import random
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest
from django.db import connection

from analytics import rebuilding, rolling, tasks
from tests.analytics.cube_stage import (
    Connection,
    forget_cubes,
    read_cubes,
    roll_all,
    some_row,
    violations,
    write,
)
from tests.databases import Database, rows

TODAY = datetime.now(UTC).date()


def measures(cube: str, *names: str) -> list[tuple[object, ...]]:
    """Read measures of all cells of a cube, sorted."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(names)} FROM analytics.{cube}")  # noqa: S608  our own
        return sorted(cursor.fetchall(), key=repr)


def write_some(app: Connection, count: int, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  no secret
    for _ in range(count):
        write(app, **some_row(chance))


def test_a_call_is_in_every_cube_with_all_that_was_measured(cubes_app: Connection) -> None:
    write(
        cubes_app,
        app_id="shop",
        user_ref="ann",
        provider="openai",
        model="gpt-4o",
        input_tokens=100,
        output_tokens=7,
        charge_ucr=50,
        cost_ucr=40,
        latency_ms=800,
        first_byte_ms=90,
    )
    assert rolling.roll().row_count == 1
    expected = (1, 100, None, 7, 40, 50, 1, 800, 1, 90)
    names = "request_count input_tokens item_count output_tokens cost_ucr charge_ucr"
    times = "latency_count latency_sum_ms first_byte_count first_byte_sum_ms"
    for cube in rolling.CUBES:
        assert measures(cube, *names.split(), *times.split()) == [expected]
    entry = rows("SELECT latency_histogram AS h FROM analytics.cube_day")[0]["h"]
    assert entry == [rows("SELECT analytics.latency_bucket(800) AS b")[0]["b"] << 22 | 1]
    assert violations() == []


def test_refusals_count_as_many_as_they_were_and_have_no_user(cubes_app: Connection) -> None:
    write(cubes_app, status="refused", billing="none", request_count=12, attempts=0, kind="")
    roll_all()
    assert measures("cube_day", "request_count", "status", "billing") == [(12, "refused", "none")]
    assert measures("user_month", "request_count", "refused_count") == [(12, 12)]
    assert violations() == []


def test_a_correction_takes_its_charge_back_and_counts_no_request(cubes_app: Connection) -> None:
    write(cubes_app, charge_ucr=50, latency_ms=5)
    roll_all()
    write(cubes_app, charge_ucr=-50, request_count=0, attempts=0)
    roll_all()
    # Nothing is left of the charge: none, as a rebuild would write it.
    assert measures("cube_day", "request_count", "charge_ucr", "latency_count") == [(1, None, 1)]
    assert measures("finance_day", "request_count", "charge_ucr") == [(1, None)]
    assert violations() == []


def test_a_late_row_goes_to_the_day_it_was_of(cubes_app: Connection) -> None:
    now = datetime.now(UTC)
    write(cubes_app, at=now)
    roll_all()
    write(cubes_app, at=now - timedelta(days=20))
    roll_all()
    assert len(measures("cube_day", "day")) == 2
    assert violations() == []


def test_a_row_that_commits_late_is_in_a_later_step(cubes: Database, cubes_app: Connection) -> None:
    with psycopg.connect(cubes.app_url) as slow:
        write(slow, charge_ucr=1)
        write(cubes_app, charge_ucr=2)
        rolling.roll()
        assert measures("cube_day", "sum(charge_ucr)") == [(None,)]
        slow.commit()
    roll_all()
    assert measures("cube_day", "sum(charge_ucr)") == [(3,)]
    assert violations() == []


def test_rows_of_savepoints_and_of_rollbacks_are_told_apart(cubes_app: Connection) -> None:
    with cubes_app.transaction():
        write(cubes_app, charge_ucr=1)
        with cubes_app.transaction():
            write(cubes_app, charge_ucr=10)
        with cubes_app.transaction(force_rollback=True):
            write(cubes_app, charge_ucr=100)
    with cubes_app.transaction(force_rollback=True):
        write(cubes_app, charge_ucr=1000)
    roll_all()
    assert measures("finance_day", "sum(charge_ucr)") == [(11,)]
    assert violations() == []


def test_steps_of_any_size_and_one_step_come_to_the_same(
    cubes_app: Connection, cubes_owner: Connection
) -> None:
    for seed in range(6):
        write_some(cubes_app, 40, seed)
        if seed % 2:
            rolling.roll(most_rows=7)
    roll_all()
    assert violations() == []
    in_steps = read_cubes()
    forget_cubes(cubes_owner)
    roll_all()
    assert read_cubes() == in_steps


def test_a_rebuilt_month_is_what_the_steps_had_come_to(
    cubes_app: Connection, cubes_owner: Connection
) -> None:
    write_some(cubes_app, 150, seed=9)
    roll_all()
    in_steps = read_cubes()
    cubes_owner.execute("UPDATE analytics.cube_day SET charge_ucr = 77, request_count = 5")
    cubes_owner.execute("DELETE FROM analytics.user_day")
    cubes_owner.execute("DELETE FROM analytics.staff_day")
    assert violations() != []
    write(cubes_app, charge_ucr=3)  # above the watermark: not in the rebuilt sums
    for back in (0, 31, 62):
        month = (TODAY.replace(day=15) - timedelta(days=back)).replace(day=1)
        for workspace_id in rebuilding.known_workspaces():
            rebuilding.rebuild_month(workspace_id=workspace_id, month=month)
        rebuilding.rebuild_staff_month(month=month)
    assert read_cubes() == in_steps
    roll_all()
    assert violations() == []


def test_a_month_whose_rows_are_gone_is_not_rebuilt(
    cubes_app: Connection, cubes_owner: Connection
) -> None:
    write(cubes_app)
    roll_all()
    before = read_cubes()
    month = TODAY.replace(day=1)
    cubes_owner.execute("UPDATE analytics.kept_from SET month = %s", [month])
    for gone in (month, date(2020, 1, 1)):
        with pytest.raises(rebuilding.MonthRetired):
            rebuilding.rebuild_month(workspace_id=1, month=gone)
    with pytest.raises(rebuilding.MonthRetired):
        rebuilding.rebuild_staff_month(month=date(2020, 1, 1))
    assert read_cubes() == before


def test_who_finds_the_cubes_being_written_leaves(cubes: Database, cubes_app: Connection) -> None:
    write(cubes_app)
    with psycopg.connect(cubes.app_url) as other:
        other.execute("SELECT FROM analytics.watermark FOR UPDATE")
        with pytest.raises(rolling.RollerBusy):
            rolling.roll()
        assert tasks.roll() == 0
    assert measures("cube_day", "request_count") == []
    roll_all()
    assert measures("cube_day", "request_count") == [(1,)]


def test_a_backlog_stops_at_its_time_and_goes_on_later(cubes_app: Connection) -> None:
    write_some(cubes_app, 30, seed=3)
    rolled = rolling.roll(budget_s=0, most_rows=10)
    assert rolled.row_count <= 10
    assert not rolled.finished
    roll_all()
    assert violations() == []


def test_an_open_transaction_is_seen_as_lag_and_delays_nothing_else(
    cubes: Database, cubes_app: Connection
) -> None:
    write(cubes_app)
    roll_all()
    roll_all()
    complete = "SELECT complete_to, transaction_id FROM analytics.watermark"
    with psycopg.connect(cubes.app_url) as slow:
        write(slow)
        for _ in range(3):
            rolling.roll()
        held = rows(complete)
        write(cubes_app)
        rolling.roll()
        assert rows(complete) == held
        assert rolling.rollup_lag_s() > 0
        slow.commit()
    roll_all()
    roll_all()
    after = rows(complete)
    assert after[0]["complete_to"] > held[0]["complete_to"]
    assert violations() == []


def test_hours_before_those_that_are_kept_are_not_written(
    cubes_app: Connection, cubes_owner: Connection
) -> None:
    month = TODAY.replace(day=1)
    cubes_owner.execute(
        "UPDATE analytics.kept_from SET month = %s WHERE table_name = 'cube_hour'", [month]
    )
    write(cubes_app, at=datetime.now(UTC))
    write(cubes_app, at=datetime(month.year, month.month, 1, tzinfo=UTC) - timedelta(days=3))
    roll_all()
    assert len(measures("cube_hour", "hour")) == 1
    assert len(measures("cube_day", "day")) == 2


def test_a_word_that_is_known_takes_no_new_number(cubes_app: Connection) -> None:
    for _ in range(3):
        write(cubes_app, user_ref="ann")
        roll_all()
    write(cubes_app, user_ref="bob")
    roll_all()
    numbers = rows("SELECT number FROM analytics.dimension_user ORDER BY number")
    assert [row["number"] for row in numbers] == [1, 2]


def test_a_changed_cell_is_found_with_where_it_is(
    cubes_app: Connection, cubes_owner: Connection
) -> None:
    write(cubes_app, charge_ucr=50, latency_ms=9)
    roll_all()
    month = TODAY.replace(day=1)
    for cube in rolling.CUBES:
        cubes_owner.execute(f"UPDATE analytics.{cube} SET charge_ucr = charge_ucr + 1")  # noqa: S608
        found = ("cube differs from usage", cube, 0 if cube == "staff_day" else 1, month)
        assert violations() == [(*found, 1, 1, 50, 51)]
        cubes_owner.execute(f"UPDATE analytics.{cube} SET charge_ucr = charge_ucr - 1")  # noqa: S608
    cubes_owner.execute("UPDATE analytics.cube_month SET latency_histogram = NULL")
    assert [found[:4] for found in violations()] == [
        ("histogram of another size", "cube_month", 1, month)
    ]

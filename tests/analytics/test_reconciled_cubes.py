"""`reconcile` compares cubes with usage, all of it or what is new; analytics_ro reads its own."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from psycopg import errors

from analytics import rolling
from gateway.reconcile import find_violations, reconcile_all, reconcile_since_last
from studio.accounts.models import Workspace
from tests.analytics.cube_stage import Connection, read_cubes, roll_all, write
from tests.databases import Database, Facts, rows

OF_ONE_WORKSPACE = (
    "usage",
    "analytics.calendar",
    "analytics.dimension_app",
    "analytics.dimension_user",
    "analytics.cube_hour",
    "analytics.cube_day",
    "analytics.cube_month",
    "analytics.user_day",
    "analytics.user_month",
)
OF_ALL = ("analytics.finance_day", "analytics.staff_day", "analytics.month_seal")


def call(app: Connection, **columns: object) -> None:
    """Write a call that the ledger need not know."""
    write(app, billing="byok", cost_ucr=7, latency_ms=90, **columns)


def test_what_was_rolled_since_is_compared_and_earlier_cells_are_left_to_the_whole_check(
    cubes_app: Connection, cubes_owner: Connection
) -> None:
    call(cubes_app, at=datetime.now(UTC) - timedelta(days=3))
    roll_all()
    assert reconcile_all() == []
    call(cubes_app, workspace_id=2)
    roll_all()
    assert reconcile_since_last() == []
    call(cubes_app, workspace_id=2)
    cubes_owner.execute("UPDATE analytics.cube_day SET cost_ucr = 8 WHERE workspace_id = 1")
    roll_all()
    assert reconcile_since_last() == []
    assert {violation.source for violation in find_violations()} == {"cubes"}


@pytest.mark.parametrize("cube", ["cube_hour", "cube_day", "cube_month", "user_day", "user_month"])
def test_one_micro_credit_changed_by_hand_is_found_among_what_is_new(
    cubes_app: Connection, cubes_owner: Connection, cube: str
) -> None:
    assert reconcile_all() == []
    call(cubes_app, workspace_id=2)
    roll_all()
    cubes_owner.execute(f"UPDATE analytics.{cube} SET cost_ucr = cost_ucr + 1")  # noqa: S608  ours
    found = reconcile_since_last()
    assert {violation.source for violation in found} == {"cubes"}
    assert all("workspace_id=2" in violation.text for violation in found)
    cubes_owner.execute(f"UPDATE analytics.{cube} SET cost_ucr = cost_ucr - 1")  # noqa: S608  ours
    assert reconcile_since_last() == []


def test_rows_that_are_not_summed_yet_are_no_violation(cubes_app: Connection) -> None:
    assert reconcile_all() == []
    call(cubes_app)
    assert reconcile_since_last() == []
    assert find_violations() == []


def test_the_commands_roll_and_rebuild(
    cubes_app: Connection, cubes_owner: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = Workspace.objects.create(name="Rebuilt")
    call(cubes_app, workspace_id=workspace.pk)
    roll_all()
    call_command("analytics_roll")
    assert "rows; usage is summed below" in capsys.readouterr().out
    before = read_cubes()
    cubes_owner.execute("UPDATE analytics.cube_day SET request_count = 9")
    month = f"{datetime.now(UTC):%Y-%m}"
    call_command("analytics_rebuild", "--month", month, "--workspace", "Rebuilt")
    assert read_cubes() == before
    cubes_owner.execute("UPDATE analytics.staff_day SET request_count = 9")
    call_command("analytics_rebuild", "--month", month)
    assert read_cubes() == before
    for wrong in (["--month", "2026"], ["--month", month, "--workspace", "Nobody"]):
        with pytest.raises(CommandError):
            call_command("analytics_rebuild", *wrong)


def test_reports_see_one_workspace_in_every_table_and_fail_without_naming_one(
    server_facts: Facts, cubes: Database, cubes_app: Connection
) -> None:
    for workspace_id in (71, 72, 72):
        call(cubes_app, workspace_id=workspace_id)
    roll_all()
    with psycopg.connect(cubes.app_url, autocommit=True) as reports:
        reports.execute("SET ROLE analytics_ro")
        for table in OF_ONE_WORKSPACE:
            query = f"SELECT DISTINCT workspace_id FROM {table}"  # noqa: S608  our own names
            with pytest.raises((errors.UndefinedObject, errors.InvalidTextRepresentation)):
                reports.execute(query)
            reports.execute("SELECT set_config('app.workspace', '72', false)")
            assert reports.execute(query).fetchall() == [(72,)]
            reports.execute("RESET app.workspace")
        for table in OF_ALL:
            with pytest.raises(errors.InsufficientPrivilege):
                reports.execute(f"SELECT FROM {table}")  # noqa: S608  our own names
        for statement in (
            "DELETE FROM analytics.cube_day",
            "UPDATE analytics.watermark SET name = ''",
        ):
            with pytest.raises(errors.InsufficientPrivilege):
                reports.execute(statement)
    assert rows("SELECT count(*) AS n FROM analytics.cube_day")[0]["n"] == 2


def test_the_app_reaches_cubes_through_the_parents_only(cubes_app: Connection) -> None:
    for right in ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE"):
        reached = cubes_app.execute(
            "SELECT inhrelid::regclass FROM pg_inherits"
            " WHERE inhparent = 'analytics.cube_day'::regclass"
            " AND has_table_privilege(inhrelid, %s)",
            [right],
        ).fetchall()
        assert reached == []
    for statement in (
        "TRUNCATE analytics.cube_day",
        "UPDATE analytics.month_seal SET charge_ucr = 0",
        "UPDATE analytics.kept_from SET month = now()",
        "SELECT analytics.make_partition('usage', '2026-01-01')",
    ):
        with pytest.raises(errors.InsufficientPrivilege):
            cubes_app.execute(statement)
    assert rolling.rollup_lag_s() >= 0

"""A question reads the smallest tables that cover it, and PostgreSQL reads no others."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from pytest_django import DjangoDbBlocker

from analytics.compiler import compile_table
from analytics.errors import QueryRefused
from analytics.frames import Asking, Frame, read_frame
from analytics.measures import families_of
from analytics.planner import Plan, plan
from analytics.query import Bucket, Dimension, Filter, Metric, QuerySpec
from analytics.ranges import Calendar, named
from analytics.reading import answer
from analytics.reading_role import reading_as
from tests.analytics.usage_stage import UsageStage, usage_stage
from tests.databases import WORKER, Facts

PERCENTILES = (Metric.LATENCY_P50, Metric.LATENCY_P95, Metric.LATENCY_P99)
MEANS = (Metric.REQUESTS, Metric.CHARGE, Metric.LATENCY_AVG)


@pytest.fixture(scope="module")
def stage(server_facts: Facts, django_db_blocker: DjangoDbBlocker) -> Iterator[UsageStage]:
    """A workspace in UTC."""
    name = f"studio_test_{WORKER}_plans"
    with usage_stage(server_facts, django_db_blocker, name, time_zone="UTC", row_count=600) as made:
        yield made


def in_range(name: str, **fields: Any) -> QuerySpec:
    """Ask about a range by name."""
    period = named(name, datetime.now(UTC), Calendar(time_zone="UTC"))
    return QuerySpec(**{"start": period.range.start, "end": period.range.end} | fields)


def planned(spec: QuerySpec, stage: UsageStage) -> tuple[Frame, Plan]:
    """Give the plan of a question."""
    with reading_as(stage.workspace_id) as cursor:
        asking = Asking(workspace_id=stage.workspace_id, calendar=stage.calendar)
        frame = read_frame(cursor, spec, asking)
    return frame, plan(spec, frame, families_of(spec.metrics))


def tables(spec: QuerySpec, stage: UsageStage) -> set[str]:
    """Give the tables, without their months, that PostgreSQL reads for the cells of a question."""
    frame, made = planned(spec, stage)
    statement = compile_table(spec, frame, made, first_row=0, row_count=None)
    with reading_as(stage.workspace_id) as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {statement.sql}", statement.parameters)
        (found,) = cursor.fetchone()
    names = set(_relations(json.loads(found) if isinstance(found, str) else found))
    return {name.rpartition("_2")[0] or name for name in names} - {
        "dimension_app",
        "dimension_user",
        "dimension_route",
    }


def _relations(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from _relations(item)
    elif isinstance(node, dict):
        if "Relation Name" in node:
            yield node["Relation Name"]
        for value in node.values():
            yield from _relations(value)


DASHBOARD = [
    (in_range("last_30_days", bucket=Bucket.DAY, metrics=MEANS), {"cube_day"}),
    (in_range("this_month", metrics=MEANS), {"cube_month"}),
    (in_range("this_month", metrics=PERCENTILES, group_by=(Dimension.MODEL,)), {"cube_month"}),
    (in_range("last_7_days", metrics=PERCENTILES, bucket=Bucket.DAY), {"cube_day"}),
    (in_range("today", metrics=MEANS, bucket=Bucket.HOUR), {"cube_hour"}),
    (in_range("last_7_days", metrics=MEANS, bucket=Bucket.HOUR), {"cube_hour"}),
    (in_range("last_7_days", group_by=(Dimension.USER,)), {"user_day"}),
    (in_range("this_month", group_by=(Dimension.USER,)), {"user_month"}),
    (in_range("last_month", metrics=(Metric.USERS,)), {"user_month"}),
    (in_range("last_7_days", metrics=(Metric.USERS,), bucket=Bucket.DAY), {"user_day"}),
    (
        in_range("this_month", group_by=(Dimension.USER, Dimension.MODEL)),
        {"user_day"},
    ),
    (
        in_range("last_month", metrics=(Metric.USERS, *PERCENTILES, *MEANS)),
        {"user_month", "cube_month"},
    ),
]


@pytest.mark.parametrize(("spec", "cubes"), DASHBOARD)
def test_each_dashboard_question_reads_its_cube_and_the_tail(
    stage: UsageStage, spec: QuerySpec, cubes: set[str]
) -> None:
    _, made = planned(spec, stage)
    assert {source.value for source in made.sources} == cubes
    assert tables(spec, stage) - {"usage"} == cubes


def test_raw_rows_are_read_where_no_cube_knows(stage: UsageStage) -> None:
    for spec in (
        in_range("last_7_days", metrics=PERCENTILES, group_by=(Dimension.USER,)),
        in_range("last_7_days", group_by=(Dimension.CHANNEL,)),
        in_range("yesterday", bucket=Bucket.HOUR, group_by=(Dimension.USER,)),
    ):
        _, made = planned(spec, stage)
        assert {source.value for source in made.sources} == {"usage"}


def test_a_rolling_range_reads_raw_rows_of_its_broken_hours_alone(stage: UsageStage) -> None:
    spec = in_range("last_24_hours")
    _, made = planned(spec, stage)
    raw = [piece for pieces in made.pieces.values() for piece in pieces if piece.hour is not None]
    assert {source.value for source in made.sources} <= {"cube_hour", "usage"}
    assert len(raw) in (1, 2)
    assert all(piece.at_until and piece.at_from for piece in raw)


@pytest.mark.parametrize(
    "spec",
    [
        in_range("last_90_days", metrics=PERCENTILES, group_by=(Dimension.USER,)),
        in_range("last_90_days", filters=(Filter(dimension=Dimension.KEY, values=("",)),)),
        in_range("last_90_days", bucket=Bucket.HOUR),
    ],
)
def test_what_would_read_too_much_is_refused(stage: UsageStage, spec: QuerySpec) -> None:
    with pytest.raises(QueryRefused):
        answer(spec, workspace_id=stage.workspace_id)


def test_what_is_no_longer_kept_is_refused_and_says_from_when_it_is(stage: UsageStage) -> None:
    now = datetime.now(UTC)
    month = now.date().replace(day=1)
    spec = in_range("last_30_days", bucket=Bucket.DAY)
    before = answer(spec, workspace_id=stage.workspace_id)
    set_kept = "UPDATE analytics.kept_from SET month = %s WHERE table_name = 'cube_day'"
    run_as_owner(stage, set_kept, month + timedelta(days=31))
    with pytest.raises(QueryRefused, match="days are kept from"):
        answer(spec, workspace_id=stage.workspace_id)
    run_as_owner(stage, set_kept, "-infinity")
    assert answer(spec, workspace_id=stage.workspace_id).totals == before.totals


def run_as_owner(stage: UsageStage, statement: str, *parameters: object) -> None:
    """Run a statement that the app may not."""
    with psycopg.connect(stage.database.owner_url) as owner:
        owner.execute(statement, parameters)

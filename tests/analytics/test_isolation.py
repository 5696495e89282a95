"""One workspace's answers hold nothing of another's: the code alone sees to it, and the database's
row security alone.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from pytest_django import DjangoDbBlocker

from analytics.compiler import compile_table
from analytics.frames import Asking, read_frame
from analytics.listing import compile_list
from analytics.measures import MEASURES, families_of
from analytics.planner import plan
from analytics.query import Bucket, Dimension, Filter, Metric, Mode, QuerySpec
from analytics.reading import answer, key_names, list_requests
from analytics.reading_role import reading_as
from tests.analytics.usage_stage import UsageStage, usage_stage
from tests.databases import WORKER, Facts

FILTERS: dict[Dimension | None, tuple[str, ...]] = {
    None: (),
    Dimension.APP: ("shop", "mobile"),
    Dimension.USER: ("alice", ""),
    Dimension.MODEL: ("gpt-5", ""),
    Dimension.PROVIDER: ("openai",),
    Dimension.KIND: ("chat.default", "image.flux"),
    Dimension.OPERATION: ("chat", "image"),
    Dimension.STATUS: ("failed", "refused", "succeeded"),
    Dimension.BILLING: ("credits", "none"),
    Dimension.CHANNEL: ("fast",),
    Dimension.KEY: ("", "static"),
}


@pytest.fixture(scope="module")
def stage(server_facts: Facts, django_db_blocker: DjangoDbBlocker) -> Iterator[UsageStage]:
    """Two workspaces that use the same words."""
    name = f"studio_test_{WORKER}_isolation"
    with usage_stage(
        server_facts, django_db_blocker, name, time_zone="America/Havana", row_count=300
    ) as made:
        yield made


def asked(group: Dimension, filtered: Dimension | None) -> QuerySpec:
    """Ask for every metric there is."""
    now = datetime.now(UTC)
    values = FILTERS[filtered]
    return QuerySpec(
        start=now - timedelta(days=30),
        end=now,
        metrics=tuple(Metric),
        group_by=(group,),
        filters=() if filtered is None else (Filter(dimension=filtered, values=values),),
        bucket=Bucket.NONE,
    )


def run(cursor: CursorWrapper, spec: QuerySpec, stage: UsageStage, workspace_id: int) -> list[Any]:
    """Run a question's own statement about a workspace, whoever the cursor is."""
    ids = {word: (number,) for number, word in key_names_of[workspace_id].items()}
    asking = Asking(workspace_id=workspace_id, calendar=stage.calendar, key_ids={"": (0,)} | ids)
    frame = read_frame(cursor, spec, asking)
    if spec.mode is Mode.LIST:
        statement = compile_list(spec, frame, after=None, row_count=1_000)
    else:
        planned = plan(spec, frame, families_of(spec.metrics))
        statement = compile_table(spec, frame, planned, first_row=0, row_count=None)
    cursor.execute(statement.sql, statement.parameters)
    rows: list[Any] = cursor.fetchall()
    return rows


key_names_of: dict[int, dict[int, str]] = {}


@pytest.fixture(autouse=True)
def names(stage: UsageStage) -> None:
    """Know the keys of both, as a reader does before it takes the role."""
    for workspace_id in (stage.workspace_id, stage.other_id):
        key_names_of[workspace_id] = key_names(workspace_id)


@pytest.mark.parametrize("filtered", FILTERS)
def test_row_security_alone_keeps_the_other_workspace_out(
    stage: UsageStage, filtered: Dimension | None
) -> None:
    for group in Dimension:
        with reading_as(stage.workspace_id) as cursor:
            found = run(cursor, asked(group, filtered), stage, stage.other_id)
        assert found == []


@pytest.mark.parametrize("filtered", FILTERS)
def test_the_code_alone_keeps_the_other_workspace_out(
    stage: UsageStage, filtered: Dimension | None
) -> None:
    for group in Dimension:
        spec = asked(group, filtered)
        with transaction.atomic(), connection.cursor() as cursor:
            found = run(cursor, spec, stage, stage.workspace_id)
        guarded = answer(spec, workspace_id=stage.workspace_id, staff=True)
        assert [tuple(row[5:])[: len(Metric)] for row in found if not row[0]] == [
            row.values for row in guarded.rows
        ]


def test_single_requests_are_of_one_workspace_by_either(stage: UsageStage) -> None:
    now = datetime.now(UTC)
    spec = QuerySpec(start=now - timedelta(days=70), end=now, mode=Mode.LIST)
    with reading_as(stage.workspace_id) as cursor:
        assert run(cursor, spec, stage, stage.other_id) == []
    with transaction.atomic(), connection.cursor() as cursor:
        found = run(cursor, spec, stage, stage.workspace_id)
    guarded = list_requests(spec, workspace_id=stage.workspace_id)
    assert [row[1] for row in found] == [request.request_id for request in guarded.requests]
    assert {row["request_id"] for row in stage.usage()} >= {row[1] for row in found}


def test_every_metric_has_a_making() -> None:
    assert set(MEASURES) == set(Metric)

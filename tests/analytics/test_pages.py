"""Limits, pages and comparisons: nothing is lost between them, whatever arrives meanwhile."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_django import DjangoDbBlocker

from analytics.answers import Answer, Page, Request, Row
from analytics.errors import QueryRefused
from analytics.measures import MEASURES
from analytics.query import Bucket, Dimension, Filter, Metric, Mode, Order, QuerySpec
from analytics.reading import answer, list_requests
from analytics.rolling import roll
from tests.analytics.usage_stage import UsageStage, by_hand, draw, usage_stage
from tests.databases import WORKER, Facts

GROUPS = (
    Dimension.APP,
    Dimension.USER,
    Dimension.MODEL,
    Dimension.STATUS,
    Dimension.CHANNEL,
)
SUMMED = tuple(metric for metric in Metric if MEASURES[metric].adds_up)


@pytest.fixture(scope="module")
def stage(server_facts: Facts, django_db_blocker: DjangoDbBlocker) -> Iterator[UsageStage]:
    """A workspace in Adelaide, half an hour beside the hours of UTC."""
    name = f"studio_test_{WORKER}_pages"
    with usage_stage(
        server_facts, django_db_blocker, name, time_zone="Australia/Adelaide", row_count=600
    ) as made:
        yield made


def asked(**fields: Any) -> QuerySpec:
    """Ask about the last three weeks."""
    now = datetime.now(UTC)
    return QuerySpec(
        **{"start": now - timedelta(days=21), "end": now + timedelta(hours=1)} | fields
    )


@pytest.mark.parametrize("second", [*GROUPS, None])
@pytest.mark.parametrize("first", [Dimension.APP, Dimension.USER, Dimension.MODEL])
def test_the_largest_and_the_rest_come_to_the_total(
    stage: UsageStage, first: Dimension, second: Dimension | None
) -> None:
    if first is second:
        return
    group_by = (first,) if second is None else (first, second)
    metrics = tuple(metric for metric in SUMMED if metric is not Metric.USERS)
    spec = asked(metrics=metrics, group_by=group_by, limit=2, other=True, bucket=Bucket.WEEK)
    found = answer(spec, workspace_id=stage.workspace_id, staff=True)
    assert len({row.keys[0] for row in found.rows if not row.is_other}) == 2
    assert any(row.is_other for row in found.rows)
    assert [sum(values) for values in zip(*(row.values for row in found.rows), strict=True)] == (
        pytest.approx(found.totals)
    )


@pytest.mark.parametrize("metric", [Metric.CHARGE, Metric.LATENCY_P95, Metric.USERS])
@pytest.mark.parametrize("descending", [True, False])
def test_a_limit_keeps_the_first_by_the_order_over_the_whole_range(
    stage: UsageStage, metric: Metric, descending: bool
) -> None:
    every = answer(
        asked(metrics=(metric,), group_by=(Dimension.MODEL,)), workspace_id=stage.workspace_id
    )
    ranked = sorted(
        (row for row in every.rows if row.keys[0]),
        key=lambda row: row.values[0] or 0,
        reverse=descending,
    )
    order = Order(metric=metric, descending=descending)
    spec = asked(metrics=(metric,), group_by=(Dimension.MODEL,), order=order, limit=2)
    found = answer(spec, workspace_id=stage.workspace_id)
    assert [row.values for row in found.rows] == [row.values for row in ranked[:2]]


def test_the_busiest_hour_is_one_bucket(stage: UsageStage) -> None:
    order = Order(metric=Metric.REQUESTS)
    spec = asked(bucket=Bucket.HOUR, order=order, limit=1)
    (row,) = answer(spec, workspace_id=stage.workspace_id).rows
    hours = by_hand(spec, stage.usage(), stage.calendar)
    assert row.values == (max(values[0] for values in hours.values()),)


def test_a_series_has_all_its_buckets(stage: UsageStage) -> None:
    only = Filter(dimension=Dimension.APP, values=("nobody's",))
    found = answer(
        asked(bucket=Bucket.DAY, metrics=(Metric.REQUESTS, Metric.ERROR_RATE), filters=(only,)),
        workspace_id=stage.workspace_id,
    )
    assert [row.bucket for row in found.rows] == list(found.buckets)
    assert {row.values for row in found.rows} == {(0, None)}
    assert len(found.buckets) in (22, 23)


def pages(spec: QuerySpec, stage: UsageStage, between: Any) -> list[Answer]:
    """Read all pages of four rows; something happens after each."""
    found = [answer(spec, workspace_id=stage.workspace_id, page=Page(rows=4))]
    while found[-1].next_cursor is not None:
        between()
        page = Page(rows=4, cursor=found[-1].next_cursor)
        found.append(answer(spec, workspace_id=stage.workspace_id, page=page))
    return found


@pytest.mark.parametrize(
    ("group_by", "metrics"),
    [
        ((Dimension.USER,), (Metric.REQUESTS,)),
        ((Dimension.USER, Dimension.APP), (Metric.ERRORS,)),
        ((Dimension.MODEL, Dimension.STATUS), (Metric.LATENCY_P95, Metric.CHARGE)),
        ((Dimension.APP, Dimension.OPERATION), (Metric.USERS, Metric.TOKENS)),
        ((Dimension.USER, Dimension.CHANNEL), (Metric.CHARGE, Metric.LATENCY_P50)),
    ],
)
def test_pages_are_of_one_moment_while_rows_arrive_and_are_rolled(
    stage: UsageStage, group_by: tuple[Dimension, ...], metrics: tuple[Metric, ...]
) -> None:
    drawn = random.Random(str(group_by))  # noqa: S311  reproducible
    numbers = iter(range(1_000))

    def arrive() -> None:
        now = datetime.now(UTC)
        new = [draw(drawn, stage.workspace_id, now) for _ in range(5)]
        for row in new[:3]:
            row["user_ref"] = f"new-{drawn.randrange(50)}"
        stage.write(new)
        if next(numbers) % 2:
            roll()

    arrive()
    spec = asked(group_by=group_by, metrics=metrics)
    before = answer(spec, workspace_id=stage.workspace_id)
    found = pages(spec, stage, arrive)
    rows: list[Row] = [row for page in found for row in page.rows]
    assert len(found) > 1
    assert rows == list(before.rows)
    assert {page.totals for page in found} == {before.totals}


def test_pages_of_single_requests_neither_repeat_nor_miss(stage: UsageStage) -> None:
    drawn = random.Random(7)  # noqa: S311  reproducible
    spec = asked(mode=Mode.LIST, metrics=(), limit=30)
    before = list_requests(spec, workspace_id=stage.workspace_id)
    cursor = None
    found: list[Request] = []
    while True:
        page = Page(rows=7, cursor=cursor)
        listing = list_requests(spec, workspace_id=stage.workspace_id, page=page)
        found += listing.requests
        cursor = listing.next_cursor
        if cursor is None:
            break
        stage.write([draw(drawn, stage.workspace_id, datetime.now(UTC)) for _ in range(9)])
    assert len(found) == 30
    assert found == list(before.requests)
    assert [request.at for request in found] == sorted((r.at for r in found), reverse=True)


def test_a_cursor_is_good_for_its_question_and_workspace_alone(stage: UsageStage) -> None:
    spec = asked(group_by=(Dimension.APP, Dimension.MODEL))
    cursor = answer(spec, workspace_id=stage.workspace_id, page=Page(rows=2)).next_cursor
    assert cursor is not None
    other = asked(group_by=(Dimension.APP, Dimension.STATUS))
    for asking, workspace_id, text in (
        (other, stage.workspace_id, cursor),
        (spec, stage.other_id, cursor),
        (spec, stage.workspace_id, cursor[:-9]),
        (spec, stage.workspace_id, "é"),
    ):
        with pytest.raises(QueryRefused, match="cursor"):
            answer(asking, workspace_id=workspace_id, page=Page(cursor=text))

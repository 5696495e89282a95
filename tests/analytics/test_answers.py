"""Answers are what the raw rows come to: any metrics, groups, buckets, filters, ranges."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from pytest_django import DjangoDbBlocker

from analytics.query import (
    Bucket,
    Dimension,
    Filter,
    Metric,
    QuerySpec,
)
from analytics.ranges import NAMES, named
from analytics.reading import answer
from tests.analytics.usage_stage import (
    APPS,
    ROUTES,
    USERS,
    UsageStage,
    by_hand,
    same,
    usage_stage,
    value,
)
from tests.databases import WORKER, Facts

GROUPS = (
    Dimension.APP,
    Dimension.USER,
    Dimension.MODEL,
    Dimension.PROVIDER,
    Dimension.KIND,
    Dimension.OPERATION,
    Dimension.STATUS,
    Dimension.BILLING,
)
VALUES = {
    Dimension.APP: (*APPS, "nobody's"),
    Dimension.USER: (*USERS, "nobody"),
    Dimension.MODEL: (*(route[3] for route in ROUTES), ""),
    Dimension.PROVIDER: tuple(route[2] for route in ROUTES),
    Dimension.KIND: tuple(route[1] for route in ROUTES),
    Dimension.OPERATION: tuple({route[0] for route in ROUTES}),
    Dimension.STATUS: ("succeeded", "failed", "refused", "interrupted", "cancelled"),
    Dimension.BILLING: ("credits", "byok", "none"),
}


@pytest.fixture(scope="module", params=["Europe/Berlin", "Asia/Kathmandu"])
def stage(
    request: pytest.FixtureRequest, server_facts: Facts, django_db_blocker: DjangoDbBlocker
) -> Iterator[UsageStage]:
    """A workspace east of us."""
    name = f"studio_test_{WORKER}_answers"
    with usage_stage(server_facts, django_db_blocker, name, time_zone=request.param) as made:
        yield made


def check_against_rows(spec: QuerySpec, stage: UsageStage) -> None:
    """Compare an answer, all of its rows, with sums done by hand."""
    found = answer(spec, workspace_id=stage.workspace_id, staff=True)
    usage = stage.usage()
    expected = by_hand(spec, usage, stage.calendar)
    nothing = [value(metric, []) for metric in spec.metrics]
    answered = {(row.bucket, row.keys): row.values for row in found.rows}
    assert len(answered) == len(found.rows)
    assert set(expected) <= set(answered)
    for group, values in answered.items():
        assert all(map(same, values, expected.get(group, nothing))), (spec, group, values)
    everything = QuerySpec(
        start=spec.start, end=spec.end, metrics=spec.metrics, filters=spec.filters
    )
    (totals,) = by_hand(everything, usage, stage.calendar).values() or [nothing]
    assert all(map(same, found.totals, totals)), (spec, found.totals, totals)


@pytest.mark.parametrize("seed", range(60))
def test_any_question_is_answered_as_the_rows_say(stage: UsageStage, seed: int) -> None:
    check_against_rows(drawn_question(random.Random(seed)), stage)  # noqa: S311  reproducible


def drawn_question(drawn: random.Random) -> QuerySpec:
    """Make up a question."""
    bucket = drawn.choice(list(Bucket))
    now = datetime.now(UTC)
    most = 700 if bucket is Bucket.HOUR else 70 * 24
    start = now - timedelta(hours=drawn.random() * most)
    end = drawn.choice((now + timedelta(hours=5), start + (now - start) * drawn.random()))
    end = max(end, start + timedelta(minutes=1))
    group_by = tuple(drawn.sample(GROUPS, drawn.randrange(3)))
    metrics = [Metric.REQUESTS, *drawn.sample([*Metric][1:], drawn.randrange(1, 6))]
    raw = Dimension.USER in group_by
    filters = []
    for dimension in drawn.sample(GROUPS, drawn.randrange(3)):
        raw = raw or dimension is Dimension.USER
        values = drawn.sample(
            VALUES[dimension], drawn.randrange(1, 4) if len(VALUES[dimension]) > 3 else 1
        )
        filters.append(
            Filter(dimension=dimension, values=tuple(values), exclude=drawn.random() < 0.3)
        )
    if raw or Metric.USERS in metrics:
        start = max(start, now - timedelta(days=30))
        end = max(end, start + timedelta(hours=1))
    return QuerySpec(
        start=start,
        end=end,
        metrics=tuple(metrics),
        group_by=group_by,
        bucket=bucket,
        filters=tuple(filters),
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bucket", [Bucket.NONE, Bucket.DAY])
def test_named_ranges_are_answered_and_compared(
    stage: UsageStage, name: str, bucket: Bucket
) -> None:
    now = datetime.now(UTC)
    period = named(name, now, stage.calendar)
    spec = QuerySpec(
        start=period.range.start,
        end=period.range.end,
        metrics=(Metric.REQUESTS, Metric.CHARGE, Metric.LATENCY_P95),
        bucket=bucket if "year" not in name else Bucket.MONTH,
        compare=period.previous,
    )
    found = answer(spec, workspace_id=stage.workspace_id)
    assert found.read.compared is not None
    usage = stage.usage()
    for totals, asked in (
        (found.totals, found.read.range),
        (found.previous_totals, found.read.compared),
    ):
        assert totals is not None
        inside = [row for row in usage if asked.start <= row["at"] < asked.end]
        expected = [value(metric, inside) for metric in spec.metrics]
        assert all(map(same, totals, expected)), (totals, expected)

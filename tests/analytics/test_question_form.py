"""The form that a model fills: what becomes of it, and what is refused."""

import json
from datetime import date
from typing import Any

import pytest

from analytics.errors import QueryRefused
from analytics.query import Bucket, Dimension, Filter, Metric, Order, QuerySpec
from analytics.ranges import Calendar, days
from analytics.words.form import masked, read_form, schema_for
from analytics.words.names import names_of
from bench.questions import NOW, ZONE, world

CALENDAR = Calendar(time_zone="Europe/Berlin")
ASKED = masked("how dear was my legacy app for alice, gpt-5 aside", names_of(world()))
FORM: dict[str, Any] = {
    "answerable": True,
    "mode": "table",
    "metrics": ["charge"],
    "group_by": ["app"],
    "bucket": "none",
    "filters": [],
    "range": "this_week",
    "dates": None,
    "compare": "none",
    "order": "none",
    "limit": None,
}


def spec_of(**changes: object) -> QuerySpec | None:
    return read_form(json.dumps(FORM | changes), ASKED, CALENDAR, NOW)


def test_names_become_tokens() -> None:
    assert ASKED.text == "how dear was app_1 for alice (user_2) , gpt-5 (model_3) aside" or (
        "app_1" in ASKED.text and "my legacy app" not in ASKED.text
    )
    assert ASKED.tokens["app_1"].value == "my-legacy-app"


def test_a_filled_form_is_a_query() -> None:
    week = days(date(2026, 10, 19), date(2026, 10, 22), ZONE)
    kept = [{"value": "app_1", "exclude": False}, {"value": "failed", "exclude": True}]
    spec = spec_of(filters=kept, order="ascending", limit=3, bucket="day")
    assert spec == QuerySpec(
        start=week.start,
        end=week.end,
        metrics=(Metric.CHARGE,),
        group_by=(Dimension.APP,),
        bucket=Bucket.DAY,
        filters=(
            Filter(dimension=Dimension.APP, values=("my-legacy-app",)),
            Filter(dimension=Dimension.STATUS, values=("failed",), exclude=True),
        ),
        order=Order(metric=Metric.CHARGE, descending=False),
        limit=3,
    )


def test_dates_end_with_today() -> None:
    spec = spec_of(range=None, dates={"first": "2026-10-01", "last": "2026-12-31"})
    assert spec is not None
    assert spec.range == days(date(2026, 10, 1), date(2026, 10, 22), ZONE)


def test_what_figures_cannot_answer_gives_no_query() -> None:
    assert spec_of(answerable=False) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"metrics": ["cost"]},
        {"metrics": ["secrets"]},
        {"group_by": ["app", "user", "model"]},
        {"group_by": ["workspace"]},
        {"filters": [{"value": "other-app", "exclude": False}]},
        {"filters": [{"value": "app_2", "exclude": False}]},
        {"filters": [{"value": "' OR true", "exclude": False}]},
        {"limit": 100_000, "bucket": "day"},
        {"limit": -1},
        {"range": "last_century"},
        {"range": None, "dates": {"first": "2027-01-01", "last": "2027-01-02"}},
        {"range": None, "dates": {"first": "now()", "last": "2027-01-02"}},
        {"sql": "select 1"},
        {"mode": "html"},
        {"answer": "<b>7</b>"},
        {"mode": "list", "group_by": ["app"]},
    ],
)
def test_a_form_that_asks_for_anything_else_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(QueryRefused):
        spec_of(**changes)


@pytest.mark.parametrize(
    "text", ["", "null", "[]", "DROP TABLE usage", "{", '{"answerable": true}']
)
def test_text_that_is_no_form_is_refused(text: str) -> None:
    with pytest.raises(QueryRefused):
        read_form(text, ASKED, CALENDAR, NOW)


def test_the_schema_leaves_no_free_text_but_dates() -> None:
    schema = schema_for(ASKED)
    assert schema["additionalProperties"] is False
    assert set(schema["required"]) == set(schema["properties"])
    free = [name for name, part in schema["properties"].items() if part == {"type": "string"}]
    assert free == []
    values = schema["properties"]["filters"]["items"]["properties"]["value"]["enum"]
    assert "my-legacy-app" not in values

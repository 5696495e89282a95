"""Hostile questions, asked as one workspace in a database with another's usage: nothing of the
other comes back, whatever is asked, and no statement fails in the database.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec
import pytest
from pytest_django import DjangoDbBlocker

from analytics.query import Mode, QuerySpec
from analytics.reading import answer, list_requests, read_calendar
from analytics.rolling import roll
from analytics.words.form import masked, schema_for
from analytics.words.grammar import Read, parse
from analytics.words.naming import read_names
from analytics.words.picture import chart_of
from analytics.words.refusal import Refusal
from analytics.words.saying import said_answer, said_listing, said_question
from bench.questions import SETS
from studio.core.ids import new_id
from tests.analytics.usage_stage import UsageStage, usage_stage
from tests.databases import Facts

HOSTILE = json.loads((SETS / "hostile.json").read_text())
SECRETS = ("secret-shop", "secret-user", "secret-model", "secret-corp")
HTML = '<img src=x onerror="alert(1)">'
RIGHT_TO_LEFT = "\u202eevil\u2028app\x07"


@pytest.fixture(scope="module")
def stage(server_facts: Facts, django_db_blocker: DjangoDbBlocker) -> Iterator[UsageStage]:
    """Two workspaces: mine with hostile names, another with secret ones."""
    name = "studio_test_hostile_questions"
    with usage_stage(
        server_facts, django_db_blocker, name, time_zone="Europe/Berlin", row_count=60
    ) as stage:
        plain = {
            "surface": "core",
            "operation": "chat",
            "kind": "chat.default",
            "channel": "stable",
            "provider": "openai",
            "status": "succeeded",
            "billing": "credits",
            "charge_ucr": 5_000_000,
            "at": datetime.now(UTC),
        }
        mine = {"workspace_id": stage.workspace_id, "model": "gpt-5"}
        other = {"workspace_id": stage.other_id, "app_id": "secret-shop", "model": "secret-model"}
        for fresh in (False, True):
            names = [HTML, RIGHT_TO_LEFT, "my-app", "DROP TABLE usage"]
            calls = [mine | {"app_id": name, "user_ref": name} for name in names]
            calls.append(other | {"user_ref": "secret-user", "provider": "secret-corp"})
            stage.write([plain | {"request_id": new_id()} | call for call in calls])
            if not fresh:
                roll()
        yield stage


def shown(stage: UsageStage, question: str) -> tuple[str, Read | Refusal]:
    """Read and answer a question as `mine`; give all that would be shown."""
    calendar = read_calendar(stage.workspace_id)
    names = read_names(stage.workspace_id, question)
    read = parse(question, names, datetime.now(calendar.zone))
    if isinstance(read, Refusal):
        return repr((read.near, read.offers)), read
    return answered(stage, read.spec), read


def answered(stage: UsageStage, spec: QuerySpec) -> str:
    calendar = read_calendar(stage.workspace_id)
    if spec.mode is Mode.LIST:
        listing = list_requests(spec, workspace_id=stage.workspace_id)
        return said_listing(listing) + repr(listing.requests)
    found = answer(spec, workspace_id=stage.workspace_id)
    rows = repr((found.rows, found.totals, chart_of(found)))
    return said_answer(found) + said_question(spec, calendar) + rows


def test_there_are_at_least_100_hostile_questions() -> None:
    assert len(HOSTILE) >= 100


def test_hostile_questions_show_nothing_of_another_workspace(stage: UsageStage) -> None:
    for case in HOSTILE:
        text, _ = shown(stage, case["question"])
        assert not [secret for secret in SECRETS if secret in text], case


def test_hostile_questions_are_hardly_ever_answered_and_then_about_this_workspace(
    stage: UsageStage,
) -> None:
    reads = {case["question"]: shown(stage, case["question"])[1] for case in HOSTILE}
    answers = [text for text, read in reads.items() if isinstance(read, Read)]
    assert len(answers) <= len(HOSTILE) // 10, answers


def test_names_of_another_workspace_are_unknown_names(stage: UsageStage) -> None:
    for name in ("secret-shop", "secret-user", "secret-model", "secret-corp"):
        for question in (f"spend of {name}", f'spend of "{name}"', f"spend of {name[:-1]}"):
            text, read = shown(stage, question)
            assert isinstance(read, Refusal)
            assert read.near == ()
            assert "secret" not in text


def test_a_hostile_name_of_ones_own_is_shown_as_plain_short_text(stage: UsageStage) -> None:
    text, read = shown(stage, f'spend of "{HTML.replace(chr(34), chr(39))}" today')
    assert isinstance(read, Refusal)
    text, read = shown(stage, "spend by app today")
    assert isinstance(read, Read)
    said = text.split("(Row(")[0]
    assert "\u202e" not in said
    assert "\x07" not in said
    assert "evil app" in said


def test_a_name_that_is_sql_is_only_a_name(stage: UsageStage) -> None:
    text, read = shown(stage, 'spend of app "DROP TABLE usage" today')
    assert isinstance(read, Read)
    assert text.startswith("10.0 credits.")


def test_a_model_is_shown_no_name_of_the_records(stage: UsageStage) -> None:
    for question in ("spend of my-app by user", 'spend of "DROP TABLE usage"', "spend by app"):
        asked = masked(question, read_names(stage.workspace_id, question))
        seen = asked.text + msgspec.json.encode(schema_for(asked)).decode()
        assert not [name for name in ("my-app", "drop table", "evil", "secret") if name in seen]

"""Usage of a workspace, rolled but for its tail, and the same sums done by hand.

Times are relative to the clock, since ranges that are not over depend on it; everything else is
drawn by a seed.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from pytest_django import DjangoDbBlocker

from analytics.query import Bucket, Dimension, Metric, QuerySpec
from analytics.ranges import Calendar, week_of
from analytics.rolling import roll
from studio.accounts.services import create_workspace
from studio.core.ids import new_id
from tests.databases import Database, Facts, cloned, django_on, rows

Rows = list[dict[str, Any]]
Key = tuple[Any, ...]

APPS = ("shop", "mobile", "batch", "unknown")
USERS = ("", "alice", "bob", "carol", "dave", "erin")
ROUTES = (
    ("chat", "chat.default", "openai", "gpt-5"),
    ("chat", "chat.claude", "anthropic", "claude-sonnet-4-5"),
    ("image", "image.flux", "replicate", "flux-schnell"),
    ("speech", "voice.turbo", "elevenlabs", "eleven_turbo_v2_5"),
)
COLUMNS = {
    Dimension.APP: "app_id",
    Dimension.USER: "user_ref",
    Dimension.KEY: "app_key_id",
}
FAILED = ("failed", "interrupted", "refused")
DAYS = 75


@dataclass(frozen=True, kw_only=True)
class UsageStage:
    """A workspace with usage, and who reads by whose clock."""

    database: Database
    workspace_id: int
    other_id: int
    time_zone: str

    @property
    def calendar(self) -> Calendar:
        """Weeks begin on Monday."""
        return Calendar(time_zone=self.time_zone)

    def write(self, new: Sequence[dict[str, Any]]) -> None:
        """Write rows of usage, committed."""
        with psycopg.connect(self.database.owner_url) as owner:
            insert(owner, new)

    def usage(self) -> Rows:
        """Give all rows of the workspace."""
        return rows("SELECT * FROM usage WHERE workspace_id = %s", self.workspace_id)


@contextmanager
def usage_stage(
    facts: Facts, blocker: DjangoDbBlocker, name: str, *, time_zone: str, row_count: int = 900
) -> Iterator[UsageStage]:
    """Have a database with two workspaces' usage: a tenth of it is not in the cubes."""
    with blocker.unblock(), cloned(facts, name) as database, django_on(database):
        mine = create_workspace(name="mine", time_zone=time_zone)
        other = create_workspace(name="other", time_zone=time_zone)
        stage = UsageStage(
            database=database, workspace_id=mine.pk, other_id=other.pk, time_zone=time_zone
        )
        now = datetime.now(UTC)
        with psycopg.connect(database.owner_url) as owner:
            owner.execute(
                "SELECT analytics.make_partitions(%s, %s)",
                [(now - timedelta(days=DAYS + 1)).date(), now.date()],
            )
        drawn = random.Random(time_zone)  # noqa: S311  reproducible, and no secret
        new = [draw(drawn, mine.pk, now) for _ in range(row_count)]
        foreign = [draw(drawn, other.pk, now) for _ in range(row_count // 3)]
        stage.write([*new[: row_count * 9 // 10], *foreign])
        roll()
        stage.write(new[row_count * 9 // 10 :])
        yield stage


def draw(drawn: random.Random, workspace_id: int, now: datetime) -> dict[str, Any]:
    """Make up a call, a minute's refusals, or a correction."""
    operation, kind, provider, model = drawn.choice(ROUTES)
    at = now - timedelta(seconds=drawn.random() ** 2 * DAYS * 86_400)
    row: dict[str, Any] = {
        "at": at,
        "request_id": new_id(),
        "workspace_id": workspace_id,
        "app_key_id": None,
        "app_id": drawn.choice(APPS),
        "user_ref": drawn.choice(USERS),
        "surface": "core",
        "operation": operation,
        "kind": kind,
        "channel": drawn.choice(("stable", "fast")),
        "provider": provider,
        "model": model,
        "status": "succeeded",
        "billing": "credits",
    }
    fate = drawn.random()
    if fate < 0.1:
        nobody = {"kind": "", "provider": "", "model": "", "user_ref": "", "billing": "none"}
        return row | nobody | {"status": "refused", "request_count": drawn.randrange(1, 9)}
    if fate < 0.15:
        return row | {"request_count": 0, "charge_ucr": -drawn.randrange(1, 900)}
    row["status"] = drawn.choice(("succeeded",) * 6 + ("failed", "cancelled", "interrupted"))
    row["billing"] = drawn.choice(("credits", "credits", "byok"))
    row["cost_ucr"] = drawn.randrange(10_000)
    row["charge_ucr"] = drawn.randrange(20_000) if row["billing"] == "credits" else 0
    row["latency_ms"] = int(20 * 2 ** (drawn.random() * 12))
    if operation == "chat":
        row["input_tokens"] = drawn.randrange(1, 4_000)
        row["cached_input_tokens"] = drawn.randrange(row["input_tokens"])
        row["output_tokens"] = drawn.randrange(1_000)
        row["first_byte_ms"] = row["latency_ms"] // 3
    else:
        row["item_count"] = 1
        row["media_ms"] = drawn.randrange(9_000)
        row["character_count"] = drawn.randrange(500)
    return row


def insert(connection: psycopg.Connection[Any], new: Sequence[dict[str, Any]]) -> None:
    """Insert rows of usage, each with columns of its own."""
    with connection.cursor() as cursor:
        for row in new:
            names = ", ".join(row)
            places = ", ".join(["%s"] * len(row))
            cursor.execute(
                f"INSERT INTO usage ({names}) VALUES ({places})",  # noqa: S608  our own names
                list(row.values()),
            )


def by_hand(spec: QuerySpec, usage: Rows, calendar: Calendar) -> dict[tuple[Any, Key], list[Any]]:
    """Compute the metrics of all groups of a question, from the rows themselves. A percentile is a
    pair: between what it may be.
    """
    groups: dict[tuple[Any, Key], Rows] = defaultdict(list)
    for row in usage:
        if _passes(row, spec):
            keys = tuple(_word(row, item) for item in spec.group_by)
            groups[_bucket(row["at"], spec.bucket, calendar), keys].append(row)
    return {
        group: [value(metric, found) for metric in spec.metrics] for group, found in groups.items()
    }


def value(metric: Metric, found: Rows) -> Any:
    """Compute one metric of some rows."""
    if metric in _RATIOS:
        above, below = (count(found) for count in _RATIOS[metric])
        return above / below if below else None
    if metric is Metric.CHARGE_PER_REQUEST:
        let_in = _let_in(found)
        return round(_total("charge_ucr")(found) / let_in + 1e-9) if let_in else None
    if metric.value.startswith(("latency", "first_byte")):
        return _time(metric, found)
    return _COUNTS[metric](found)


def _total(column: str, **only: str | tuple[str, ...]) -> Callable[[Rows], int]:
    def total(found: Rows) -> int:
        kept = (row for row in found if all(row[name] in words for name, words in only.items()))
        return sum(row[column] or 0 for row in kept)

    return total


def _let_in(found: Rows) -> int:
    return _total("request_count")(found) - _total("request_count", status=("refused",))(found)


def _users(found: Rows) -> int:
    return len({row["user_ref"] for row in found if row["user_ref"] and row["request_count"]})


_REQUESTS = _total("request_count")
_ERRORS = _total("request_count", status=FAILED)
_TOKENS = {metric: _total(metric.value) for metric in Metric if metric.value.endswith("_tokens")}
_COUNTS: dict[Metric, Callable[[Rows], Any]] = {
    **_TOKENS,
    Metric.REQUESTS: _REQUESTS,
    Metric.ERRORS: _ERRORS,
    Metric.TOKENS: lambda found: (
        _TOKENS[Metric.INPUT_TOKENS](found) + _TOKENS[Metric.OUTPUT_TOKENS](found)
    ),
    Metric.IMAGES: _total("item_count", operation=("image",)),
    Metric.CHARACTERS: _total("character_count"),
    Metric.SECONDS: lambda found: _total("media_ms")(found) / 1000,
    Metric.CHARGE: _total("charge_ucr"),
    Metric.COST: _total("cost_ucr"),
    Metric.USERS: _users,
}
_RATIOS = {
    Metric.ERROR_RATE: (_ERRORS, _REQUESTS),
    Metric.CACHED_SHARE: (_TOKENS[Metric.CACHED_INPUT_TOKENS], _TOKENS[Metric.INPUT_TOKENS]),
    Metric.BYOK_SHARE: (_total("request_count", billing=("byok",)), _let_in),
}


def same(answered: Any, expected: Any) -> bool:
    """Whether a value is what was computed by hand."""
    if isinstance(expected, tuple):
        return answered is not None and expected[0] - 1e-9 <= answered <= expected[1] + 1e-9
    if isinstance(expected, float):
        return answered is not None and abs(answered - expected) <= 1e-9 * max(1, abs(expected))
    return bool(answered == expected)


def _time(metric: Metric, found: Rows) -> Any:
    name, _, how = metric.value.rpartition("_")
    times = sorted(row[f"{name}_ms"] for row in found if row[f"{name}_ms"] is not None)
    if not times:
        return None
    if how == "avg":
        return sum(times) / len(times)
    place = -(-len(times) * int(how[1:]) // 100)
    exact = times[max(place, 1) - 1]
    return exact * 0.98, exact * 1.02


def _passes(row: dict[str, Any], spec: QuerySpec) -> bool:
    if not spec.start <= row["at"] < spec.end:
        return False
    return all(
        (_word(row, item.dimension) in item.values) is not item.exclude for item in spec.filters
    )


def _word(row: dict[str, Any], dimension: Dimension) -> str:
    return row[COLUMNS.get(dimension, dimension.value)] or ""


def _bucket(at: datetime, bucket: Bucket, calendar: Calendar) -> date | datetime | None:
    local = at.astimezone(ZoneInfo(calendar.time_zone))
    match bucket:
        case Bucket.NONE:
            return None
        case Bucket.HOUR:
            return (local - timedelta(minutes=local.minute, seconds=local.second)).replace(
                microsecond=0
            )
        case Bucket.DAY:
            return local.date()
        case Bucket.WEEK:
            return week_of(local.date(), calendar.week_start)
        case Bucket.MONTH:
            return local.date().replace(day=1)

"""How well questions in words are read: the graded sets of tests/analytics/questions, scored."""

import json
import statistics
import time
from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec

from analytics.query import Bucket, Dimension, Filter, Metric, Mode, Order, QuerySpec, Range
from analytics.ranges import begin_of
from analytics.words.grammar import Read, parse
from analytics.words.names import Name, names_of
from analytics.words.refusal import Refusal

SETS = Path(__file__).parents[1] / "tests" / "analytics" / "questions"
ZONE = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 10, 21, 15, 30, tzinfo=ZONE)
"""The Wednesday on which all graded questions are asked."""

_WORLD = {
    "app": "my-legacy-app mobile-ios web-dashboard background-worker support-bot search notes batch"
    " may billing 10202 unknown",
    "user": "alice bob carol mark arno u-1042 jane.doe@example.com",
    "model": "gpt-5 gpt-5-mini gpt-4o claude-sonnet-4-5 claude-haiku-4-5 gemini-2.5-flash grok-4"
    " flux-schnell dall-e-3 eleven_turbo_v2_5",
    "kind": "chat.default chat.claude chat.gpt5 image.flux voice.turbo music.default",
    "provider": "openai anthropic gemini xai replicate elevenlabs",
}

Verdict = Literal["exact", "refused", "wrong"]


class Case(msgspec.Struct, frozen=True):
    """A question, and every query that answers it; none if it must be refused."""

    question: str
    accepted: tuple[QuerySpec, ...]


class Score(msgspec.Struct, frozen=True):
    """How many were read exactly, refused without need, and read wrongly (five times as bad)."""

    exact: int
    refused: int
    wrong: int

    @property
    def points(self) -> float:
        """Give the share of points: an exact one is 1, a wrong one is minus 5."""
        return (self.exact - 5 * self.wrong) / max(1, self.exact + self.refused + self.wrong)


def world() -> list[Name]:
    """Give the names of the workspace in which all graded questions are asked."""

    return [
        Name(Dimension(key), value) for key, values in _WORLD.items() for value in values.split()
    ]


def read_set(name: str) -> list[Case]:
    """Read a graded set."""
    return [_case(item) for item in json.loads((SETS / f"{name}.json").read_text())]


def _case(item: dict[str, Any]) -> Case:
    if item["expect"] == "refuse":
        return Case(item["question"], ())
    accepted = [item["expect"], *item.get("also", [])]
    return Case(
        item["question"], tuple(_plain(_spec(form)) for form in accepted if form != "refuse")
    )


def judge(case: Case, read: Read | Refusal) -> Verdict:
    """Compare a reading with what was expected; refusing is exact where nothing answers."""
    if isinstance(read, Refusal):
        return "refused" if case.accepted else "exact"
    return "exact" if _plain(read.spec) in case.accepted else "wrong"


def score(verdicts: Iterable[Verdict]) -> Score:
    """Count verdicts."""
    found = list(verdicts)
    return Score(found.count("exact"), found.count("refused"), found.count("wrong"))


def _spec(form: dict[str, Any]) -> QuerySpec:
    listing = form.get("mode") == "list"
    metrics = tuple(Metric(name) for name in form.get("metrics", ["requests"]))
    order = None
    if "order" in form:
        order = Order(metric=metrics[0], descending=form["order"] == "desc")
    compare = form.get("compare")
    return QuerySpec(
        start=_moment(form.get("start", "2026-09-22")),
        end=_moment(form.get("end", "2026-10-22")),
        metrics=metrics,
        group_by=tuple(form.get("group_by", ())),
        bucket=Bucket(form.get("bucket", "none")),
        filters=tuple(
            Filter(dimension=key.removesuffix("!"), values=tuple(values), exclude=key.endswith("!"))
            for key, values in form.get("filters", {}).items()
        ),
        compare=Range(start=_moment(compare[0]), end=_moment(compare[1])) if compare else None,
        order=order,
        limit=form.get("limit"),
        mode=Mode.LIST if listing else Mode.TABLE,
    )


def _moment(text: str) -> datetime:
    if "T" in text:
        return datetime.fromisoformat(text).replace(tzinfo=ZONE)
    return begin_of(date.fromisoformat(text), ZONE)


def _plain(spec: QuerySpec) -> QuerySpec:
    """Give one form of what means the same: the default order, the order of filters and values."""
    order = spec.order
    if order == Order(metric=spec.metrics[0]) and spec.group_by:
        order = None
    filters = sorted(
        (msgspec.structs.replace(item, values=tuple(sorted(item.values))) for item in spec.filters),
        key=lambda item: (item.dimension, item.exclude),
    )
    return msgspec.structs.replace(
        spec,
        metrics=spec.metrics[:1] + tuple(sorted(spec.metrics[1:])),
        group_by=tuple(sorted(spec.group_by)) if spec.limit is None else spec.group_by,
        filters=tuple(filters),
        order=order,
        other=False,
    )


def bench_questions() -> bool:
    """Score the grammar on every graded set, and say how long a question takes to read."""
    print(
        f"{'set':12} {'exact':>6} {'refused':>8} {'wrong':>6} {'points':>7} {'ms':>6} {'most':>6}"
    )
    good = all([_scored(name) for name in ("documented", "blind_open", "blind_held")])
    names = names_of(world())
    hostile = json.loads((SETS / "hostile.json").read_text())
    reads = [parse(item["question"], names, NOW) for item in hostile]
    answered = sum(isinstance(read, Read) for read in reads)
    print(f"hostile: {len(hostile)} asked, {answered} read as questions about this workspace")
    return good


def _scored(name: str) -> bool:
    """Print one set's line. Returns: whether nine of ten are exact, and one in fifty is wrong."""
    names, cases = names_of(world()), read_set(name)
    verdicts, times_ms = [], []
    for case in cases:
        started_s = time.perf_counter()
        read = parse(case.question, names, NOW)
        times_ms.append((time.perf_counter() - started_s) * 1000)
        verdicts.append(judge(case, read))
    reached = score(verdicts)
    print(
        f"{name:12} {reached.exact:>6} {reached.refused:>8} {reached.wrong:>6}"
        f" {reached.points:>7.3f} {statistics.median(times_ms):>6.2f} {max(times_ms):>6.2f}"
    )
    return reached.exact >= 0.9 * len(cases) and reached.wrong <= 0.02 * len(cases)

"""How each metric is computed: from which family of cells, which of their columns, by what.

Families: sums; histograms of latency and of the time to the first byte; users, told apart. Cells
of the first three add up, whatever they are cut by; of the last, those of one user do.
"""

from enum import StrEnum

import msgspec

from analytics.query import Bucket, Metric


class Family(StrEnum):
    """What cells hold."""

    SUMS = "sums"
    LATENCY = "latency"
    FIRST_BYTE = "first_byte"
    USERS = "users"


HISTOGRAMS = {Family.LATENCY: "latency_ms", Family.FIRST_BYTE: "first_byte_ms"}
"""The raw column of each."""
PERCENTILE_ERROR = 0.02
"""The most that a percentile is off, as a share of it: half the width of a histogram's bucket."""


class Unit(StrEnum):
    """What a value is in."""

    COUNT = "count"
    UCR = "ucr"
    SHARE = "share"
    MS = "ms"
    SECONDS = "s"


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """A metric's making. `formula` is SQL over `columns` of a group's sums; `share` is the rank of
    a percentile.
    """

    family: Family
    unit: Unit
    columns: tuple[str, ...] = ()
    formula: str = ""
    share: str = ""

    @property
    def adds_up(self) -> bool:
        """Whether a group without rows has 0 of it; else it has no value there."""
        return self.unit in (Unit.COUNT, Unit.UCR, Unit.SECONDS) and "/ NULLIF" not in self.formula


def _sum(column: str, unit: Unit = Unit.COUNT) -> Measure:
    return Measure(family=Family.SUMS, unit=unit, columns=(column,), formula=f"{column}::int8")


def _ratio(above: str, below: str, unit: Unit, *columns: str) -> Measure:
    return Measure(
        family=Family.SUMS,
        unit=unit,
        columns=columns,
        formula=f"({above})::float8 / NULLIF({below}, 0)::float8",
    )


def _percentile(family: Family, share: str) -> Measure:
    return Measure(family=family, unit=Unit.MS, share=share)


_LET_IN = "request_count - refused_count"

MEASURES: dict[Metric, Measure] = {
    Metric.REQUESTS: _sum("request_count"),
    Metric.ERRORS: _sum("error_count"),
    Metric.ERROR_RATE: _ratio(
        "error_count", "request_count", Unit.SHARE, "error_count", "request_count"
    ),
    Metric.TOKENS: Measure(
        family=Family.SUMS,
        unit=Unit.COUNT,
        columns=("input_tokens", "output_tokens"),
        formula="(input_tokens + output_tokens)::int8",
    ),
    Metric.INPUT_TOKENS: _sum("input_tokens"),
    Metric.CACHED_INPUT_TOKENS: _sum("cached_input_tokens"),
    Metric.CACHE_WRITE_TOKENS: _sum("cache_write_tokens"),
    Metric.OUTPUT_TOKENS: _sum("output_tokens"),
    Metric.REASONING_TOKENS: _sum("reasoning_tokens"),
    Metric.IMAGES: _sum("image_count"),
    Metric.CHARACTERS: _sum("character_count"),
    Metric.SECONDS: Measure(
        family=Family.SUMS,
        unit=Unit.SECONDS,
        columns=("media_ms",),
        formula="media_ms::float8 / 1000",
    ),
    Metric.CHARGE: _sum("charge_ucr", Unit.UCR),
    Metric.CHARGE_PER_REQUEST: Measure(
        family=Family.SUMS,
        unit=Unit.UCR,
        columns=("charge_ucr", "request_count", "refused_count"),
        formula=f"round(charge_ucr / NULLIF({_LET_IN}, 0))::int8",
    ),
    Metric.COST: _sum("cost_ucr", Unit.UCR),
    Metric.LATENCY_AVG: _ratio(
        "latency_sum_ms", "latency_count", Unit.MS, "latency_sum_ms", "latency_count"
    ),
    Metric.LATENCY_P50: _percentile(Family.LATENCY, "0.50"),
    Metric.LATENCY_P95: _percentile(Family.LATENCY, "0.95"),
    Metric.LATENCY_P99: _percentile(Family.LATENCY, "0.99"),
    Metric.FIRST_BYTE_AVG: _ratio(
        "first_byte_sum_ms", "first_byte_count", Unit.MS, "first_byte_sum_ms", "first_byte_count"
    ),
    Metric.FIRST_BYTE_P50: _percentile(Family.FIRST_BYTE, "0.50"),
    Metric.FIRST_BYTE_P95: _percentile(Family.FIRST_BYTE, "0.95"),
    Metric.FIRST_BYTE_P99: _percentile(Family.FIRST_BYTE, "0.99"),
    Metric.CACHED_SHARE: _ratio(
        "cached_input_tokens",
        "input_tokens",
        Unit.SHARE,
        "cached_input_tokens",
        "input_tokens",
    ),
    Metric.BYOK_SHARE: _ratio(
        "byok_count", _LET_IN, Unit.SHARE, "byok_count", "request_count", "refused_count"
    ),
    Metric.USERS: Measure(family=Family.USERS, unit=Unit.COUNT),
}

ALWAYS_SUMMED = ("request_count", "charge_ucr", "cost_ucr")
"""A cell without any of them is none: all its rows came after an earlier snapshot."""

_FAILED = "('failed', 'interrupted', 'refused')"
_CUBE_SUMS = {
    "error_count": f"sum(c.request_count) FILTER (WHERE c.status IN {_FAILED})",
    "refused_count": "sum(c.request_count) FILTER (WHERE c.status = 'refused')",
    "byok_count": "sum(c.request_count) FILTER (WHERE c.billing = 'byok')",
    "image_count": "sum(c.item_count) FILTER (WHERE c.route_number = ANY({image_routes}))",
}
_USER_MONTH_SUMS = {
    "error_count": "sum(COALESCE(c.failed_count, 0) + COALESCE(c.interrupted_count, 0)"
    " + COALESCE(c.refused_count, 0))",
}
_RAW_SUMS = {
    "error_count": f"sum(c.request_count * c.sign) FILTER (WHERE c.status IN {_FAILED})",
    "refused_count": "sum(c.request_count * c.sign) FILTER (WHERE c.status = 'refused')",
    "byok_count": "sum(c.request_count * c.sign) FILTER (WHERE c.billing = 'byok')",
    "image_count": "sum(c.item_count * c.sign) FILTER (WHERE left(c.operation, 5) = 'image')",
    "latency_count": "sum(c.sign) FILTER (WHERE c.latency_ms IS NOT NULL)",
    "latency_sum_ms": "sum(c.latency_ms::int8 * c.sign)",
    "first_byte_count": "sum(c.sign) FILTER (WHERE c.first_byte_ms IS NOT NULL)",
    "first_byte_sum_ms": "sum(c.first_byte_ms::int8 * c.sign)",
}


def cube_sum(column: str, image_routes: str) -> str:
    """Write the sum of a column over rows `c` of a cube with routes and statuses."""
    sums = _CUBE_SUMS.get(column, f"sum(c.{column})").replace("{image_routes}", image_routes)
    return _whole(sums)


def user_month_sum(column: str) -> str:
    """Write the sum of a column over rows `c` of the cube that has months of users."""
    return _whole(_USER_MONTH_SUMS.get(column, f"sum(c.{column})"))


def raw_sum(column: str) -> str:
    """Write the sum of a column over raw rows `c`, each counted `sign` times."""
    return _whole(_RAW_SUMS.get(column, f"sum(c.{column}::int8 * c.sign)"))


def _whole(sums: str) -> str:
    """Make it a bigint: sums of sums would be of numeric, which takes several times as long."""
    return f"({sums})::int8"


def families_of(metrics: tuple[Metric, ...]) -> tuple[Family, ...]:
    """Give the families that the metrics need, in a fixed order."""
    needed = {MEASURES[metric].family for metric in metrics}
    return tuple(family for family in Family if family in needed)


def columns_of(metrics: tuple[Metric, ...], *, exists: bool = False) -> tuple[str, ...]:
    """Give the columns to sum for the metrics, each once; with those that show whether a cell
    exists, where rows are counted off.
    """
    columns = [*ALWAYS_SUMMED] if exists else []
    for metric in metrics:
        columns += [name for name in MEASURES[metric].columns if name not in columns]
    return tuple(columns)


LONGEST_SERIES: dict[Bucket, int] = {Bucket.HOUR: 24 * 31 + 1}
"""Of how many buckets a question may ask; else as many as an answer has rows."""

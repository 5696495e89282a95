"""Usage rows by the million, made by SQL: the same plan gives the same rows, whenever it runs.

As analytics were designed against: 200 workspaces by Zipf's law, 5 to 50 apps each, up to 5 000
users an app, 36 routes, all statuses and payers; times spread evenly over the days. Each chunk is a
transaction of its own, in the order of time, as calls settle. No row is in the ledger.
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import msgspec
import psycopg

_PARTITIONS = "SELECT analytics.make_partitions(%s, %s)"
_SHARES = """
CREATE TEMP TABLE IF NOT EXISTS bench_share AS
SELECT array_agg(upto::float8 ORDER BY n) AS upto
FROM (SELECT n, sum(1.0 / n) OVER (ORDER BY n) / sum(1.0 / n) OVER () AS upto
      FROM generate_series(1, %s) n) s
"""
# r1 to r9 are hashes of the row's number, as shares of one.
_INSERT = """
INSERT INTO usage (
  at, request_id, started_at, workspace_id, app_key_id, app_id, user_ref, surface, operation, kind,
  channel, provider, model, status, reason, billing, request_count, attempts, http_status,
  price_version, markup_bp, cost_ucr, charge_ucr, input_tokens, cached_input_tokens, output_tokens,
  reasoning_tokens, item_count, character_count, media_ms, usage_source, latency_ms, first_byte_ms)
SELECT
  x.at, (lpad(to_hex(%(seed)s::int), 8, '0') || lpad(to_hex(n), 24, '0'))::uuid,
  x.at - make_interval(secs => x.latency_ms / 1000.0), x.workspace_id, x.place, 'app-' || x.app,
  CASE WHEN refused THEN '' ELSE 'user-' || x.app || '-' || (d.r5 * d.r5 * 5000)::int END,
  'core', operation, CASE WHEN refused THEN '' ELSE operation || '.kind' || route %% 6 END,
  'stable', CASE WHEN refused THEN '' ELSE 'provider' || route %% 5 END,
  CASE WHEN refused THEN '' ELSE 'model-' || route END, status,
  CASE WHEN refused THEN 'rate_limited' WHEN status = 'failed' THEN 'upstream_error' ELSE '' END,
  billing, CASE WHEN refused THEN 1 + (d.r8 * 20)::int ELSE 1 END,
  CASE WHEN refused THEN 0 ELSE 1 END,
  CASE status WHEN 'succeeded' THEN 200 WHEN 'refused' THEN 429 ELSE 502 END, 1, 2000,
  CASE WHEN free THEN 0 ELSE tokens * 3 END,
  CASE WHEN free OR billing <> 'credits' THEN 0 ELSE tokens * 4 END,
  CASE WHEN talks THEN tokens END, CASE WHEN talks AND d.r7 < 0.3 THEN tokens / 2 END,
  CASE WHEN talks THEN tokens / 4 END, CASE WHEN talks AND d.r7 < 0.1 THEN tokens / 8 END,
  CASE WHEN operation = 'image' AND NOT free THEN 1 + route %% 3 END,
  CASE WHEN operation = 'speech' AND NOT free THEN tokens END,
  CASE WHEN operation IN ('speech', 'music') AND NOT free THEN tokens * 10 END,
  CASE WHEN refused THEN 'none' ELSE 'provider' END,
  CASE WHEN NOT refused THEN x.latency_ms END,
  CASE WHEN talks AND status = 'succeeded' THEN x.latency_ms / 5 END
FROM generate_series(%(first)s::bigint, %(last)s::bigint) n
CROSS JOIN LATERAL (
  SELECT (hashint8extended(n, %(seed)s * 16 + 1) & 1048575) / 1048576.0::float8 AS r1,
         (hashint8extended(n, %(seed)s * 16 + 2) & 1048575) / 1048576.0::float8 AS r2,
         (hashint8extended(n, %(seed)s * 16 + 3) & 1048575) / 1048576.0::float8 AS r3,
         (hashint8extended(n, %(seed)s * 16 + 4) & 1048575) / 1048576.0::float8 AS r4,
         (hashint8extended(n, %(seed)s * 16 + 5) & 1048575) / 1048576.0::float8 AS r5,
         (hashint8extended(n, %(seed)s * 16 + 6) & 1048575) / 1048576.0::float8 AS r6,
         (hashint8extended(n, %(seed)s * 16 + 7) & 1048575) / 1048576.0::float8 AS r7,
         (hashint8extended(n, %(seed)s * 16 + 8) & 1048575) / 1048576.0::float8 AS r8,
         (hashint8extended(n, %(seed)s * 16 + 9) & 1048575) / 1048576.0::float8 AS r9
  OFFSET 0) d
CROSS JOIN bench_share s
CROSS JOIN LATERAL (SELECT 1 + width_bucket(d.r1, s.upto) AS place OFFSET 0) p
CROSS JOIN LATERAL (
  SELECT %(begin)s::timestamptz + (n - 1 + d.r2) * %(step)s::interval AS at, p.place,
         (%(ids)s::bigint[])[p.place] AS workspace_id,
         1 + (d.r3 * d.r3 * (5 + hashint4(p.place) & 45))::int AS app,
         (d.r4 * d.r4 * 36)::int AS route, (20 * exp(d.r6 * 7))::int AS latency_ms,
         (50 + 4000 * d.r9 * d.r9)::int AS tokens OFFSET 0) x
CROSS JOIN LATERAL (
  SELECT (ARRAY['chat', 'chat', 'chat', 'embedding', 'image', 'speech'])[1 + x.route %% 6]
           AS operation,
         CASE WHEN d.r7 < 0.95 THEN 'succeeded' WHEN d.r7 < 0.97 THEN 'failed'
              WHEN d.r7 < 0.98 THEN 'cancelled' WHEN d.r7 < 0.99 THEN 'interrupted'
              ELSE 'refused' END AS status OFFSET 0) o
CROSS JOIN LATERAL (
  SELECT status = 'refused' AS refused, status IN ('refused', 'failed') AS free,
         operation = 'chat' AND status NOT IN ('refused', 'failed') AS talks,
         CASE WHEN status = 'refused' THEN 'none' WHEN d.r8 < 0.1 THEN 'byok'
              WHEN d.r8 < 0.12 THEN 'house' ELSE 'credits' END AS billing) f
"""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is made: so many rows over so many days before `end`, for these workspaces, the one with
    most rows first.
    """

    end: date
    row_count: int = 1_000_000
    days: int = 92
    workspace_ids: tuple[int, ...] = tuple(range(1, 201))
    seed: int = 1
    chunk: int = 50_000


def write_usage(owner: psycopg.Connection[Any], plan: Plan) -> None:
    """Write the rows of a plan, and partitions for them. `owner` is in autocommit."""
    end = datetime.combine(plan.end, time(), UTC)
    begin = end - timedelta(days=plan.days)
    owner.execute("SET statement_timeout = 0")
    owner.execute(_PARTITIONS, [begin.date(), end.date()])
    owner.execute("DROP TABLE IF EXISTS pg_temp.bench_share")
    owner.execute(_SHARES, [len(plan.workspace_ids)])
    for first in range(1, plan.row_count + 1, plan.chunk):
        owner.execute(
            _INSERT,
            {
                "first": first,
                "last": min(first + plan.chunk - 1, plan.row_count),
                "seed": plan.seed,
                "begin": begin,
                "step": (end - begin) / plan.row_count,
                "ids": list(plan.workspace_ids),
            },
        )
    owner.execute("ANALYZE usage")

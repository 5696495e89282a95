"""The statements of the proxy path: each carries arrays, does all its work in one transaction, answers per item.

hold       ledger hold + call row                              T1, before anything is sent
settle     ledger settle + call row + usage row + key's spend  T2, before the last byte leaves
heartbeat  hold's time + lease + checkpoint                    every two seconds, for calls older than that

Lock order is the ledger's: wallets first, everything else after. Each statement therefore joins its writes to the
ledger function's rows, so that the function has run before they take a lock. docs/decisions/005 tells why it is so.
"""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import msgspec

LEASE_S = 20
HOLD_S = 75
"""A hold outlives its last heartbeat by this much; the resolver settles a dead call long before (decision 2)."""


class NewCall(msgspec.Struct, frozen=True, kw_only=True):
    """One hold and one call row. Amounts in µcr, `input_estimate` in tokens, digests are SHA-256."""

    id: UUID
    workspace_id: int
    hold_ucr: int
    price_version: int
    markup_bp: int
    app_key_id: int | None
    input_estimate: int
    app_id: str
    user_ref: str
    surface: str
    operation: str
    kind: str
    channel: str
    provider: str
    model: str
    idempotency_digest: bytes | None = None
    request_digest: bytes | None = None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How one call ended: what the ledger, the call row and the usage row need.

    `ledger_kind` is usage or void; `state` a final state of `Call.State`. Tokens are counts, times milliseconds.
    `keep_answer` is False when the Idempotency-Key is to be released, so that a retry really retries.
    """

    id: UUID
    workspace_id: int
    ledger_kind: str
    charge_ucr: int
    cost_ucr: int
    state: str
    reason: str
    http_status: int
    input_tokens: int
    cached_input_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    usage_source: str
    latency_ms: int
    first_byte_ms: int
    attempts: int = 1
    capped: bool = False
    keep_answer: bool = False
    answer: bytes | None = None
    answer_media_type: str = ""


HOLD = f"""
WITH v AS MATERIALIZED (
  SELECT n, verdict, available
  FROM ledger.ledger_hold(%s::bigint[], %s::uuid[], %s::bigint[], %s::int[], %s::int[], %s::int[])
), c AS (
  INSERT INTO gateway_call (
    workspace_id, id, hold_ucr, price_version, markup_bp, app_key_id, input_estimate, app_id, user_ref, surface,
    operation, kind, channel, provider, model, idempotency_digest, request_digest, billing, attempts, state, fence,
    lease_until, checkpoint_tokens, answer_media_type, started_at)
  SELECT i.workspace_id, i.id, i.hold_ucr, i.price_version, i.markup_bp, i.app_key_id, i.input_estimate, i.app_id,
         i.user_ref, i.surface, i.operation, i.kind, i.channel, i.provider, i.model, i.idempotency_digest,
         i.request_digest, 'credits', 1, 'open', 0, now() + interval '{LEASE_S} seconds', 0, '', now()
  FROM v JOIN unnest(
    %s::bigint[], %s::uuid[], %s::bigint[], %s::int[], %s::int[], %s::bigint[], %s::int[], %s::text[], %s::text[],
    %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bytea[], %s::bytea[]
  ) WITH ORDINALITY i(
    workspace_id, id, hold_ucr, price_version, markup_bp, app_key_id, input_estimate, app_id, user_ref, surface,
    operation, kind, channel, provider, model, idempotency_digest, request_digest, n) ON i.n = v.n
  WHERE v.verdict = 'held'
)
SELECT verdict, available FROM v ORDER BY n
"""

SETTLE = """
WITH v AS MATERIALIZED (
  SELECT n, verdict, fresh, charged, available
  FROM ledger.ledger_settle(%s::bigint[], %s::uuid[], %s::text[], %s::bigint[], %s::bigint[])
), i AS (
  SELECT v.verdict, v.fresh, v.charged, i.*
  FROM v JOIN unnest(
    %s::uuid[], %s::bigint[], %s::text[], %s::text[], %s::int[], %s::int[], %s::int[], %s::int[], %s::int[],
    %s::int[], %s::text[], %s::int[], %s::int[], %s::int[], %s::bool[], %s::bool[], %s::bytea[], %s::text[]
  ) WITH ORDINALITY i(
    id, cost_ucr, state, reason, http_status, input_tokens, cached_input_tokens, cache_write_tokens,
    output_tokens, reasoning_tokens, usage_source, latency_ms, first_byte_ms, attempts, capped, keep_answer, answer,
    answer_media_type, n) ON i.n = v.n
), c AS (
  UPDATE gateway_call c SET
    state = i.state, finished_at = now(), attempts = i.attempts,
    idempotency_digest = CASE WHEN i.keep_answer THEN c.idempotency_digest END,
    answer = i.answer, answer_status = i.http_status, answer_media_type = i.answer_media_type
  FROM i
  WHERE c.id = i.id AND c.state = 'open' AND (i.fresh OR i.verdict = 'lapse')
  RETURNING c.id, c.workspace_id, c.app_key_id, c.app_id, c.user_ref, c.surface, c.operation, c.kind, c.channel,
    c.provider, c.model, c.billing, c.price_version, c.markup_bp, c.started_at,
    i.charged, i.cost_ucr, i.state, i.reason, i.http_status, i.input_tokens, i.cached_input_tokens,
    i.cache_write_tokens, i.output_tokens, i.reasoning_tokens, i.usage_source, i.latency_ms, i.first_byte_ms,
    i.attempts, i.capped
), u AS (
  INSERT INTO usage (
    request_id, started_at, workspace_id, app_key_id, app_id, user_ref, surface, operation, kind, channel, provider,
    model, status, reason, billing, attempts, http_status, price_version, markup_bp, cost_ucr, charge_ucr,
    input_tokens, cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens, usage_source, latency_ms,
    first_byte_ms)
  SELECT id, started_at, workspace_id, app_key_id, app_id, user_ref, surface, operation, kind, channel, provider,
    model, state, reason, billing, attempts, http_status, price_version, markup_bp, cost_ucr, charged,
    input_tokens, cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens, usage_source, latency_ms,
    first_byte_ms
  FROM c
), k AS (
  UPDATE accounts_appkey a SET spent_ucr = a.spent_ucr + x.charged
  FROM (SELECT app_key_id, sum(charged) AS charged FROM c WHERE capped GROUP BY app_key_id) x
  WHERE a.id = x.app_key_id
)
SELECT verdict, fresh, charged, available FROM v ORDER BY n
"""

HEARTBEAT = f"""
WITH e AS MATERIALIZED (
  SELECT count(*) AS extended FROM ledger.ledger_extend(%s::bigint[], %s::uuid[], {HOLD_S})
), c AS (
  UPDATE gateway_call c
  SET lease_until = now() + interval '{LEASE_S} seconds', checkpoint_tokens = i.tokens
  FROM e, unnest(%s::uuid[], %s::int[]) AS i(id, tokens)
  WHERE c.id = i.id AND c.state = 'open' AND c.fence = 0 AND e.extended >= 0
  RETURNING c.id
)
SELECT count(*) FROM c
"""


def _array(values: Iterable[object]) -> str:
    """Write numbers and ids of ours as an array literal: cheaper than adapting a list item by item."""
    return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"


def hold_parameters(calls: Sequence[NewCall]) -> list[Any]:
    """Lay out `HOLD`'s parameters. Client text travels as lists, never inside a literal."""
    workspaces = _array([call.workspace_id for call in calls])
    ids = _array([call.id for call in calls])
    amounts = _array([call.hold_ucr for call in calls])
    prices = _array([call.price_version for call in calls])
    markups = _array([call.markup_bp for call in calls])
    return [
        workspaces,
        ids,
        amounts,
        _array([HOLD_S] * len(calls)),
        prices,
        markups,
        workspaces,
        ids,
        amounts,
        prices,
        markups,
        _array([call.app_key_id for call in calls]),
        _array([call.input_estimate for call in calls]),
        [call.app_id for call in calls],
        [call.user_ref for call in calls],
        [call.surface for call in calls],
        [call.operation for call in calls],
        [call.kind for call in calls],
        [call.channel for call in calls],
        [call.provider for call in calls],
        [call.model for call in calls],
        [call.idempotency_digest for call in calls],
        [call.request_digest for call in calls],
    ]


def settle_parameters(outcomes: Sequence[Outcome]) -> list[Any]:
    """Lay out `SETTLE`'s parameters."""
    ids = _array([outcome.id for outcome in outcomes])
    costs = _array([outcome.cost_ucr for outcome in outcomes])
    return [
        _array([outcome.workspace_id for outcome in outcomes]),
        ids,
        _array([outcome.ledger_kind for outcome in outcomes]),
        _array([outcome.charge_ucr for outcome in outcomes]),
        costs,
        ids,
        costs,
        _array([outcome.state for outcome in outcomes]),
        [outcome.reason for outcome in outcomes],
        _array([outcome.http_status for outcome in outcomes]),
        _array([outcome.input_tokens for outcome in outcomes]),
        _array([outcome.cached_input_tokens for outcome in outcomes]),
        _array([outcome.cache_write_tokens for outcome in outcomes]),
        _array([outcome.output_tokens for outcome in outcomes]),
        _array([outcome.reasoning_tokens for outcome in outcomes]),
        _array([outcome.usage_source for outcome in outcomes]),
        _array([outcome.latency_ms for outcome in outcomes]),
        _array([outcome.first_byte_ms for outcome in outcomes]),
        _array([outcome.attempts for outcome in outcomes]),
        _array([outcome.capped for outcome in outcomes]),
        _array([outcome.keep_answer for outcome in outcomes]),
        [outcome.answer for outcome in outcomes],
        [outcome.answer_media_type for outcome in outcomes],
    ]


def heartbeat_parameters(beats: Sequence[tuple[UUID, int, int]]) -> list[Any]:
    """Lay out `HEARTBEAT`'s parameters from (id, workspace, relayed tokens)."""
    ids = _array([beat[0] for beat in beats])
    return [_array([beat[1] for beat in beats]), ids, ids, _array([beat[2] for beat in beats])]

-- Take refunds from billing's outbox and write them to usage, in one statement: each exactly once. A correction counts
-- no request, charges a negative amount, and has the words of the call it corrects, so that every report of them is
-- right; where that usage row is missing it is written all the same, and usage_violations shows it.
-- `at` is the refund's own time, as the ledger has it; later than the call's newest row by at least a microsecond,
-- because a call has one row at a time. Parameter: most corrections to write.
WITH c AS MATERIALIZED (
  SELECT * FROM ledger.ledger_take_corrections(%s)
), i AS (
  INSERT INTO usage (
    at, request_id, started_at, workspace_id, app_key_id, app_id, user_ref, surface, operation, kind, channel, provider,
    model, status, reason, billing, request_count, attempts, price_version, markup_bp, charge_ucr, usage_source)
  SELECT GREATEST(c.at, u.last_at + row_number() OVER (PARTITION BY c.call_id ORDER BY c.at) * interval '1 microsecond'),
         c.call_id, u.started_at, c.wallet_id, u.app_key_id, COALESCE(u.app_id, 'unknown'), COALESCE(u.user_ref, ''),
         COALESCE(u.surface, ''), COALESCE(u.operation, ''), COALESCE(u.kind, ''), COALESCE(u.channel, ''),
         COALESCE(u.provider, ''), COALESCE(u.model, ''), COALESCE(u.status, 'succeeded'), 'refund', 'credits', 0, 0,
         u.price_version, u.markup_bp, -c.amount, 'none'
  FROM c LEFT JOIN LATERAL (
    SELECT u.*, max(u.at) OVER () AS last_at FROM usage u
    WHERE u.request_id = c.call_id AND u.workspace_id = c.wallet_id
    ORDER BY u.request_count DESC LIMIT 1) u ON true
)
SELECT count(*) FROM c

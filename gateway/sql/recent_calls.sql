-- What usage_checks.sql looks at when little has changed: calls that a transaction since the last clean check wrote
-- anything of, and those that are open. Call rows have no transaction's number, and no index would be worth its price
-- (claim_dead_calls.sql): those of the time before are looked at, and their own xmin, which says who wrote them, is
-- right for two thousand million transactions. Parameters: since, the transaction that the check ended before; begun,
-- the time from which on calls may have been begun that changed since.
asked AS MATERIALIZED (
  SELECT wallet_id AS workspace_id, id FROM ledger.entry WHERE transaction_id >= %(since)s
  UNION
  SELECT workspace_id, request_id FROM usage WHERE transaction_id >= %(since)s
  UNION
  SELECT workspace_id, id FROM gateway_call
  WHERE id >= (SELECT uuidv7(%(begun)s - now())) AND (state = 'open' OR age(xmin) <= %(age)s)
  UNION
  SELECT wallet_id, id FROM ledger.hold
  UNION
  SELECT wallet_id, call_id FROM ledger.correction
), calls AS MATERIALIZED (
  SELECT c.*
  FROM asked k CROSS JOIN LATERAL (
    SELECT id, workspace_id, state, billing, lease_until, hold_ucr FROM gateway_call
    WHERE id = k.id AND workspace_id = k.workspace_id OFFSET 0) c
), usages AS MATERIALIZED (
  -- A call's usage is not older than its id: months before it need no look.
  SELECT u.*
  FROM asked k CROSS JOIN LATERAL (
    SELECT request_id, workspace_id, billing, status, request_count, charge_ucr, price_version, markup_bp, input_tokens,
           cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens, item_count, character_count,
           media_ms, attempts
    FROM usage
    WHERE request_id = k.id AND workspace_id = k.workspace_id
      AND at >= COALESCE(uuid_extract_timestamp(k.id) - interval '1 day', '-infinity') OFFSET 0) u
), entries AS MATERIALIZED (
  SELECT e.*
  FROM asked k CROSS JOIN LATERAL (
    SELECT wallet_id, id, seq, kind, amount, price_version, markup_bp FROM ledger.entry
    WHERE wallet_id = k.workspace_id AND id = k.id
      -- Older entries' usage rows are retired; a refund of one is compared alone.
      AND at >= (SELECT month::timestamp AT TIME ZONE 'UTC' FROM analytics.kept_from WHERE table_name = 'usage')
    OFFSET 0) e
)

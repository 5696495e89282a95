-- What usage_checks.sql looks at: everything, but entries of months whose usage rows are retired. Those have their seals.
calls AS NOT MATERIALIZED (
  SELECT id, workspace_id, state, billing, lease_until, hold_ucr FROM gateway_call
), usages AS NOT MATERIALIZED (
  SELECT request_id, workspace_id, billing, status, request_count, charge_ucr, price_version, markup_bp, input_tokens,
         cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens, item_count, character_count,
         media_ms, attempts
  FROM usage
), entries AS NOT MATERIALIZED (
  SELECT wallet_id, id, seq, kind, amount, price_version, markup_bp FROM ledger.entry
  WHERE at >= (SELECT month::timestamp AT TIME ZONE 'UTC' FROM analytics.kept_from WHERE table_name = 'usage')
)

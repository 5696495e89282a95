-- Take over open calls whose hold is gone: the ledger's sweep came first, because nobody resolved for a minute or more.
-- Settling them charges nothing and records the cost. Looks at the last two days.
-- Parameters: lease in seconds, most calls to take.
UPDATE gateway_call SET fence = fence + 1, lease_until = now() + make_interval(secs => %s)
WHERE id IN (
  SELECT id FROM gateway_call
  WHERE id >= (SELECT uuidv7(interval '-2 days'))
    AND state = 'open' AND lease_until < now() - interval '5 minutes'
  ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED)
RETURNING id, workspace_id, billing, operation, provider, model, price_version, markup_bp, input_estimate, checkpoint_tokens,
  LEAST(extract(epoch FROM now() - started_at) * 1000, 2147483647)::int,
  EXISTS (SELECT FROM accounts_appkey a WHERE a.id = app_key_id AND a.spend_cap_ucr IS NOT NULL)

-- Take over calls whose process is gone: fenced, so that its late heartbeat changes nothing.
-- They are found through the ledger's holds, which are the open calls and few. An index on lease or state would make
-- every settle's update of the call row write all indexes anew (no HOT update). Calls that hold nothing are looked for
-- among the last five minutes' alone; nothing is frozen by them, so older ones can wait for claim_orphan_calls.sql.
-- Parameters: lease in seconds, most calls to take.
UPDATE gateway_call SET fence = fence + 1, lease_until = now() + make_interval(secs => %s)
WHERE id IN (
  SELECT c.id FROM gateway_call c
  WHERE (c.id IN (SELECT h.id FROM ledger.hold h WHERE h.seq = 0)
         OR c.id IN (SELECT o.id FROM gateway_call o WHERE o.billing = 'byok' AND o.id >= (SELECT uuidv7(interval '-5 minutes'))))
    AND c.state = 'open' AND c.lease_until < now() - interval '10 seconds'
    AND pg_postmaster_start_time() < now() - interval '15 seconds'
  ORDER BY c.lease_until LIMIT %s FOR UPDATE OF c SKIP LOCKED)
RETURNING id, workspace_id, billing, operation, provider, model, price_version, markup_bp, input_estimate, checkpoint_tokens,
  LEAST(extract(epoch FROM now() - started_at) * 1000, 2147483647)::int,
  EXISTS (SELECT FROM accounts_appkey a WHERE a.id = app_key_id AND a.spend_cap_ucr IS NOT NULL)

-- Heartbeat: the hold's time first (it locks the wallets), then lease and checkpoint of the call rows.
-- Calls that hold nothing are not known to the ledger, which passes them by.
-- Parameters: gateway/statements.py, heartbeat_parameters.
WITH e AS MATERIALIZED (
  SELECT count(*) AS extended FROM ledger.ledger_extend(%s::bigint[], %s::uuid[], %s)
), c AS (
  UPDATE gateway_call c
  SET lease_until = now() + make_interval(secs => %s), checkpoint_tokens = i.tokens
  FROM e, unnest(%s::uuid[], %s::int[]) AS i(id, tokens)
  WHERE c.id = i.id AND c.state = 'open' AND c.fence = 0 AND e.extended >= 0
  RETURNING c.id
)
SELECT count(*) FROM c

-- As migration 0003 made it, without refunds: only it reads this. usage_audit.sql is what runs.
-- Empty, or something is wrong: what usage says was charged must equal what the ledger took, call by call.
CREATE VIEW usage_violations AS
WITH recorded AS (
  SELECT workspace_id, request_id, sum(charge_ucr) AS charged
  FROM usage WHERE billing = 'credits' GROUP BY workspace_id, request_id
), taken AS (
  SELECT wallet_id, id, sum(amount) AS charged
  FROM ledger.entry WHERE kind = 'usage' GROUP BY wallet_id, id
)
SELECT CASE WHEN r.request_id IS NULL THEN 'usage entry without a usage row'
            WHEN t.id IS NULL THEN 'usage row with a charge the ledger does not know'
            ELSE 'usage row and ledger differ' END AS violation,
       coalesce(r.workspace_id, t.wallet_id) AS workspace_id, coalesce(r.request_id, t.id) AS request_id,
       r.charged AS recorded_ucr, t.charged AS taken_ucr
FROM recorded r FULL JOIN taken t ON t.wallet_id = r.workspace_id AND t.id = r.request_id
WHERE r.request_id IS NULL OR coalesce(r.charged, 0) <> coalesce(t.charged, 0)
UNION ALL
SELECT 'open call without a hold', c.workspace_id, c.id, NULL, c.hold_ucr
FROM gateway_call c
WHERE c.state = 'open' AND c.billing = 'credits' AND c.lease_until < now() - interval '90 seconds'
  AND NOT EXISTS (SELECT FROM ledger.hold h WHERE h.wallet_id = c.workspace_id AND h.id = c.id)
UNION ALL
SELECT 'hold that nobody released', h.wallet_id, h.id, NULL, h.amount
FROM ledger.hold h WHERE h.expires_at < now() - interval '90 seconds'
UNION ALL
SELECT 'settled call whose hold is still open', c.workspace_id, c.id, NULL, c.hold_ucr
FROM gateway_call c JOIN ledger.hold h ON h.wallet_id = c.workspace_id AND h.id = c.id
WHERE c.state <> 'open';

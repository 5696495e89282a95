-- Sealed months in which usage was charged something else than the ledger took and gave back, less what waits in the
-- outbox of refunds: a row for each workspace and month. A month that is sealed has no other seals to come.
CREATE VIEW seal_violations AS
WITH taken AS (
  SELECT wallet_id AS workspace_id, date_trunc('month', at AT TIME ZONE 'UTC')::date AS month, sum(amount) AS charge_ucr
  FROM (SELECT wallet_id, at, CASE kind WHEN 'usage' THEN amount ELSE -amount END AS amount
        FROM ledger.entry WHERE kind IN ('usage', 'refund')
        UNION ALL
        SELECT wallet_id, at, amount FROM ledger.correction) m
  GROUP BY 1, 2
)
SELECT 'sealed month differs from the ledger' AS violation, workspace_id, month, s.charge_ucr AS sealed_ucr,
       t.charge_ucr AS taken_ucr
FROM analytics.month_seal s
FULL JOIN (SELECT * FROM taken WHERE month IN (SELECT month FROM analytics.month_seal)) t USING (workspace_id, month)
WHERE coalesce(s.charge_ucr, 0) <> coalesce(t.charge_ucr, 0);

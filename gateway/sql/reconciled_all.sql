-- Keep the sums of all entries below a transaction, in place of what was kept. Parameter: upto, that transaction.
WITH n AS MATERIALIZED (
  SELECT lot_id, sum(CASE WHEN credit = 'wallet' THEN amount ELSE -amount END) AS remaining,
         sum(amount) FILTER (WHERE credit = 'wallet') AS granted, count(*) FILTER (WHERE credit = 'wallet') AS grants,
         min(kind) FILTER (WHERE credit = 'wallet') AS kind
  FROM ledger.entry
  WHERE lot_id IS NOT NULL AND (transaction_id < %(upto)s OR transaction_id IS NULL) GROUP BY lot_id
), gone AS (
  DELETE FROM reconciled_lot r WHERE NOT EXISTS (SELECT FROM n WHERE n.lot_id = r.lot_id)
)
INSERT INTO reconciled_lot SELECT lot_id, remaining, granted, grants, kind FROM n
ON CONFLICT (lot_id) DO UPDATE
SET remaining = EXCLUDED.remaining, granted = EXCLUDED.granted, grants = EXCLUDED.grants, kind = EXCLUDED.kind
WHERE (reconciled_lot.remaining, reconciled_lot.granted, reconciled_lot.grants, reconciled_lot.kind)
  IS DISTINCT FROM (EXCLUDED.remaining, EXCLUDED.granted, EXCLUDED.grants, EXCLUDED.kind);
WITH n AS MATERIALIZED (
  SELECT wallet_id, sum(CASE WHEN debit = 'receivable' THEN amount ELSE -amount END) AS owed
  FROM ledger.entry
  WHERE 'receivable' IN (debit, credit) AND (transaction_id < %(upto)s OR transaction_id IS NULL) GROUP BY wallet_id
), gone AS (
  DELETE FROM reconciled_wallet r WHERE NOT EXISTS (SELECT FROM n WHERE n.wallet_id = r.wallet_id)
)
INSERT INTO reconciled_wallet SELECT wallet_id, owed FROM n
ON CONFLICT (wallet_id) DO UPDATE SET owed = EXCLUDED.owed WHERE reconciled_wallet.owed <> EXCLUDED.owed

-- What billing's ledger_checks.sql looks at when little has changed: groups with an entry of a transaction since the last
-- clean check, or with an open hold, whole. The sums of lots and debts begin where that check ended.
-- Parameter: since, the transaction that it ended before.
fresh AS MATERIALIZED (
  SELECT wallet_id, id, kind, debit, credit, lot_id, amount FROM ledger.entry WHERE transaction_id >= %(since)s
), touched AS MATERIALIZED (
  SELECT wallet_id, id FROM fresh UNION SELECT wallet_id, id FROM ledger.hold
), seen AS MATERIALIZED (
  -- OFFSET 0: one index lookup for each group, whatever the planner thinks of how many there are. So below.
  SELECT e.*
  FROM touched t CROSS JOIN LATERAL (
    SELECT wallet_id, id, seq, kind, debit, credit, lot_id, amount FROM ledger.entry
    WHERE wallet_id = t.wallet_id AND id = t.id OFFSET 0) e
), lot_entries AS (
  SELECT lot_id, sum(remaining) AS remaining, sum(granted) AS granted, sum(grants) AS grants, min(kind) AS kind
  FROM (SELECT lot_id, remaining, granted, grants, kind FROM reconciled_lot
        UNION ALL
        SELECT lot_id, sum(CASE WHEN credit = 'wallet' THEN amount ELSE -amount END),
               sum(amount) FILTER (WHERE credit = 'wallet'), count(*) FILTER (WHERE credit = 'wallet'),
               min(kind) FILTER (WHERE credit = 'wallet')
        FROM fresh WHERE lot_id IS NOT NULL GROUP BY lot_id) x
  GROUP BY lot_id
), debts AS (
  SELECT wallet_id, sum(owed) AS owed
  FROM (SELECT wallet_id, owed FROM reconciled_wallet
        UNION ALL
        SELECT wallet_id, sum(CASE WHEN debit = 'receivable' THEN amount ELSE -amount END)
        FROM fresh WHERE 'receivable' IN (debit, credit) GROUP BY wallet_id) x
  GROUP BY wallet_id
)

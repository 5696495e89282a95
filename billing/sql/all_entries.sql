-- What ledger_checks.sql looks at: everything. Not materialized, since that would write the journal to disk once more.
seen AS NOT MATERIALIZED (
  SELECT wallet_id, id, seq, kind, debit, credit, lot_id, amount FROM ledger.entry
), lot_entries AS (
  SELECT lot_id,
         sum(CASE WHEN credit = 'wallet' THEN amount ELSE -amount END) AS remaining,
         sum(amount) FILTER (WHERE credit = 'wallet') AS granted,
         count(*) FILTER (WHERE credit = 'wallet') AS grants,
         min(kind) FILTER (WHERE credit = 'wallet') AS kind
  FROM ledger.entry WHERE lot_id IS NOT NULL GROUP BY lot_id
), debts AS (
  SELECT wallet_id, sum(CASE WHEN debit = 'receivable' THEN amount ELSE -amount END) AS owed
  FROM ledger.entry WHERE 'receivable' IN (debit, credit) GROUP BY wallet_id
)

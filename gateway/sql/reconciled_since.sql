-- Add to the sums that are kept the entries of transactions since the last clean check and below another: all of them
-- are over, so none will come later. Parameters: since, upto.
INSERT INTO reconciled_lot
SELECT lot_id, sum(CASE WHEN credit = 'wallet' THEN amount ELSE -amount END),
       sum(amount) FILTER (WHERE credit = 'wallet'), count(*) FILTER (WHERE credit = 'wallet'),
       min(kind) FILTER (WHERE credit = 'wallet')
FROM ledger.entry
WHERE transaction_id >= %(since)s AND transaction_id < %(upto)s AND lot_id IS NOT NULL GROUP BY lot_id
ON CONFLICT (lot_id) DO UPDATE
SET remaining = reconciled_lot.remaining + EXCLUDED.remaining, grants = reconciled_lot.grants + EXCLUDED.grants,
    granted = COALESCE(reconciled_lot.granted + EXCLUDED.granted, reconciled_lot.granted, EXCLUDED.granted),
    kind = LEAST(reconciled_lot.kind, EXCLUDED.kind);
INSERT INTO reconciled_wallet
SELECT wallet_id, sum(CASE WHEN debit = 'receivable' THEN amount ELSE -amount END)
FROM ledger.entry
WHERE transaction_id >= %(since)s AND transaction_id < %(upto)s AND 'receivable' IN (debit, credit) GROUP BY wallet_id
ON CONFLICT (wallet_id) DO UPDATE SET owed = reconciled_wallet.owed + EXCLUDED.owed

-- As migration 0004 made it, with the columns and kinds of that time: only it reads this. audit.sql is what runs.
-- Empty, or something is wrong: a row per thing that the tables' constraints cannot refuse (a hand-edited lot, a deleted
-- hold, a stray entry). Reads all entries: for tests, and for a nightly job on a replica.
CREATE OR REPLACE VIEW ledger.ledger_violations AS
WITH lot_entries AS (
  SELECT lot_id,
         sum(CASE WHEN credit = 'wallet' THEN amount ELSE -amount END) AS remaining,
         sum(amount) FILTER (WHERE kind IN ('topup', 'promo', 'refund')) AS granted,
         count(*) FILTER (WHERE kind IN ('topup', 'promo', 'refund')) AS grants,
         min(kind) FILTER (WHERE kind IN ('topup', 'promo', 'refund')) AS kind
  FROM ledger.entry WHERE lot_id IS NOT NULL GROUP BY lot_id
), lot_holds AS (
  SELECT lot_id, sum(amount) AS held FROM ledger.hold GROUP BY lot_id
), debts AS (
  SELECT wallet_id, sum(CASE WHEN debit = 'receivable' THEN amount ELSE -amount END) AS owed
  FROM ledger.entry WHERE 'receivable' IN (debit, credit) GROUP BY wallet_id
), groups AS (
  SELECT wallet_id, id, count(*) AS rows, min(seq) AS first_seq, max(seq) AS last_seq,
         min(kind) FILTER (WHERE seq = 0) AS first_kind,
         array_agg(DISTINCT kind) FILTER (WHERE seq > 0) AS later_kinds,
         sum(amount) FILTER (WHERE kind = 'usage') AS charged,
         sum(amount) FILTER (WHERE kind = 'refund') AS refunded,
         sum(amount) FILTER (WHERE kind = 'topup') AS topped_up,
         sum(amount) FILTER (WHERE kind = 'payout') AS paid_out
  FROM ledger.entry GROUP BY wallet_id, id
)
SELECT 'lot_remaining' AS violation, l.wallet_id, l.id::text AS subject,
       format('remaining %s, entries say %s', l.remaining, COALESCE(x.remaining, 0)) AS detail
FROM ledger.lot l LEFT JOIN lot_entries x ON x.lot_id = l.id
WHERE l.remaining <> COALESCE(x.remaining, 0)
UNION ALL
SELECT 'lot_grant', l.wallet_id, l.id::text, format('granted %s %s, entries say %s %s', l.kind, l.granted, x.kind, x.granted)
FROM ledger.lot l LEFT JOIN lot_entries x ON x.lot_id = l.id
WHERE (x.grants, x.granted, x.kind) IS DISTINCT FROM (1, l.granted, l.kind)
UNION ALL
SELECT 'lot_held', l.wallet_id, l.id::text, format('held %s, holds say %s', l.held, COALESCE(x.held, 0))
FROM ledger.lot l LEFT JOIN lot_holds x ON x.lot_id = l.id
WHERE l.held <> COALESCE(x.held, 0)
UNION ALL
SELECT 'wallet_owed', w.id, w.id::text, format('owed %s, entries say %s', w.owed, COALESCE(x.owed, 0))
FROM ledger.wallet w LEFT JOIN debts x ON x.wallet_id = w.id
WHERE w.owed <> COALESCE(x.owed, 0)
UNION ALL
SELECT 'entry_lot', e.wallet_id, e.id::text, format('lot %s belongs to wallet %s', e.lot_id, l.wallet_id)
FROM ledger.entry e LEFT JOIN ledger.lot l ON l.id = e.lot_id
WHERE e.lot_id IS NOT NULL AND l.wallet_id IS DISTINCT FROM e.wallet_id
UNION ALL
SELECT 'hold_lot', h.wallet_id, h.id::text, format('lot %s belongs to wallet %s', h.lot_id, l.wallet_id)
FROM ledger.hold h LEFT JOIN ledger.lot l ON l.id = h.lot_id
WHERE l.wallet_id IS DISTINCT FROM h.wallet_id
UNION ALL
SELECT 'no_wallet', g.wallet_id, g.id::text, 'entries of a wallet that is not there'
FROM groups g LEFT JOIN ledger.wallet w ON w.id = g.wallet_id
WHERE w.id IS NULL
UNION ALL
SELECT 'open_and_resolved', h.wallet_id, h.id::text, 'a hold and entries'
FROM ledger.hold h JOIN groups g ON g.wallet_id = h.wallet_id AND g.id = h.id
WHERE h.seq = 0
UNION ALL
SELECT 'hold_gap', h.wallet_id, h.id::text, format('%s rows, seq %s to %s', count(*), min(h.seq), max(h.seq))
FROM ledger.hold h GROUP BY h.wallet_id, h.id
HAVING min(h.seq) <> 0 OR max(h.seq) <> count(*) - 1
UNION ALL
SELECT 'group_gap', g.wallet_id, g.id::text, format('%s rows, seq %s to %s', g.rows, g.first_seq, g.last_seq)
FROM groups g
WHERE g.first_seq <> 0 OR g.last_seq <> g.rows - 1
UNION ALL
SELECT 'group_kinds', g.wallet_id, g.id::text, format('%s, then %s', g.first_kind, g.later_kinds)
FROM groups g
WHERE (g.first_kind IN ('topup', 'promo', 'usage', 'expiry', 'void', 'lapse')
       AND COALESCE(g.later_kinds, '{}') <@ CASE g.first_kind
             WHEN 'usage' THEN ARRAY['usage', 'refund'] WHEN 'topup' THEN ARRAY['repay', 'payout'] ELSE '{}' END
      ) IS NOT TRUE
UNION ALL
SELECT 'refunds', g.wallet_id, g.id::text, format('refunded %s of a charge of %s', g.refunded, g.charged)
FROM groups g
WHERE g.refunded > COALESCE(g.charged, 0)
UNION ALL
SELECT 'payouts', g.wallet_id, g.id::text, format('paid out %s of a top-up of %s', g.paid_out, g.topped_up)
FROM groups g
WHERE g.paid_out > COALESCE(g.topped_up, 0);

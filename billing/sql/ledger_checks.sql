-- What the tables' constraints cannot refuse, a row each (a hand-edited lot, a deleted hold, a stray entry). docs/ledger.md
-- says which finding disproves which promise. What it looks at comes first, by the same names: all entries
-- (all_entries.sql), or those of what changed (gateway/sql/recent_entries.sql). Lots, wallets and holds are always all.
lot_holds AS (
  SELECT lot_id, sum(amount) AS held FROM ledger.hold GROUP BY lot_id
), groups AS (
  SELECT wallet_id, id, count(*) AS rows, min(seq) AS first_seq, max(seq) AS last_seq,
         min(kind) FILTER (WHERE seq = 0) AS first_kind,
         array_agg(DISTINCT kind) FILTER (WHERE seq > 0) AS later_kinds,
         sum(amount) FILTER (WHERE kind = 'usage') AS charged,
         sum(amount) FILTER (WHERE kind = 'refund') AS refunded,
         sum(amount) FILTER (WHERE kind = 'topup') AS topped_up,
         sum(amount) FILTER (WHERE kind = 'payout') AS paid_out,
         sum(amount) FILTER (WHERE kind = 'reinstatement') AS reinstated
  FROM seen GROUP BY wallet_id, id
), refunds AS (
  SELECT e.wallet_id, e.id,
         sum(e.amount) FILTER (WHERE e.kind = 'usage' AND NOT l.paid) AS given_charged,
         sum(e.amount) FILTER (WHERE e.kind = 'refund' AND NOT l.paid) AS given_back,
         sum(e.amount) FILTER (WHERE e.kind = 'usage' AND l.paid IS NOT FALSE) AS paid_charged,
         sum(e.amount) FILTER (WHERE e.kind = 'refund' AND l.paid) AS paid_back
  FROM seen e LEFT JOIN ledger.lot l ON l.id = e.lot_id
  WHERE e.kind IN ('usage', 'refund')
    AND (e.wallet_id, e.id) IN (SELECT r.wallet_id, r.id FROM seen r WHERE r.kind = 'refund')
  GROUP BY e.wallet_id, e.id
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
SELECT 'lot_expired', l.wallet_id, l.id::text, format('%s free since %s, and nobody booked it', l.remaining - l.held, l.expires_at)
FROM ledger.lot l
WHERE l.live AND l.expires_at < now() - interval '1 hour' AND l.remaining > l.held
UNION ALL
SELECT 'wallet_owed', w.id, w.id::text, format('owed %s, entries say %s', w.owed, COALESCE(x.owed, 0))
FROM ledger.wallet w LEFT JOIN debts x ON x.wallet_id = w.id
WHERE w.owed <> COALESCE(x.owed, 0)
UNION ALL
SELECT 'wallet_frozen', w.id, w.id::text, format('frozen is %s, workspace and freezes say %s', w.frozen, NOT w.frozen)
FROM ledger.wallet w JOIN public.accounts_workspace s ON s.id = w.id
WHERE w.frozen <> (s.status <> 'active' OR EXISTS (
  SELECT FROM ledger.wallet_freeze f WHERE f.wallet_id = w.id AND f.lifted_at IS NULL))
UNION ALL
SELECT 'entry_lot', e.wallet_id, e.id::text, format('lot %s belongs to wallet %s', e.lot_id, l.wallet_id)
FROM seen e LEFT JOIN ledger.lot l ON l.id = e.lot_id
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
WHERE (g.first_kind IN ('topup', 'promo', 'grant', 'adjustment', 'usage', 'expiry', 'void', 'lapse')
       AND COALESCE(g.later_kinds, '{}') <@ CASE g.first_kind
             WHEN 'usage' THEN ARRAY['usage', 'refund', 'repay']
             WHEN 'topup' THEN ARRAY['repay', 'payout', 'reinstatement']
             WHEN 'adjustment' THEN ARRAY['adjustment', 'repay'] ELSE '{}' END
      ) IS NOT TRUE
UNION ALL
SELECT 'refunds', g.wallet_id, g.id::text, format('refunded %s of a charge of %s', g.refunded, g.charged)
FROM groups g
WHERE g.refunded > COALESCE(g.charged, 0)
UNION ALL
SELECT 'refund_of_given_credit', r.wallet_id, r.id::text,
       format('given credit: %s back of %s; paid: %s back of %s', r.given_back, r.given_charged, r.paid_back, r.paid_charged)
FROM refunds r
WHERE r.given_back > COALESCE(r.given_charged, 0) OR r.paid_back > COALESCE(r.paid_charged, 0)
UNION ALL
SELECT 'payouts', g.wallet_id, g.id::text, format('paid out %s of a top-up of %s and %s reinstated', g.paid_out, g.topped_up, g.reinstated)
FROM groups g
WHERE g.paid_out > COALESCE(g.topped_up, 0) + COALESCE(g.reinstated, 0)
UNION ALL
SELECT 'reinstatements', g.wallet_id, g.id::text, format('reinstated %s of payouts of %s', g.reinstated, g.paid_out)
FROM groups g
WHERE g.reinstated > COALESCE(g.paid_out, 0)

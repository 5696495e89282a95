-- A page of one wallet's journal, the newest first, with the balance after each entry (billing/journal.py).
--
-- It begins below the position (at, id, seq). The balance is reckoned downwards: from `balance`, which is the one after
-- the entry at (known_at, known_id, known_seq), or, where that is NULL, from what the lots hold now.
WITH start AS (
  SELECT %(balance)s::bigint AS balance
), page AS MATERIALIZED (
  SELECT at, id, seq, kind, debit, credit, amount, ref FROM ledger.entry
  WHERE wallet_id = %(wallet)s AND (at, id, seq) < (%(at)s, %(id)s, %(seq)s)
    AND at >= %(since)s /* filters */
  ORDER BY at DESC, id DESC, seq DESC LIMIT %(limit)s
), above AS (
  SELECT e.at, e.id, e.seq, sum(CASE 'wallet' WHEN e.debit THEN CASE e.credit WHEN 'wallet' THEN 0 ELSE e.amount END
                                              WHEN e.credit THEN -e.amount ELSE 0 END)
           OVER (ORDER BY e.at DESC, e.id DESC, e.seq DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS undone
  FROM ledger.entry e, (SELECT at, id, seq FROM page ORDER BY at, id, seq LIMIT 1) oldest
  WHERE e.wallet_id = %(wallet)s AND (e.at, e.id, e.seq) >= (oldest.at, oldest.id, oldest.seq)
    AND (%(balance)s::bigint IS NULL OR (e.at, e.id, e.seq) <= (%(known_at)s, %(known_id)s, %(known_seq)s))
)
SELECT page.at, page.id, page.seq, page.kind, page.debit, page.credit, page.amount, page.ref,
       (COALESCE(start.balance, (SELECT COALESCE(sum(remaining), 0) FROM ledger.lot WHERE wallet_id = %(wallet)s AND live))
        + COALESCE(above.undone, 0))::bigint
FROM start, page JOIN above USING (at, id, seq)
ORDER BY page.at DESC, page.id DESC, page.seq DESC

-- ledger_refund: pay back a call, or a part of it, in one or more refunds. Never more than the call was charged.
--
-- A refund undoes the end of the charge: after it the call has taken what a charge that much smaller would have taken.
-- Each part comes back as a new lot like the one it was drawn on: paid or given as that one, of its priority and expiry,
-- but good for 30 days at least. What was charged as `owed` comes back as paid credit, and paid credit repays first what
-- is owed now. The entries join the call's group; a row of the outbox tells usage (corrections.sql).
-- `p_ref` names this refund within its call: the same ref again is the same refund.
-- Out: verdict: refunded, replay (done before, nothing changed), mismatch (that ref was another amount), too_much,
-- unknown (no such call, or it was not charged); available: µcr in the wallet afterwards; refundable: what is left of the
-- charge (both NULL for no such wallet).
CREATE OR REPLACE FUNCTION ledger.ledger_refund(p_wallet bigint, p_id uuid, p_amount bigint, p_ref text)
RETURNS TABLE (verdict text, available bigint, refundable bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ledger, pg_temp SET enable_seqscan = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  charge record;
  part record;
  next_seq int;
BEGIN
  IF (p_wallet IS NOT NULL AND p_id IS NOT NULL AND p_amount > 0 AND p_ref <> '') IS NOT TRUE THEN
    RAISE EXCEPTION 'ledger_refund: not well-formed' USING ERRCODE = 'check_violation';
  END IF;
  PERFORM refuse_snapshots();

  PERFORM 1 FROM wallet WHERE id = p_wallet FOR NO KEY UPDATE;                               -- 1. lock
  IF NOT FOUND THEN
    verdict := 'unknown'; RETURN NEXT; RETURN;
  END IF;

  SELECT min(kind) FILTER (WHERE seq = 0) AS kind, max(seq) + 1 AS next_seq,                 -- 2. read
         COALESCE(sum(amount) FILTER (WHERE kind = 'usage'), 0)::bigint AS charged,
         COALESCE(sum(amount) FILTER (WHERE kind = 'refund'), 0)::bigint AS refunded,
         sum(amount) FILTER (WHERE kind = 'refund' AND ref = p_ref) AS same
  INTO charge FROM entry WHERE wallet_id = p_wallet AND id = p_id;
  verdict := CASE WHEN charge.kind IS DISTINCT FROM 'usage' THEN 'unknown'                     -- 3. decide
                  WHEN charge.same = p_amount THEN 'replay'
                  WHEN charge.same IS NOT NULL THEN 'mismatch'
                  WHEN p_amount > charge.charged - charge.refunded THEN 'too_much'
                  ELSE 'refunded' END;
  refundable := charge.charged - charge.refunded;

  IF verdict = 'refunded' THEN                                                               -- 4. write
    refundable := refundable - p_amount;
    next_seq := charge.next_seq;
    FOR part IN
      SELECT l.paid, l.priority, l.expires_at,
             (LEAST(u.upto, charge.refunded + p_amount) - GREATEST(u.upto - u.amount, charge.refunded))::bigint AS amount
      FROM (SELECT e.seq, e.amount, e.lot_id, sum(e.amount) OVER (ORDER BY e.seq DESC) AS upto FROM entry e
            WHERE e.wallet_id = p_wallet AND e.id = p_id AND e.kind = 'usage' AND e.amount > 0) u
      LEFT JOIN lot l ON l.id = u.lot_id
      WHERE u.upto > charge.refunded AND u.upto - u.amount < charge.refunded + p_amount
      ORDER BY u.seq DESC
    LOOP
      next_seq := ledger_add_lot(
        p_wallet, p_id, next_seq, 'refund', 'revenue', COALESCE(part.paid, true), part.amount,
        COALESCE(part.priority, 100::smallint),
        GREATEST(COALESCE(part.expires_at, 'infinity'), now() + interval '30 days'), p_ref);
    END LOOP;
    INSERT INTO correction AS c (wallet_id, call_id, at, amount) VALUES (p_wallet, p_id, now(), p_amount)
    ON CONFLICT ON CONSTRAINT correction_pkey DO UPDATE SET amount = c.amount + EXCLUDED.amount;
  END IF;
  SELECT COALESCE(sum(remaining - held), 0) INTO available
  FROM lot WHERE wallet_id = p_wallet AND live AND expires_at > now();
  RETURN NEXT;
END $$;

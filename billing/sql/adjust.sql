-- ledger_adjust: correct a wallet by hand. `p_amount` above 0 adds a lot, below 0 takes free credit in burn order.
--
-- `p_paid` says which credit is corrected, paid or given: a negative adjustment takes that kind alone, all of the amount
-- or nothing; it never makes a wallet owe. A positive one of paid credit repays first what is owed (so a debt is
-- forgiven by adjusting). `p_priority` and `p_expires` are the new lot's; a negative one ignores them.
-- Out: verdict: adjusted, insufficient, replay (done before, nothing changed), mismatch (the id stands for something
-- else), no_wallet; available: µcr in the wallet afterwards (NULL for no_wallet).
CREATE OR REPLACE FUNCTION ledger.ledger_adjust(
  p_wallet bigint, p_id uuid, p_amount bigint, p_paid boolean, p_priority smallint, p_expires timestamptz, p_ref text)
RETURNS TABLE (verdict text, available bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ledger, pg_temp SET enable_seqscan = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  before record;
  free bigint;
BEGIN
  -- The lower bound also keeps -p_amount within bigint.
  IF (p_wallet IS NOT NULL AND p_id IS NOT NULL AND p_paid IS NOT NULL AND p_ref <> '' AND p_amount <> 0
      AND p_amount >= -100000000000000000 AND p_priority IS NOT NULL AND p_expires IS NOT NULL) IS NOT TRUE THEN
    RAISE EXCEPTION 'ledger_adjust: not well-formed' USING ERRCODE = 'check_violation';
  END IF;
  PERFORM refuse_snapshots();

  PERFORM 1 FROM wallet WHERE id = p_wallet FOR NO KEY UPDATE;                               -- 1. lock
  IF NOT FOUND THEN
    verdict := 'no_wallet'; RETURN NEXT; RETURN;
  END IF;

  SELECT count(*) AS rows, bool_and(l.paid) AS paid,                                         -- 2. read
         sum(CASE WHEN e.credit = 'wallet' THEN e.amount ELSE -e.amount END) FILTER (WHERE e.kind = 'adjustment') AS amount
  INTO before FROM entry e LEFT JOIN lot l ON l.id = e.lot_id WHERE e.wallet_id = p_wallet AND e.id = p_id;
  SELECT COALESCE(sum(remaining - held), 0) INTO free
  FROM lot WHERE wallet_id = p_wallet AND live AND expires_at > now() AND paid = p_paid;
  verdict := CASE WHEN before.amount = p_amount AND before.paid = p_paid THEN 'replay'       -- 3. decide
                  WHEN before.rows > 0 THEN 'mismatch'
                  WHEN EXISTS (SELECT FROM hold WHERE wallet_id = p_wallet AND id = p_id) THEN 'mismatch'
                  WHEN -p_amount > free THEN 'insufficient'
                  ELSE 'adjusted' END;

  IF verdict = 'adjusted' AND p_amount > 0 THEN                                              -- 4. write
    PERFORM ledger_add_lot(p_wallet, p_id, 0, 'adjustment', 'adjustments', p_paid, p_amount, p_priority, p_expires, p_ref);
  ELSIF verdict = 'adjusted' THEN
    WITH l AS (
      SELECT lot.id, remaining - held AS free, row_number() OVER burn AS place, sum(remaining - held) OVER burn AS upto
      FROM lot
      WHERE wallet_id = p_wallet AND live AND expires_at > now() AND remaining > held AND paid = p_paid
      WINDOW burn AS (ORDER BY priority, expires_at, lot.id)
    ), t AS (
      SELECT l.id, place, LEAST(l.free, -p_amount - (upto - l.free))::bigint AS take FROM l WHERE upto - l.free < -p_amount
    ), u AS (
      UPDATE lot SET remaining = remaining - t.take, live = remaining > t.take FROM t WHERE lot.id = t.id
    )
    INSERT INTO entry (wallet_id, id, seq, kind, debit, credit, lot_id, amount, ref)
    SELECT p_wallet, p_id, place - 1, 'adjustment', 'wallet', 'adjustments', t.id, t.take, p_ref FROM t;
  END IF;
  SELECT COALESCE(sum(remaining - held), 0) INTO available
  FROM lot WHERE wallet_id = p_wallet AND live AND expires_at > now();
  RETURN NEXT;
END $$;

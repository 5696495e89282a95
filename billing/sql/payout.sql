-- ledger_payout: give money back to whoever paid for a top-up (a refund to the card, a dispute), in one or more payouts.
--
-- Without `p_force` only what is free of that very top-up is paid out, or nothing. With it (the money is gone, whether we
-- like it or not: a dispute) the rest is taken from the wallet's other free credit, paid before given, in burn order,
-- and what is missing then becomes `owed`. What open calls hold is never touched. The entries join the top-up's group.
-- `p_ref` names this payout within its top-up: the same ref again is the same payout.
-- Out: verdict: paid_out, replay (done before, nothing changed), mismatch (that ref was another amount), too_much (more
-- than the top-up and its reinstatements less its payouts), insufficient, unknown (no such top-up); available: µcr in
-- the wallet afterwards (NULL for no such wallet).
CREATE OR REPLACE FUNCTION ledger.ledger_payout(p_wallet bigint, p_id uuid, p_amount bigint, p_ref text, p_force boolean)
RETURNS TABLE (verdict text, available bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ledger, pg_temp SET enable_seqscan = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  topup record;
  free bigint;
  taken bigint;
  next_seq int;
BEGIN
  IF (p_wallet IS NOT NULL AND p_id IS NOT NULL AND p_amount > 0 AND p_ref <> '' AND p_force IS NOT NULL) IS NOT TRUE THEN
    RAISE EXCEPTION 'ledger_payout: not well-formed' USING ERRCODE = 'check_violation';
  END IF;
  PERFORM refuse_snapshots();

  PERFORM 1 FROM wallet WHERE id = p_wallet FOR NO KEY UPDATE;                               -- 1. lock
  IF NOT FOUND THEN
    verdict := 'unknown'; RETURN NEXT; RETURN;
  END IF;

  SELECT min(kind) FILTER (WHERE seq = 0) AS kind, max(seq) + 1 AS next_seq,                 -- 2. read
         COALESCE(sum(CASE kind WHEN 'payout' THEN -amount WHEN 'repay' THEN 0 ELSE amount END), 0)::bigint AS left_,
         sum(amount) FILTER (WHERE kind = 'payout' AND ref = p_ref) AS same,
         array_agg(lot_id) FILTER (WHERE kind IN ('topup', 'reinstatement')) AS lots
  INTO topup FROM entry WHERE wallet_id = p_wallet AND id = p_id;
  SELECT COALESCE(sum(remaining - held), 0) INTO free
  FROM lot WHERE id = ANY (topup.lots) AND live AND expires_at > now();
  verdict := CASE WHEN topup.kind IS DISTINCT FROM 'topup' THEN 'unknown'                    -- 3. decide
                  WHEN topup.same = p_amount THEN 'replay'
                  WHEN topup.same IS NOT NULL THEN 'mismatch'
                  WHEN p_amount > topup.left_ THEN 'too_much'
                  WHEN p_amount > free AND NOT p_force THEN 'insufficient'
                  ELSE 'paid_out' END;

  IF verdict = 'paid_out' THEN                                                               -- 4. write
    WITH l AS (
      SELECT lot.id, remaining - held AS free, row_number() OVER taking AS place, sum(remaining - held) OVER taking AS upto
      FROM lot
      WHERE wallet_id = p_wallet AND live AND expires_at > now() AND remaining > held
      WINDOW taking AS (ORDER BY lot.id <> ALL (topup.lots), NOT paid, priority, expires_at, lot.id)
    ), t AS (
      SELECT l.id, place, LEAST(l.free, p_amount - (upto - l.free))::bigint AS take FROM l WHERE upto - l.free < p_amount
    ), u AS (
      UPDATE lot SET remaining = remaining - t.take, live = remaining > t.take FROM t WHERE lot.id = t.id
    ), e AS (
      INSERT INTO entry (wallet_id, id, seq, kind, debit, credit, lot_id, amount, ref)
      SELECT p_wallet, p_id, topup.next_seq + place - 1, 'payout', 'wallet', 'cash', t.id, t.take, p_ref FROM t
    )
    SELECT COALESCE(sum(t.take), 0), topup.next_seq + count(*) INTO taken, next_seq FROM t;

    IF taken < p_amount THEN
      UPDATE wallet SET owed = owed + p_amount - taken WHERE id = p_wallet;
      INSERT INTO entry (wallet_id, id, seq, kind, debit, credit, amount, ref)
      VALUES (p_wallet, p_id, next_seq, 'payout', 'receivable', 'cash', p_amount - taken, p_ref);
    END IF;
  END IF;
  SELECT COALESCE(sum(remaining - held), 0) INTO available
  FROM lot WHERE wallet_id = p_wallet AND live AND expires_at > now();
  RETURN NEXT;
END $$;

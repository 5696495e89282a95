-- ledger_reinstate: a payout comes back (a dispute we won), as a new paid lot that repays first what is owed.
--
-- The entries join the top-up's group, where reinstatements never exceed payouts. `p_ref` names this one: the same ref
-- again is the same reinstatement. The new lot belongs to the top-up: it can be paid out again.
-- Out: verdict: reinstated, replay, mismatch (that ref was another amount), too_much, unknown (no such top-up);
-- available: µcr in the wallet afterwards (NULL for no such wallet).
CREATE OR REPLACE FUNCTION ledger.ledger_reinstate(p_wallet bigint, p_id uuid, p_amount bigint, p_ref text)
RETURNS TABLE (verdict text, available bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ledger, pg_temp SET enable_seqscan = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  topup record;
BEGIN
  IF (p_wallet IS NOT NULL AND p_id IS NOT NULL AND p_amount > 0 AND p_ref <> '') IS NOT TRUE THEN
    RAISE EXCEPTION 'ledger_reinstate: not well-formed' USING ERRCODE = 'check_violation';
  END IF;
  PERFORM refuse_snapshots();

  PERFORM 1 FROM wallet WHERE id = p_wallet FOR NO KEY UPDATE;                               -- 1. lock
  IF NOT FOUND THEN
    verdict := 'unknown'; RETURN NEXT; RETURN;
  END IF;

  SELECT min(kind) FILTER (WHERE seq = 0) AS kind, max(seq) + 1 AS next_seq,                 -- 2. read
         COALESCE(sum(CASE kind WHEN 'payout' THEN amount WHEN 'reinstatement' THEN -amount ELSE 0 END), 0) AS gone,
         sum(amount) FILTER (WHERE kind = 'reinstatement' AND ref = p_ref) AS same
  INTO topup FROM entry WHERE wallet_id = p_wallet AND id = p_id;
  verdict := CASE WHEN topup.kind IS DISTINCT FROM 'topup' THEN 'unknown'                    -- 3. decide
                  WHEN topup.same = p_amount THEN 'replay'
                  WHEN topup.same IS NOT NULL THEN 'mismatch'
                  WHEN p_amount > topup.gone THEN 'too_much'
                  ELSE 'reinstated' END;

  IF verdict = 'reinstated' THEN                                                             -- 4. write
    PERFORM ledger_add_lot(p_wallet, p_id, topup.next_seq, 'reinstatement', 'cash', true, p_amount, 100::smallint,
                           'infinity', p_ref);
  END IF;
  SELECT COALESCE(sum(remaining - held), 0) INTO available
  FROM lot WHERE wallet_id = p_wallet AND live AND expires_at > now();
  RETURN NEXT;
END $$;

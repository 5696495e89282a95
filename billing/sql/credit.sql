-- ledger_credit: put credit into a wallet as a new lot. A top-up repays what the wallet owes first.
--
-- `p_id` is derived from the economic key of the event: the same event twice is one credit. `p_kind` is topup (somebody
-- paid), promo (a programme gave it) or grant (staff gave it). An expiry in the past is accepted: such a lot is never
-- usable and the sweep books it.
-- Out: verdict: credited, replay (done before, nothing changed), mismatch (the id stands for something else), no_wallet;
-- available: µcr in the wallet afterwards (NULL for no_wallet).
CREATE OR REPLACE FUNCTION ledger.ledger_credit(
  p_wallet bigint, p_id uuid, p_kind text, p_amount bigint, p_priority smallint, p_expires timestamptz, p_ref text)
RETURNS TABLE (verdict text, available bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ledger, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  before entry;
  house text := CASE p_kind WHEN 'topup' THEN 'cash' WHEN 'promo' THEN 'promo' WHEN 'grant' THEN 'granted' END;
BEGIN
  IF (p_wallet IS NOT NULL AND p_id IS NOT NULL AND house IS NOT NULL AND p_amount > 0
      AND p_priority IS NOT NULL AND p_expires IS NOT NULL) IS NOT TRUE THEN
    RAISE EXCEPTION 'ledger_credit: not well-formed' USING ERRCODE = 'check_violation';
  END IF;
  PERFORM refuse_snapshots();

  PERFORM 1 FROM wallet WHERE id = p_wallet FOR NO KEY UPDATE;                               -- 1. lock
  IF NOT FOUND THEN
    verdict := 'no_wallet'; RETURN NEXT; RETURN;
  END IF;

  SELECT * INTO before FROM entry WHERE wallet_id = p_wallet AND id = p_id AND seq = 0;      -- 2. read
  IF FOUND THEN                                                                              -- 3. decide
    verdict := CASE WHEN before.kind = p_kind AND before.amount = p_amount THEN 'replay' ELSE 'mismatch' END;
  ELSIF EXISTS (SELECT FROM hold WHERE wallet_id = p_wallet AND id = p_id) THEN
    verdict := 'mismatch';
  ELSE                                                                                       -- 4. write
    verdict := 'credited';
    PERFORM ledger_add_lot(p_wallet, p_id, 0, p_kind, house, p_kind = 'topup', p_amount, p_priority, p_expires, p_ref);
  END IF;
  SELECT COALESCE(sum(remaining - held), 0) INTO available
  FROM lot WHERE wallet_id = p_wallet AND live AND expires_at > now();
  RETURN NEXT;
END $$;

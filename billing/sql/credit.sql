-- ledger_credit: put credit into a wallet as a new lot. A top-up repays what the wallet owes first.
--
-- `p_id` is derived from the economic key of the event: the same event twice is one credit. `p_kind` is topup (somebody
-- paid) or promo (we gave it). An expiry in the past is accepted: such a lot is never usable and the sweep books it.
-- Out: verdict: credited, replay (done before, nothing changed), mismatch (the id stands for something else), no_wallet;
-- available: µcr in the wallet afterwards (NULL for no_wallet).
CREATE OR REPLACE FUNCTION ledger.ledger_credit(
  p_wallet bigint, p_id uuid, p_kind text, p_amount bigint, p_priority smallint, p_expires timestamptz, p_ref text)
RETURNS TABLE (verdict text, available bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ledger, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  owed_now bigint;
  before entry;
  repaid bigint;
  new_lot bigint;
BEGIN
  IF (p_wallet IS NOT NULL AND p_id IS NOT NULL AND p_kind IN ('topup', 'promo') AND p_amount > 0
      AND p_priority IS NOT NULL AND p_expires IS NOT NULL) IS NOT TRUE THEN
    RAISE EXCEPTION 'ledger_credit: not well-formed' USING ERRCODE = 'check_violation';
  END IF;
  PERFORM refuse_snapshots();

  SELECT owed INTO owed_now FROM wallet WHERE id = p_wallet FOR NO KEY UPDATE;               -- 1. lock
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
    repaid := CASE p_kind WHEN 'topup' THEN LEAST(owed_now, p_amount) ELSE 0 END;
    INSERT INTO lot (wallet_id, kind, priority, expires_at, granted, remaining, live)
    VALUES (p_wallet, p_kind, p_priority, p_expires, p_amount, p_amount - repaid, p_amount > repaid)
    RETURNING id INTO new_lot;
    INSERT INTO entry (wallet_id, id, seq, kind, debit, credit, lot_id, amount, ref)
    VALUES (p_wallet, p_id, 0, p_kind, CASE p_kind WHEN 'topup' THEN 'cash' ELSE 'promo' END, 'wallet',
            new_lot, p_amount, p_ref);
    IF repaid > 0 THEN
      INSERT INTO entry (wallet_id, id, seq, kind, debit, credit, lot_id, amount, ref)
      VALUES (p_wallet, p_id, 1, 'repay', 'wallet', 'receivable', new_lot, repaid, p_ref);
      UPDATE wallet SET owed = owed - repaid WHERE id = p_wallet;
    END IF;
  END IF;
  SELECT COALESCE(sum(remaining - held), 0) INTO available
  FROM lot WHERE wallet_id = p_wallet AND live AND expires_at > now();
  RETURN NEXT;
END $$;

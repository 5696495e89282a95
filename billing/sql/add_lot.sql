-- ledger_add_lot, internal: credit that comes in, as a new lot and its entry. Paid credit repays what is owed first.
--
-- The caller holds the wallet's lock and has looked for repeats. `p_seq` is the group's next; `p_from` the house account
-- it comes from. Returns the group's next seq. The app's role may not call it.
CREATE OR REPLACE FUNCTION ledger.ledger_add_lot(
  p_wallet bigint, p_id uuid, p_seq int, p_kind text, p_from text, p_paid boolean, p_amount bigint,
  p_priority smallint, p_expires timestamptz, p_ref text)
RETURNS int LANGUAGE plpgsql
SET search_path = ledger, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  repaid bigint := 0;
  new_lot bigint;
BEGIN
  IF p_paid THEN
    SELECT LEAST(owed, p_amount) INTO STRICT repaid FROM wallet WHERE id = p_wallet;
  END IF;
  INSERT INTO lot (wallet_id, kind, paid, priority, expires_at, granted, remaining, live)
  VALUES (p_wallet, p_kind, p_paid, p_priority, p_expires, p_amount, p_amount - repaid, p_amount > repaid)
  RETURNING id INTO new_lot;
  INSERT INTO entry (wallet_id, id, seq, kind, debit, credit, lot_id, amount, ref)
  VALUES (p_wallet, p_id, p_seq, p_kind, p_from, 'wallet', new_lot, p_amount, p_ref);
  IF repaid = 0 THEN
    RETURN p_seq + 1;
  END IF;
  INSERT INTO entry (wallet_id, id, seq, kind, debit, credit, lot_id, amount, ref)
  VALUES (p_wallet, p_id, p_seq + 1, 'repay', 'wallet', 'receivable', new_lot, repaid, p_ref);
  UPDATE wallet SET owed = owed - repaid WHERE id = p_wallet;
  RETURN p_seq + 2;
END $$;

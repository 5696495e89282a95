-- ledger_sweep_lots: book the free credit of up to `p_limit` expired lots as expired. Returns how many; call it until 0.
--
-- Expired credit is unusable without it (every reader compares expires_at with now()); this makes the journal say so.
-- What open calls hold of such a lot stays theirs; what they leave of it is booked by a later sweep, so a lot may expire
-- in several entries. Each has an id of its own.
CREATE OR REPLACE FUNCTION ledger.ledger_sweep_lots(p_limit int) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ledger, pg_temp
AS $$
DECLARE
  lots bigint[];
  wallets bigint[];
  booked int;
BEGIN
  IF (p_limit > 0) IS NOT TRUE THEN
    RAISE EXCEPTION 'ledger_sweep_lots: limit must be positive' USING ERRCODE = 'check_violation';
  END IF;
  PERFORM refuse_snapshots();
  -- `< 'infinity'` is what lets the partial index answer.
  SELECT array_agg(c.id), array_agg(c.wallet_id) INTO lots, wallets
  FROM (SELECT id, wallet_id FROM lot
        WHERE live AND expires_at < 'infinity' AND expires_at <= now() AND remaining > held
        ORDER BY expires_at LIMIT p_limit) c;

  PERFORM 1 FROM wallet WHERE id = ANY (wallets) ORDER BY id FOR NO KEY UPDATE;              -- 1. lock

  WITH c AS (                                                                                -- 2. read, 3. decide
    SELECT id, wallet_id, remaining - held AS amount FROM lot
    WHERE id = ANY (lots) AND live AND expires_at <= now() AND remaining > held
  ), u AS (                                                                                  -- 4. write
    UPDATE lot SET remaining = lot.held, live = lot.held > 0 FROM c WHERE lot.id = c.id
  ), e AS (
    INSERT INTO entry (wallet_id, id, seq, kind, debit, credit, lot_id, amount)
    SELECT wallet_id, uuidv7(), 0, 'expiry', 'wallet', 'expired', c.id, c.amount FROM c
  )
  SELECT count(*) INTO booked FROM c;
  RETURN booked;
END $$;

-- ledger_draw, internal: take `p_amount` beyond a hold, from free credit in burn order, the rest as `owed`.
--
-- The caller holds the wallet's lock, and the group (p_wallet, p_id) has entries already; the new ones continue its seq
-- and carry its price version and markup. `p_kind` and `p_credit` are a pair that entry's CHECK knows.
-- Returns what became `owed`. The app's role may not call it.
CREATE OR REPLACE FUNCTION ledger.ledger_draw(
  p_wallet bigint, p_id uuid, p_kind text, p_credit text, p_amount bigint, p_ref text)
RETURNS bigint LANGUAGE plpgsql
SET search_path = ledger, pg_temp SET enable_seqscan = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  first_entry entry;
  next_seq int;
  taken bigint;
BEGIN
  IF (p_amount > 0) IS NOT TRUE THEN
    RAISE EXCEPTION 'ledger_draw: amount must be positive' USING ERRCODE = 'check_violation';
  END IF;
  SELECT * INTO STRICT first_entry FROM entry WHERE wallet_id = p_wallet AND id = p_id AND seq = 0;
  SELECT max(seq) + 1 INTO next_seq FROM entry WHERE wallet_id = p_wallet AND id = p_id;

  WITH l AS (
    SELECT lot.id, remaining - held AS free, row_number() OVER burn AS place, sum(remaining - held) OVER burn AS upto
    FROM lot
    WHERE wallet_id = p_wallet AND live AND expires_at > now() AND remaining > held
    WINDOW burn AS (ORDER BY priority, expires_at, lot.id)
  ), t AS (
    SELECT l.id, place, LEAST(free, p_amount - (upto - free))::bigint AS take FROM l WHERE upto - free < p_amount
  ), u AS (
    UPDATE lot SET remaining = remaining - t.take, live = remaining > t.take FROM t WHERE lot.id = t.id
  ), e AS (
    INSERT INTO entry (wallet_id, id, seq, kind, debit, credit, lot_id, amount, price_version, markup_bp, ref)
    SELECT p_wallet, p_id, next_seq + place - 1, p_kind, 'wallet', p_credit, t.id, t.take,
           first_entry.price_version, first_entry.markup_bp, p_ref
    FROM t
  )
  SELECT COALESCE(sum(t.take), 0), next_seq + count(*) INTO taken, next_seq FROM t;

  IF taken < p_amount THEN
    UPDATE wallet SET owed = owed + p_amount - taken WHERE id = p_wallet;
    INSERT INTO entry (wallet_id, id, seq, kind, debit, credit, amount, price_version, markup_bp, ref)
    VALUES (p_wallet, p_id, next_seq, p_kind, 'receivable', p_credit, p_amount - taken,
            first_entry.price_version, first_entry.markup_bp, p_ref);
  END IF;
  RETURN p_amount - taken;
END $$;

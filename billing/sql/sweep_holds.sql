-- ledger_sweep_holds: lapse up to `p_limit` calls whose hold is past its time. Returns how many; call it until 0.
--
-- What it finds is a guess made without locks; ledger_settle looks again under them, so a hold that was extended or
-- settled meanwhile is left alone. Its own transaction, please: it locks many wallets.
CREATE OR REPLACE FUNCTION ledger.ledger_sweep_holds(p_limit int) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ledger, pg_temp
AS $$
DECLARE
  wallets bigint[];
  ids uuid[];
  lapsed int;
BEGIN
  IF (p_limit > 0) IS NOT TRUE THEN
    RAISE EXCEPTION 'ledger_sweep_holds: limit must be positive' USING ERRCODE = 'check_violation';
  END IF;
  SELECT array_agg(h.wallet_id), array_agg(h.id) INTO wallets, ids
  FROM (SELECT wallet_id, id FROM hold WHERE seq = 0 AND expires_at <= now() LIMIT p_limit) h;
  IF wallets IS NULL THEN
    RETURN 0;
  END IF;
  SELECT count(*) INTO lapsed
  FROM ledger_settle(wallets, ids, array_fill('lapse'::text, ARRAY[cardinality(ids)]),
                     array_fill(0::bigint, ARRAY[cardinality(ids)]), array_fill(0::bigint, ARRAY[cardinality(ids)])) s
  WHERE s.fresh;
  RETURN lapsed;
END $$;

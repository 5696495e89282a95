-- The outbox of refunds: what the usage records do not know of yet. ledger_refund writes a row in its transaction,
-- ledger_take_corrections removes it in the transaction that writes the correction, so each reaches usage once.
CREATE TABLE ledger.correction (
  wallet_id bigint NOT NULL,
  call_id uuid NOT NULL,
  at timestamptz NOT NULL,                                -- the refund entry's own time
  amount bigint NOT NULL CHECK (amount > 0),              -- µcr given back
  PRIMARY KEY (wallet_id, call_id, at)
);

-- ledger_take_corrections: remove up to `p_limit` rows and return them, oldest first. Rows that somebody else is taking
-- are passed by. Locks no wallet.
CREATE OR REPLACE FUNCTION ledger.ledger_take_corrections(p_limit int)
RETURNS TABLE (wallet_id bigint, call_id uuid, at timestamptz, amount bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ledger, pg_temp
AS $$
BEGIN
  IF (p_limit > 0) IS NOT TRUE THEN
    RAISE EXCEPTION 'ledger_take_corrections: limit must be positive' USING ERRCODE = 'check_violation';
  END IF;
  PERFORM refuse_snapshots();
  RETURN QUERY
    WITH t AS MATERIALIZED (
      SELECT o.wallet_id, o.call_id, o.at FROM correction o ORDER BY o.at LIMIT p_limit FOR UPDATE SKIP LOCKED
    )
    DELETE FROM correction c USING t
    WHERE c.wallet_id = t.wallet_id AND c.call_id = t.call_id AND c.at = t.at
    RETURNING c.wallet_id, c.call_id, c.at, c.amount;
END $$;

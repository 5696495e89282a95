-- ledger_extend: the heartbeat of long calls. Each open hold lasts at least `p_seconds` from now; never shortens one.
--
-- Out: n, extended (false: that hold is not open any more, or its wallet is locked by somebody right now: a hold lasts
-- several heartbeats, and one busy wallet must not hold up the others). It locks the wallets like every writer: the
-- holds of a batch would otherwise be locked in another order than a settle takes them.
CREATE OR REPLACE FUNCTION ledger.ledger_extend(p_wallet bigint[], p_id uuid[], p_seconds int)
RETURNS TABLE (n int, extended boolean)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ledger, pg_temp SET enable_seqscan = off SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  IF (p_seconds > 0 AND cardinality(p_wallet) = cardinality(p_id)) IS NOT TRUE THEN
    RAISE EXCEPTION 'ledger_extend: items are not well-formed' USING ERRCODE = 'check_violation';
  END IF;
  PERFORM refuse_snapshots();

  RETURN QUERY
    WITH free AS MATERIALIZED (
      SELECT w.id FROM wallet w WHERE w.id = ANY (p_wallet) ORDER BY w.id FOR NO KEY UPDATE SKIP LOCKED
    ), u AS (
      UPDATE hold h SET expires_at = GREATEST(h.expires_at, now() + make_interval(secs => p_seconds))
      FROM unnest(p_wallet, p_id) i (wallet, id) JOIN free ON free.id = i.wallet
      WHERE h.wallet_id = i.wallet AND h.id = i.id
      RETURNING h.wallet_id, h.id, h.seq
    )
    SELECT i.n::int, u.id IS NOT NULL
    FROM unnest(p_wallet, p_id) WITH ORDINALITY i (wallet, id, n)
    LEFT JOIN u ON u.wallet_id = i.wallet AND u.id = i.id AND u.seq = 0;
END $$;

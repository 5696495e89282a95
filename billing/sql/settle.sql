-- ledger_settle: end calls. The holds are deleted, entries under the same ids are inserted. Arrays in, verdicts out.
--
-- In, per item: wallet, id, kind (usage: charge this; void: charge nothing; lapse: charge nothing, only if the hold is
-- past its time), charge and cost in µcr (both >= 0; charge is 0 for void and lapse; cost is a memo of what the provider bills us).
-- Out: n, verdict (the kind that won, whoever won it; NULL: there is no such hold, or it may not lapse yet), fresh (this
-- call did it), charged (µcr; by the winner if that was another), available (µcr left in the wallet after the batch).
-- A charge above the hold takes other credit of the wallet, then becomes `owed`; nothing goes below zero. What a charge
-- leaves of its hold is free again, or, in an expired lot, unusable until ledger_sweep_lots books it.
-- The winner of racing settles is whoever locks the wallet first; an id twice in a batch is settled once.
-- Raises 23514 for a batch that is not well-formed. The four steps are told in hold.sql; here 3 and 4 are one statement.
CREATE OR REPLACE FUNCTION ledger.ledger_settle(
  p_wallet bigint[], p_id uuid[], p_kind text[], p_charge bigint[], p_cost bigint[])
RETURNS TABLE (n int, verdict text, fresh boolean, charged bigint, available bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ledger, pg_temp SET enable_seqscan = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  done int[];                        -- places in the batch that this call settles
  overs int[];                       -- those whose charge exceeds their hold
  item record;
BEGIN
  -- Without the guard a NULL charge would charge the whole hold: LEAST skips NULLs.
  IF (0 <= ALL (p_charge) AND 0 <= ALL (p_cost) AND p_kind <@ '{usage,void,lapse}' AND cardinality(p_wallet) = ALL (ARRAY[
        cardinality(p_id), cardinality(p_kind), cardinality(p_charge), cardinality(p_cost),
        COALESCE(array_upper(p_wallet, 1), 0), COALESCE(array_upper(p_id, 1), 0), COALESCE(array_upper(p_charge, 1), 0)
      ])) IS NOT TRUE THEN
    RAISE EXCEPTION 'ledger_settle: items are not well-formed' USING ERRCODE = 'check_violation';
  END IF;
  PERFORM refuse_snapshots();

  PERFORM 1 FROM wallet WHERE id = ANY (p_wallet) ORDER BY id FOR NO KEY UPDATE;             -- 1. lock

  WITH d AS (                                                                                -- 2. read: the open holds
    DELETE FROM hold h
    USING unnest(p_wallet, p_id, p_kind, p_charge, p_cost) WITH ORDINALITY i (wallet, id, kind, charge, cost, n)
    WHERE h.wallet_id = i.wallet AND h.id = i.id AND (i.kind <> 'lapse' OR h.expires_at <= now())
    RETURNING i.n, i.kind, i.charge, i.cost, h.*
  ), t AS (                                                      -- 3. decide: what each hold row gives of the charge
    SELECT d.*,
           GREATEST(0, LEAST(amount, charge - (sum(amount) OVER p - amount)))::bigint AS take,
           sum(amount) OVER p < charge AND row_number() OVER p = count(*) OVER (PARTITION BY d.n) AS over
    FROM d WINDOW p AS (PARTITION BY d.n ORDER BY seq)
  ), l AS (                                                                                  -- 4. write
    UPDATE lot SET held = held - x.amount, remaining = remaining - x.take, live = remaining > x.take
    FROM (SELECT lot_id, sum(t.amount)::bigint AS amount, sum(t.take)::bigint AS take FROM t GROUP BY lot_id) x
    WHERE lot.id = x.lot_id
  ), e AS (
    INSERT INTO entry (wallet_id, id, seq, kind, debit, credit, lot_id, amount, cost, price_version, markup_bp)
    SELECT wallet_id, t.id, seq, t.kind, 'wallet', CASE t.kind WHEN 'usage' THEN 'revenue' ELSE 'wallet' END,
           CASE WHEN take > 0 THEN lot_id END, take, CASE seq WHEN 0 THEN cost ELSE 0 END, price_version, markup_bp
    FROM t WHERE take > 0 OR seq = 0
  )
  SELECT array_agg(t.n) FILTER (WHERE seq = 0), array_agg(t.n) FILTER (WHERE t.over) INTO done, overs FROM t;

  IF overs IS NOT NULL THEN                                                                  -- rare
    FOR item IN
      SELECT i, p_charge[i] - (SELECT sum(e.amount) FROM entry e WHERE e.wallet_id = p_wallet[i] AND e.id = p_id[i]) AS rest
      FROM unnest(overs) i ORDER BY i
    LOOP
      PERFORM ledger_draw(p_wallet[item.i], p_id[item.i], 'usage', 'revenue', item.rest::bigint, NULL);
    END LOOP;
  END IF;

  RETURN QUERY
    WITH a AS (
      SELECT wallet_id, sum(remaining - held)::bigint AS free FROM lot
      WHERE wallet_id = ANY (p_wallet) AND live AND expires_at > now() GROUP BY wallet_id)
    SELECT i.n::int, CASE WHEN f.n IS NOT NULL THEN i.kind ELSE e.kind END, f.n IS NOT NULL,
           CASE WHEN f.n IS NOT NULL THEN i.charge ELSE e.charged END, COALESCE(a.free, 0)
    FROM unnest(p_wallet, p_id, p_kind, p_charge) WITH ORDINALITY i (wallet, id, kind, charge, n)
    LEFT JOIN unnest(done) f (n) ON f.n = i.n
    LEFT JOIN LATERAL (
      SELECT min(x.kind) FILTER (WHERE x.seq = 0) AS kind,
             CASE WHEN count(*) > 0 THEN COALESCE(sum(x.amount) FILTER (WHERE x.kind = 'usage'), 0)::bigint END AS charged
      FROM entry x WHERE x.wallet_id = i.wallet AND x.id = i.id AND f.n IS NULL) e ON true
    LEFT JOIN a ON a.wallet_id = i.wallet;
END $$;

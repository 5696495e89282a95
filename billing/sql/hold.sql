-- ledger_hold: reserve credit for calls that are about to be sent. Arrays in, one verdict per item out.
--
-- In, per item: wallet, id of the call (distinct within a batch), amount > 0 in µcr, seconds until the hold lapses
-- unless extended, price version and markup (basis points) that the charge will be computed with.
-- Out: n (place in the batch, from 1), verdict, available (µcr left in the wallet after this item).
--   held          reserved. The only verdict on which a call may be sent.
--   insufficient  the live lots do not cover the amount           frozen     the wallet takes no holds
--   no_wallet     no such workspace                               open       this very hold is open already (a repeat)
--   mismatch      the id is open with another amount              usage, void, lapse   the call is over: how it ended
-- Raises 23514 for a batch that is not well-formed (NULL, ragged, not positive), 23505 for an id twice in one batch;
-- nothing is done then, and the batcher repeats item by item.
--
-- Four steps, as in every function here:
--   1. lock the wallets in id order       one order for everybody, so no deadlock
--   2. read in a new statement            whose snapshot therefore sees all that was committed before we got the locks
--   3. decide in memory, one by one       exactly as if the items had come alone, in (wallet, n) order
--   4. write in sets                      one UPDATE, one INSERT
--
-- enable_seqscan = off is not tuning: a plan cached while `hold` was empty scanned it for each item later on.
CREATE OR REPLACE FUNCTION ledger.ledger_hold(
  p_wallet bigint[], p_id uuid[], p_amount bigint[], p_seconds int[], p_price int[], p_markup int[])
RETURNS TABLE (n int, verdict text, available bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ledger, pg_temp SET enable_seqscan = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  item record;
  wallet_now bigint;                 -- the wallet whose lots are in memory
  lots bigint[];                     -- its usable lots in burn order
  free bigint[];                     -- what is free in each
  free_total bigint;
  k int;                             -- the lot that burns next
  rest bigint;
  take bigint;
  s int;
  new_n int[] := '{}';               -- the hold rows to write: place in the batch, seq, lot, amount
  new_seq int[] := '{}';
  new_lot bigint[] := '{}';
  new_amount bigint[] := '{}';
BEGIN
  -- `IS NOT TRUE` also catches NULLs. array_upper catches arrays that do not begin at 1: p_wallet[n] would miss.
  IF (0 < ALL (p_amount) AND 0 < ALL (p_seconds) AND cardinality(p_wallet) = ALL (ARRAY[
        cardinality(p_id), cardinality(p_amount), cardinality(p_seconds), cardinality(p_price), cardinality(p_markup),
        COALESCE(array_upper(p_wallet, 1), 0), COALESCE(array_upper(p_id, 1), 0), COALESCE(array_upper(p_seconds, 1), 0),
        COALESCE(array_upper(p_price, 1), 0), COALESCE(array_upper(p_markup, 1), 0)])) IS NOT TRUE THEN
    RAISE EXCEPTION 'ledger_hold: items are not well-formed' USING ERRCODE = 'check_violation';
  END IF;
  PERFORM refuse_snapshots();

  PERFORM 1 FROM wallet WHERE id = ANY (p_wallet) ORDER BY id FOR NO KEY UPDATE;             -- 1. lock

  FOR item IN                                                                                -- 2. read
    SELECT i.n::int AS n, i.wallet, i.amount, w.frozen, l.lots, l.free, l.total,
           (SELECT sum(h.amount) FROM hold h WHERE h.wallet_id = i.wallet AND h.id = i.id) AS open,
           (SELECT e.kind FROM entry e WHERE e.wallet_id = i.wallet AND e.id = i.id AND e.seq = 0) AS done
    FROM unnest(p_wallet, p_id, p_amount) WITH ORDINALITY i (wallet, id, amount, n)
    LEFT JOIN wallet w ON w.id = i.wallet
    LEFT JOIN (
      SELECT wallet_id, array_agg(id) AS lots, array_agg(remaining - held) AS free,
             sum(remaining - held)::bigint AS total
      FROM (SELECT * FROM lot
            WHERE wallet_id = ANY (p_wallet) AND live AND expires_at > now() AND remaining > held
            ORDER BY wallet_id, priority, expires_at, id) o
      GROUP BY wallet_id) l ON l.wallet_id = i.wallet
    ORDER BY i.wallet, i.n
  LOOP                                                                                       -- 3. decide
    IF wallet_now IS DISTINCT FROM item.wallet THEN
      wallet_now := item.wallet; lots := item.lots; free := item.free; free_total := COALESCE(item.total, 0); k := 1;
    END IF;
    n := item.n;
    IF item.done IS NOT NULL THEN verdict := item.done;
    ELSIF item.open IS NOT NULL THEN verdict := CASE WHEN item.open = item.amount THEN 'open' ELSE 'mismatch' END;
    ELSIF item.frozen IS NULL THEN verdict := 'no_wallet';
    ELSIF item.frozen THEN verdict := 'frozen';
    ELSIF item.amount > free_total THEN verdict := 'insufficient';
    ELSE
      verdict := 'held'; free_total := free_total - item.amount; rest := item.amount; s := 0;
      LOOP
        take := LEAST(rest, free[k]);
        new_n := new_n || n; new_seq := new_seq || s; new_lot := new_lot || lots[k]; new_amount := new_amount || take;
        free[k] := free[k] - take; rest := rest - take; s := s + 1;
        IF free[k] = 0 THEN k := k + 1; END IF;
        EXIT WHEN rest = 0;
      END LOOP;
    END IF;
    available := free_total;
    RETURN NEXT;
  END LOOP;

  UPDATE lot SET held = held + x.amount                                                      -- 4. write
  FROM (SELECT u.lot, sum(u.amount)::bigint AS amount FROM unnest(new_lot, new_amount) u (lot, amount) GROUP BY u.lot) x
  WHERE lot.id = x.lot;
  INSERT INTO hold (wallet_id, id, seq, lot_id, amount, price_version, markup_bp, expires_at)
  SELECT p_wallet[u.n], p_id[u.n], u.seq, u.lot, u.amount, p_price[u.n], p_markup[u.n],
         now() + make_interval(secs => p_seconds[u.n])
  FROM unnest(new_n, new_seq, new_lot, new_amount) u (n, seq, lot, amount);
END $$;

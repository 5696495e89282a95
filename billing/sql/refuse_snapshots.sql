-- The second step of every function must see what was committed while it waited for the locks. Under REPEATABLE READ
-- and SERIALIZABLE it would not: mostly an UPDATE fails with 40001 then, but an id that was held and settled meanwhile
-- on a lot that this snapshot does not know could be held again. So the caller gets that error always, and at once.
CREATE OR REPLACE FUNCTION ledger.refuse_snapshots() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'the ledger needs READ COMMITTED' USING ERRCODE = 'serialization_failure';
  END IF;
END $$;

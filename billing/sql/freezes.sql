-- Why a wallet takes no holds: one row per reason. wallet.frozen is true while the workspace is not active or any freeze
-- is not lifted, so lifting one reason leaves the others. What is open still settles; credit still comes in.
CREATE TABLE ledger.wallet_freeze (
  wallet_id bigint NOT NULL REFERENCES ledger.wallet,
  id uuid NOT NULL,                                       -- derived from the economic key of the reason (a dispute)
  ref text NOT NULL CHECK (ref <> ''),
  at timestamptz NOT NULL DEFAULT now(),
  lifted_at timestamptz,
  lifted_ref text,
  PRIMARY KEY (wallet_id, id),
  CHECK ((lifted_at IS NULL) = (lifted_ref IS NULL) AND lifted_ref <> '')
);

CREATE FUNCTION ledger.refuse_second_lift() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF (OLD.wallet_id, OLD.id, OLD.ref, OLD.at) IS DISTINCT FROM (NEW.wallet_id, NEW.id, NEW.ref, NEW.at)
     OR OLD.lifted_at IS NOT NULL THEN
    RAISE EXCEPTION 'ledger.wallet_freeze: a freeze is lifted once, and nothing else of it changes'
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER freeze_is_only_lifted BEFORE UPDATE ON ledger.wallet_freeze
  FOR EACH ROW EXECUTE FUNCTION ledger.refuse_second_lift();
CREATE TRIGGER freeze_is_kept BEFORE DELETE ON ledger.wallet_freeze
  FOR EACH ROW EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER freeze_is_not_truncated BEFORE TRUNCATE ON ledger.wallet_freeze
  FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

-- ledger_set_frozen, internal: make wallet.frozen what status and freezes say. The caller holds the wallet's lock, taken
-- in a statement before this one, so that what is read here is what was committed until then. Returns the new value.
CREATE OR REPLACE FUNCTION ledger.ledger_set_frozen(p_wallet bigint) RETURNS boolean LANGUAGE plpgsql
SET search_path = ledger, pg_temp
AS $$
DECLARE
  frozen_now boolean;
BEGIN
  UPDATE wallet w SET frozen =
    EXISTS (SELECT FROM wallet_freeze f WHERE f.wallet_id = w.id AND f.lifted_at IS NULL)
    OR EXISTS (SELECT FROM public.accounts_workspace s WHERE s.id = w.id AND s.status <> 'active')
  WHERE w.id = p_wallet RETURNING w.frozen INTO STRICT frozen_now;
  RETURN frozen_now;
END $$;

-- ledger_freeze: let a wallet take no holds, for one more reason. `p_id` is derived from the economic key of the reason.
-- Out: frozen, replay (this reason stands already), lifted (this reason was lifted before; nothing changed), no_wallet.
CREATE OR REPLACE FUNCTION ledger.ledger_freeze(p_wallet bigint, p_id uuid, p_ref text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ledger, pg_temp
AS $$
DECLARE
  before wallet_freeze;
BEGIN
  IF (p_wallet IS NOT NULL AND p_id IS NOT NULL AND p_ref <> '') IS NOT TRUE THEN
    RAISE EXCEPTION 'ledger_freeze: not well-formed' USING ERRCODE = 'check_violation';
  END IF;
  PERFORM refuse_snapshots();
  PERFORM 1 FROM wallet WHERE id = p_wallet FOR NO KEY UPDATE;                               -- 1. lock
  IF NOT FOUND THEN
    RETURN 'no_wallet';
  END IF;
  SELECT * INTO before FROM wallet_freeze WHERE wallet_id = p_wallet AND id = p_id;          -- 2. read, 3. decide
  IF FOUND THEN
    RETURN CASE WHEN before.lifted_at IS NULL THEN 'replay' ELSE 'lifted' END;
  END IF;
  INSERT INTO wallet_freeze (wallet_id, id, ref) VALUES (p_wallet, p_id, p_ref);             -- 4. write
  PERFORM ledger_set_frozen(p_wallet);
  RETURN 'frozen';
END $$;

-- ledger_unfreeze: lift one reason. Other reasons, and a workspace that is not active, keep the wallet frozen.
-- Out: verdict: lifted, replay (lifted before), unknown (no such freeze); frozen: whether the wallet still is (NULL for
-- no such wallet).
CREATE OR REPLACE FUNCTION ledger.ledger_unfreeze(p_wallet bigint, p_id uuid, p_ref text)
RETURNS TABLE (verdict text, frozen boolean)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ledger, pg_temp
AS $$
DECLARE
  before wallet_freeze;
BEGIN
  IF (p_wallet IS NOT NULL AND p_id IS NOT NULL AND p_ref <> '') IS NOT TRUE THEN
    RAISE EXCEPTION 'ledger_unfreeze: not well-formed' USING ERRCODE = 'check_violation';
  END IF;
  PERFORM refuse_snapshots();
  SELECT w.frozen INTO frozen FROM wallet w WHERE w.id = p_wallet FOR NO KEY UPDATE;         -- 1. lock
  SELECT * INTO before FROM wallet_freeze f WHERE f.wallet_id = p_wallet AND f.id = p_id;    -- 2. read
  verdict := CASE WHEN before.id IS NULL THEN 'unknown'                                      -- 3. decide
                  WHEN before.lifted_at IS NOT NULL THEN 'replay'
                  ELSE 'lifted' END;
  IF verdict = 'lifted' THEN                                                                 -- 4. write
    UPDATE wallet_freeze f SET lifted_at = now(), lifted_ref = p_ref WHERE f.wallet_id = p_wallet AND f.id = p_id;
    frozen := ledger_set_frozen(p_wallet);
  END IF;
  RETURN NEXT;
END $$;

-- The trigger of wallets.sql, which now asks for freezes too: making a workspace active lifts none of them.
CREATE OR REPLACE FUNCTION ledger.follow_workspace() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ledger, pg_temp
AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO wallet (id, frozen) VALUES (NEW.id, NEW.status <> 'active');
  ELSE
    PERFORM 1 FROM wallet WHERE id = NEW.id FOR NO KEY UPDATE;
    PERFORM ledger_set_frozen(NEW.id);
  END IF;
  RETURN NULL;
END $$;

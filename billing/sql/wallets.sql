-- A wallet for every workspace, in the transaction that makes the workspace. Only an active workspace takes new holds:
-- accounts_workspace.status is the truth and wallet.frozen its copy under the ledger's lock.
CREATE FUNCTION ledger.follow_workspace() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ledger, pg_temp
AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO wallet (id, frozen) VALUES (NEW.id, NEW.status <> 'active');
  ELSE
    UPDATE wallet SET frozen = NEW.status <> 'active' WHERE id = NEW.id;
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER workspace_has_a_wallet AFTER INSERT OR UPDATE OF status ON public.accounts_workspace
  FOR EACH ROW EXECUTE FUNCTION ledger.follow_workspace();

INSERT INTO ledger.wallet (id, frozen) SELECT id, status <> 'active' FROM public.accounts_workspace
ON CONFLICT (id) DO UPDATE SET frozen = EXCLUDED.frozen;

-- What not even the owner does by mistake. Whoever may drop a trigger can still tamper: ledger_violations shows it.

CREATE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION 'ledger.% refuses %', TG_TABLE_NAME, TG_OP
    USING ERRCODE = 'restrict_violation', HINT = 'Corrections are new entries.';
END $$;

CREATE TRIGGER entry_is_append_only BEFORE UPDATE OR DELETE ON ledger.entry
  FOR EACH ROW EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER entry_is_not_truncated BEFORE TRUNCATE ON ledger.entry
  FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER lot_is_kept BEFORE DELETE ON ledger.lot
  FOR EACH ROW EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER lot_is_not_truncated BEFORE TRUNCATE ON ledger.lot
  FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER wallet_is_kept BEFORE DELETE ON ledger.wallet
  FOR EACH ROW EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER wallet_is_not_truncated BEFORE TRUNCATE ON ledger.wallet
  FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER hold_is_not_truncated BEFORE TRUNCATE ON ledger.hold
  FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

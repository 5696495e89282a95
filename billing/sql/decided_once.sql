-- Requests for money and disputes: what was asked never changes, and what was decided is decided. Not for the app's role
-- either, which writes these tables.
CREATE FUNCTION billing_decided_once() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  may_change CONSTANT text[] := '{state,approved_by_id,rejected_by_id,decided_at,closed_at}';
BEGIN
  IF OLD.state NOT IN ('waiting', 'open') OR to_jsonb(OLD) - may_change <> to_jsonb(NEW) - may_change THEN
    RAISE EXCEPTION '%: what was asked and what was decided stays', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE TRIGGER decided_once BEFORE UPDATE ON billing_moneyrequest
  FOR EACH ROW EXECUTE FUNCTION billing_decided_once();
CREATE TRIGGER kept BEFORE DELETE OR TRUNCATE ON billing_moneyrequest
  FOR EACH STATEMENT EXECUTE FUNCTION billing_refuse_change();
CREATE TRIGGER decided_once BEFORE UPDATE ON billing_dispute
  FOR EACH ROW EXECUTE FUNCTION billing_decided_once();
CREATE TRIGGER kept BEFORE DELETE OR TRUNCATE ON billing_dispute
  FOR EACH STATEMENT EXECUTE FUNCTION billing_refuse_change();

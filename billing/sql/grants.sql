-- Who may what in schema ledger. studio_app (where it exists: a single role works too) reads and calls functions; it
-- writes no table, and ledger_draw is for the ledger's own functions. Nobody else gets anything.
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA ledger FROM PUBLIC;
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'studio_app') AND current_user <> 'studio_app' THEN
    GRANT USAGE ON SCHEMA ledger TO studio_app;
    GRANT SELECT ON ALL TABLES IN SCHEMA ledger TO studio_app;
    GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA ledger TO studio_app;
    REVOKE ALL ON FUNCTION ledger.ledger_draw FROM studio_app;
    REVOKE INSERT, UPDATE, DELETE ON public.billing_wallet, public.billing_lot, public.billing_hold, public.billing_entry
      FROM studio_app;
    GRANT SELECT ON public.billing_wallet, public.billing_lot, public.billing_hold, public.billing_entry TO studio_app;
  END IF;
END $$;

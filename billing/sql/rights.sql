-- Who may what in schema ledger, by name; it replaces what grants.sql and default privileges gave. studio_app (where it
-- exists: a single role works too) reads everything, writes no table, and calls these functions and no others:
-- ledger_draw, ledger_add_lot and ledger_set_frozen are for the ledger's own. Nobody else gets anything.
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA ledger FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA ledger FROM PUBLIC;
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'studio_app') AND current_user <> 'studio_app' THEN
    REVOKE ALL ON ALL FUNCTIONS IN SCHEMA ledger FROM studio_app;
    REVOKE ALL ON ALL TABLES IN SCHEMA ledger FROM studio_app;
    GRANT USAGE ON SCHEMA ledger TO studio_app;
    GRANT SELECT ON ALL TABLES IN SCHEMA ledger TO studio_app;
    -- The path of a call, and its sweeps.
    GRANT EXECUTE ON FUNCTION ledger.ledger_hold, ledger.ledger_settle, ledger.ledger_extend,
      ledger.ledger_sweep_holds, ledger.ledger_sweep_lots, ledger.ledger_take_corrections TO studio_app;
    -- Money from and to outside: billing's services call these, for staff and for payments. Nothing else may.
    GRANT EXECUTE ON FUNCTION ledger.ledger_credit, ledger.ledger_refund, ledger.ledger_payout, ledger.ledger_reinstate,
      ledger.ledger_adjust, ledger.ledger_freeze, ledger.ledger_unfreeze, ledger.ledger_close_month TO studio_app;
    REVOKE ALL ON public.billing_wallet, public.billing_lot, public.billing_hold, public.billing_entry,
      public.billing_freeze, public.billing_closedmonth FROM studio_app;
    GRANT SELECT ON public.billing_wallet, public.billing_lot, public.billing_hold, public.billing_entry,
      public.billing_freeze, public.billing_closedmonth TO studio_app;
  END IF;
END $$;

-- Empty, or somebody took a guard away: a trigger or a constraint that is gone or switched off, a right of the app's role
-- that lets it write past the functions. Reads the catalogue only.
CREATE VIEW ledger.ledger_guard_violations AS
SELECT 'missing_trigger' AS violation, t.relation || ' ' || t.name AS subject
FROM (VALUES
  ('ledger.entry', 'entry_is_append_only'), ('ledger.entry', 'entry_is_not_truncated'),
  ('ledger.entry', 'entry_is_written_in_an_open_month'), ('ledger.entry', 'entry_belongs_to_an_open_month'),
  ('ledger.lot', 'lot_is_kept'), ('ledger.lot', 'lot_is_not_truncated'),
  ('ledger.wallet', 'wallet_is_kept'), ('ledger.wallet', 'wallet_is_not_truncated'),
  ('ledger.hold', 'hold_is_not_truncated'),
  ('ledger.wallet_freeze', 'freeze_is_only_lifted'), ('ledger.wallet_freeze', 'freeze_is_kept'),
  ('ledger.wallet_freeze', 'freeze_is_not_truncated'),
  ('ledger.closed_month', 'closed_month_stays_closed'), ('ledger.closed_month', 'closed_month_is_not_truncated'),
  ('public.accounts_workspace', 'workspace_has_a_wallet'),
  ('public.billing_moneyrequest', 'decided_once'), ('public.billing_moneyrequest', 'kept'),
  ('public.billing_dispute', 'decided_once'), ('public.billing_dispute', 'kept'),
  ('public.billing_price', 'append_only'), ('public.billing_pricebook', 'append_only')
) t (relation, name)
WHERE NOT EXISTS (
  SELECT FROM pg_trigger g WHERE g.tgrelid = to_regclass(t.relation) AND g.tgname = t.name AND g.tgenabled IN ('O', 'A'))
UNION ALL
SELECT 'missing_constraint', t.relation || ' ' || t.name
FROM (VALUES
  ('ledger.entry', 'entry_pkey'), ('ledger.entry', 'entry_amount_check'), ('ledger.entry', 'entry_cost_check'),
  ('ledger.entry', 'entry_seq_check'), ('ledger.entry', 'entry_moves_between_known_accounts'),
  ('ledger.entry', 'entry_moves_something'), ('ledger.entry', 'entry_void_moves_nothing'),
  ('ledger.entry', 'entry_names_the_lot_it_changes'),
  ('ledger.hold', 'hold_pkey'), ('ledger.hold', 'hold_amount_check'), ('ledger.hold', 'hold_markup_bp_check'),
  ('ledger.lot', 'lot_pkey'), ('ledger.lot', 'lot_check'), ('ledger.lot', 'lot_check1'), ('ledger.lot', 'lot_check2'),
  ('ledger.lot', 'lot_granted_check'), ('ledger.lot', 'lot_kind_check'), ('ledger.lot', 'lot_is_paid_or_given'),
  ('ledger.lot', 'lot_wallet_id_fkey'),
  ('ledger.wallet', 'wallet_pkey'), ('ledger.wallet', 'wallet_owed_check'),
  ('ledger.wallet_freeze', 'wallet_freeze_pkey'), ('ledger.correction', 'correction_pkey'),
  ('ledger.closed_month', 'closed_month_pkey'), ('ledger.closed_month', 'month_is_closed_by_two_people'),
  ('public.billing_moneyrequest', 'moneyrequest_is_well_formed'),
  ('public.billing_moneyrequest', 'moneyrequest_needs_another_person'),
  ('public.billing_moneyrequest', 'moneyrequest_is_decided_once')
) t (relation, name)
WHERE NOT EXISTS (
  SELECT FROM pg_constraint c
  WHERE c.conrelid = to_regclass(t.relation) AND c.conname = t.name AND c.convalidated AND c.conenforced)
UNION ALL
SELECT 'app_writes_table', format('%s may write ledger.%s', r.rolname, c.relname)
FROM pg_roles r
JOIN pg_class c ON c.relnamespace = to_regnamespace('ledger') AND c.relkind IN ('r', 'p', 'v') AND c.relowner <> r.oid
WHERE r.rolname = 'studio_app'
  AND has_table_privilege(r.oid, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, TRIGGER, REFERENCES')
UNION ALL
SELECT 'app_makes_objects', format('%s may create in schema ledger', r.rolname)
FROM pg_roles r JOIN pg_namespace n ON n.nspname = 'ledger' AND n.nspowner <> r.oid
WHERE r.rolname = 'studio_app' AND has_schema_privilege(r.oid, n.oid, 'CREATE')
UNION ALL
SELECT 'app_calls_function', format('%s may call ledger.%s', r.rolname, p.proname)
FROM pg_roles r JOIN pg_proc p ON p.pronamespace = to_regnamespace('ledger') AND p.proowner <> r.oid
WHERE r.rolname = 'studio_app' AND has_function_privilege(r.oid, p.oid, 'EXECUTE')
  AND (p.proname IN ('ledger_draw', 'ledger_add_lot', 'ledger_set_frozen')
       OR NOT p.prosecdef OR NOT COALESCE('search_path=ledger, pg_temp' = ANY (p.proconfig), false));

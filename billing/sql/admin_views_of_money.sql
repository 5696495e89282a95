-- What staff sees since there are more kinds of credit; as in admin_views.sql. Columns that are new come last.

CREATE OR REPLACE VIEW public.billing_lot WITH (security_invoker = true) AS
SELECT l.id::text AS key, l.id AS lot_id, l.wallet_id, COALESCE(s.name, '') AS workspace_name, l.kind, l.priority,
       NULLIF(l.expires_at, 'infinity') AS expires_at, l.granted AS granted_ucr, l.remaining AS remaining_ucr,
       l.held AS held_ucr, l.live, l.paid
FROM ledger.lot l
LEFT JOIN public.accounts_workspace s ON s.id = l.wallet_id;

CREATE VIEW public.billing_freeze WITH (security_invoker = true) AS
SELECT f.wallet_id || '_' || f.id AS key, f.wallet_id, COALESCE(s.name, '') AS workspace_name, f.id AS freeze_id,
       f.ref, f.at, f.lifted_at, COALESCE(f.lifted_ref, '') AS lifted_ref
FROM ledger.wallet_freeze f
LEFT JOIN public.accounts_workspace s ON s.id = f.wallet_id;

CREATE VIEW public.billing_closedmonth WITH (security_invoker = true) AS
SELECT to_char(month, 'YYYY-MM') AS key, month, closed_by, confirmed_by, closed_at FROM ledger.closed_month;

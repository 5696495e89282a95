-- What staff sees: a key as text, because Django's admin refuses composite ones, and the workspace's name.
-- security_invoker: the reader's own rights count, so that the app's role cannot write through a view either.

CREATE VIEW public.billing_wallet WITH (security_invoker = true) AS
SELECT w.id::text AS key, w.id AS wallet_id, COALESCE(s.name, '') AS workspace_name, w.frozen, w.owed AS owed_ucr,
       COALESCE(l.available, 0) AS available_ucr, COALESCE(l.held, 0) AS held_ucr
FROM ledger.wallet w
LEFT JOIN public.accounts_workspace s ON s.id = w.id
LEFT JOIN LATERAL (
  SELECT sum(remaining - held) FILTER (WHERE expires_at > now())::bigint AS available, sum(held)::bigint AS held
  FROM ledger.lot WHERE wallet_id = w.id AND live) l ON true;

CREATE VIEW public.billing_lot WITH (security_invoker = true) AS
SELECT l.id::text AS key, l.id AS lot_id, l.wallet_id, COALESCE(s.name, '') AS workspace_name, l.kind, l.priority,
       NULLIF(l.expires_at, 'infinity') AS expires_at, l.granted AS granted_ucr, l.remaining AS remaining_ucr,
       l.held AS held_ucr, l.live
FROM ledger.lot l
LEFT JOIN public.accounts_workspace s ON s.id = l.wallet_id;

CREATE VIEW public.billing_hold WITH (security_invoker = true) AS
SELECT h.wallet_id || '_' || h.id || '_' || h.seq AS key, h.wallet_id, COALESCE(s.name, '') AS workspace_name,
       h.id AS call_id, h.seq, h.lot_id, h.amount AS amount_ucr, h.price_version, h.markup_bp, h.expires_at
FROM ledger.hold h
LEFT JOIN public.accounts_workspace s ON s.id = h.wallet_id;

CREATE VIEW public.billing_entry WITH (security_invoker = true) AS
SELECT e.wallet_id || '_' || e.id || '_' || e.seq AS key, e.wallet_id, COALESCE(s.name, '') AS workspace_name,
       e.id AS call_id, e.seq, e.kind, e.debit, e.credit, e.lot_id, e.amount AS amount_ucr, e.cost AS cost_ucr,
       e.price_version, e.markup_bp, e.at, COALESCE(e.ref, '') AS ref
FROM ledger.entry e
LEFT JOIN public.accounts_workspace s ON s.id = e.wallet_id;

-- What staff sees: a key as text (Django's admin refuses composite ones) of request_id and at, in microseconds.
-- security_invoker: the reader's own rights count.
CREATE VIEW public.analytics_usage WITH (security_invoker = true) AS
SELECT u.request_id || '_' || (extract(epoch FROM u.at) * 1000000)::bigint AS key,
       u.*, COALESCE(s.name, '') AS workspace_name
FROM public.usage u
LEFT JOIN public.accounts_workspace s ON s.id = u.workspace_id;
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'studio_app') AND current_user <> 'studio_app' THEN
    GRANT SELECT ON public.analytics_usage TO studio_app;
  END IF;
END $$;

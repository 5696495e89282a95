-- What analytics_ro may see of `usage`, once an owner grants it SELECT: the rows of the workspace that the setting
-- app.workspace names, none while it names none. Whoever lets somebody write SQL as analytics_ro fixes the setting first.
--
-- ENABLE, not FORCE: the owner is exempt. The app is not the owner, so a policy of its own lets it through; hence only
-- where both roles exist, for without that policy no call could settle. Partitions need none: only the owner reaches
-- them directly.
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'analytics_ro')
     AND EXISTS (SELECT FROM pg_roles WHERE rolname = 'studio_app') THEN
    CREATE POLICY app_reads_and_writes_all ON public.usage TO studio_app USING (true) WITH CHECK (true);
    CREATE POLICY reports_read_one_workspace ON public.usage FOR SELECT TO analytics_ro
      USING (workspace_id = (SELECT NULLIF(current_setting('app.workspace', true), '')::bigint));
    ALTER TABLE public.usage ENABLE ROW LEVEL SECURITY;
  END IF;
END $$;

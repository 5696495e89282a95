-- Who may do what with the cubes. The app writes them, through the parents. analytics_ro reads what is of the workspace
-- that app.workspace names; without that setting its queries fail, rather than find nothing. It sees nothing that is of
-- all workspaces. ENABLE, not FORCE, as in row_security.sql.
DO $$
DECLARE
  of_one_workspace text;
BEGIN
  IF current_user = 'studio_app' OR NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'studio_app') THEN
    RETURN;
  END IF;
  GRANT USAGE ON SCHEMA analytics TO studio_app;
  GRANT SELECT, INSERT, UPDATE, DELETE ON
    analytics.calendar, analytics.dimension_app, analytics.dimension_user, analytics.dimension_route,
    analytics.cube_hour, analytics.cube_day, analytics.cube_month, analytics.user_day, analytics.user_month,
    analytics.finance_day, analytics.staff_day TO studio_app;
  GRANT SELECT, UPDATE ON analytics.watermark TO studio_app;
  GRANT SELECT ON analytics.kept_from, analytics.cube_violations TO studio_app;
  GRANT SELECT, INSERT ON analytics.month_seal TO studio_app;
  GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA analytics TO studio_app;
  REVOKE ALL ON FUNCTION analytics.make_partition FROM studio_app;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'analytics_ro') THEN
    RETURN;
  END IF;
  GRANT USAGE ON SCHEMA analytics TO analytics_ro;
  GRANT EXECUTE ON FUNCTION analytics.latency_bounds, analytics.latency_bucket, analytics.latency_of_bucket,
    analytics.merge_histogram TO analytics_ro;
  GRANT SELECT ON analytics.watermark, analytics.kept_from, analytics.dimension_route TO analytics_ro;
  FOREACH of_one_workspace IN ARRAY ARRAY[
    'analytics.calendar', 'analytics.dimension_app', 'analytics.dimension_user', 'analytics.cube_hour',
    'analytics.cube_day', 'analytics.cube_month', 'analytics.user_day', 'analytics.user_month', 'public.usage']
  LOOP
    EXECUTE format('DROP POLICY IF EXISTS reports_read_one_workspace ON %s', of_one_workspace);
    EXECUTE format('CREATE POLICY reports_read_one_workspace ON %s FOR SELECT TO analytics_ro
                    USING (workspace_id = current_setting(''app.workspace'')::bigint)', of_one_workspace);
    EXECUTE format('DROP POLICY IF EXISTS app_reads_and_writes_all ON %s', of_one_workspace);
    EXECUTE format('CREATE POLICY app_reads_and_writes_all ON %s TO studio_app USING (true) WITH CHECK (true)',
                   of_one_workspace);
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', of_one_workspace);
    EXECUTE format('GRANT SELECT ON %s TO analytics_ro', of_one_workspace);
  END LOOP;
END $$;

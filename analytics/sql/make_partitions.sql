-- Make the monthly partitions of `usage` from last month to `p_months` ahead, those that are missing. Returns how many.
--
-- CREATE TABLE LIKE + ATTACH, not PARTITION OF: its ACCESS EXCLUSIVE lock would stop every settle. SECURITY DEFINER,
-- because the app's role, which calls this every hour, may create no tables. Two callers at once take turns.
CREATE OR REPLACE FUNCTION public.usage_make_partitions(p_months int) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
AS $$
DECLARE
  month timestamptz;
  part text;
  made int := 0;
  -- Rows are written through the parent and never changed; default privileges of the schema give the app more.
  app_is_apart CONSTANT bool := current_user <> 'studio_app' AND EXISTS (SELECT FROM pg_roles WHERE rolname = 'studio_app');
BEGIN
  IF (p_months BETWEEN 0 AND 24) IS NOT TRUE THEN
    RAISE EXCEPTION 'usage_make_partitions: 0 to 24 months' USING ERRCODE = 'check_violation';
  END IF;
  PERFORM pg_advisory_xact_lock(hashtext('usage_make_partitions'));
  FOR month IN
    SELECT generate_series(date_trunc('month', now()) - interval '1 month',
                           date_trunc('month', now()) + make_interval(months => p_months), interval '1 month')
  LOOP
    part := 'usage_' || to_char(month, 'YYYY_MM');
    CONTINUE WHEN to_regclass(format('public.%I', part)) IS NOT NULL;
    EXECUTE format('CREATE TABLE public.%I (LIKE public.usage INCLUDING ALL)', part);
    IF app_is_apart THEN
      EXECUTE format('REVOKE ALL ON public.%I FROM studio_app', part);
    END IF;
    EXECUTE format('ALTER TABLE public.usage ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
                   part, month, month + interval '1 month');
    made := made + 1;
  END LOOP;
  RETURN made;
END $$;

REVOKE ALL ON FUNCTION public.usage_make_partitions FROM PUBLIC;
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'studio_app') AND current_user <> 'studio_app' THEN
    GRANT EXECUTE ON FUNCTION public.usage_make_partitions TO studio_app;
    GRANT EXECUTE ON FUNCTION public.usage_transaction_id TO studio_app;
    REVOKE ALL ON public.usage FROM studio_app;
    GRANT SELECT, INSERT ON public.usage TO studio_app;
  END IF;
END $$;

-- Make one monthly partition, if it is missing, of usage or of a cube. Returns whether it was made of usage, as 1 or 0.
--
-- CREATE TABLE LIKE + ATTACH, not PARTITION OF: its ACCESS EXCLUSIVE lock would stop every settle.
CREATE FUNCTION analytics.make_partition(p_table text, p_month date) RETURNS int
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
AS $$
DECLARE
  place CONSTANT text := CASE p_table WHEN 'usage' THEN 'public' ELSE 'analytics' END;
  part CONSTANT text := p_table || to_char(p_month, '_YYYY_MM');
BEGIN
  IF to_regclass(format('%I.%I', place, part)) IS NOT NULL THEN
    RETURN 0;
  END IF;
  EXECUTE format('CREATE TABLE %1$I.%2$I (LIKE %1$I.%3$I INCLUDING ALL)', place, part, p_table);
  -- Rows are written through the parent; default privileges of the schema give the app more.
  IF current_user <> 'studio_app' AND EXISTS (SELECT FROM pg_roles WHERE rolname = 'studio_app') THEN
    EXECUTE format('REVOKE ALL ON %I.%I FROM studio_app', place, part);
  END IF;
  EXECUTE format('ALTER TABLE %1$I.%3$I ATTACH PARTITION %1$I.%2$I FOR VALUES FROM (%4$L) TO (%5$L)',
                 place, part, p_table, p_month, (p_month + interval '1 month')::date);
  RETURN CASE p_table WHEN 'usage' THEN 1 ELSE 0 END;
END $$;

-- Make the partitions of usage and of all cubes that are missing from one month (UTC) to another, both included. Cubes
-- have a month more on either side: by a workspace's clock a row may belong there. Returns how many of usage were made.
--
-- SECURITY DEFINER, because the app's role, which calls this every hour, may create no tables. Callers take turns.
CREATE FUNCTION analytics.make_partitions(p_from date, p_to date) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
AS $$
DECLARE
  raw_from CONSTANT date := (SELECT month FROM analytics.kept_from WHERE table_name = 'usage');
BEGIN
  IF (p_from <= p_to AND p_from >= DATE '2015-01-01' AND p_to < now() + interval '25 months') IS NOT TRUE THEN
    RAISE EXCEPTION 'analytics.make_partitions: months from 2015 to 24 months ahead' USING ERRCODE = 'check_violation';
  END IF;
  IF date_trunc('month', p_from) < raw_from THEN
    RAISE EXCEPTION 'usage before % is retired', raw_from USING ERRCODE = 'check_violation';
  END IF;
  PERFORM pg_advisory_xact_lock(hashtext('analytics.make_partitions'));
  RETURN (
    SELECT coalesce(sum(analytics.make_partition(k.table_name, m::date)), 0)
    FROM analytics.kept_from k,
         LATERAL (SELECT CASE k.table_name WHEN 'usage' THEN interval '0' ELSE interval '1 month' END AS margin) w,
         LATERAL generate_series(date_trunc('month', p_from) - w.margin, date_trunc('month', p_to) + w.margin,
                                 interval '1 month') m
    WHERE m >= k.month);
END $$;

-- From last month to so many months ahead, and back to the first month there is of usage.
CREATE FUNCTION analytics.make_partitions_ahead(p_months int) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
AS $$
DECLARE
  first_month CONSTANT date := (
    SELECT min(to_date(right(inhrelid::regclass::text, 7), 'YYYY_MM'))
    FROM pg_inherits WHERE inhparent = 'public.usage'::regclass);
BEGIN
  IF (p_months BETWEEN 0 AND 24) IS NOT TRUE THEN
    RAISE EXCEPTION 'analytics.make_partitions_ahead: 0 to 24 months' USING ERRCODE = 'check_violation';
  END IF;
  RETURN analytics.make_partitions(
    least(first_month, (date_trunc('month', now()) - interval '1 month')::date),
    (date_trunc('month', now()) + make_interval(months => p_months))::date);
END $$;

-- The zone, if PostgreSQL knows it, else UTC: a workspace's odd name must not stop everybody's cubes.
CREATE FUNCTION analytics.zone_or_utc(p_zone text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM now() AT TIME ZONE p_zone;
  RETURN coalesce(p_zone, 'UTC');
EXCEPTION WHEN invalid_parameter_value THEN
  RETURN 'UTC';
END $$;

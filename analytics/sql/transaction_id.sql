-- The number of the writing transaction, for "everything committed since": a reader that has seen all ids below
-- pg_snapshot_xmin misses nothing, however late a slow transaction commits. bigint, because BRIN has no operator class
-- for xid8; the top-level id, so savepoints are safe; never the system column xmin, which freezes.
-- studio.transaction_id_offset is a database setting (ALTER DATABASE … SET), 0 unless the database was restored into a
-- new cluster, whose ids begin anew.
CREATE OR REPLACE FUNCTION public.usage_transaction_id() RETURNS bigint LANGUAGE sql VOLATILE AS $$
  SELECT pg_catalog.pg_current_xact_id()::text::bigint
         + COALESCE(NULLIF(pg_catalog.current_setting('studio.transaction_id_offset', true), '')::bigint, 0)
$$;

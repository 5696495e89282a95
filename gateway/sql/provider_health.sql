-- How providers' models did lately, from finished calls. Ids begin with the time they were made, so the range of ids
-- leaves out old rows by an index; the hour before it is for calls that took long. Parameters: two times the period
-- in seconds.
WITH u AS MATERIALIZED (
  SELECT provider, model, operation, status, reason, latency_ms, first_byte_ms, attempt_log
  FROM usage
  WHERE at >= now() - make_interval(secs => %s) AND request_id >= uuidv7(make_interval(secs => -%s - 3600))
    AND status <> 'refused' AND request_count > 0 AND provider <> ''
), failures AS (
  SELECT provider, model, reason AS code FROM u WHERE status IN ('failed', 'interrupted')
  UNION ALL
  SELECT a->>'provider', a->>'model', a->>'code' FROM u, jsonb_array_elements(u.attempt_log) a
), by_code AS (
  SELECT provider, model, code, count(*) AS failed FROM failures GROUP BY provider, model, code
), told AS (
  SELECT provider, model, sum(failed)::bigint AS failed, jsonb_object_agg(code, failed) AS codes
  FROM by_code GROUP BY provider, model
), done AS (
  SELECT provider, model, min(operation) AS operation, count(*) AS calls,
         count(*) FILTER (WHERE status = 'succeeded') AS succeeded,
         percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY latency_ms)
           FILTER (WHERE status = 'succeeded') AS latency,
         percentile_cont(0.5) WITHIN GROUP (ORDER BY first_byte_ms) FILTER (WHERE status = 'succeeded') AS first_byte
  FROM u GROUP BY provider, model
)
SELECT COALESCE(d.provider, t.provider), COALESCE(d.model, t.model), COALESCE(d.operation, ''), COALESCE(d.calls, 0),
       COALESCE(d.succeeded, 0), COALESCE(t.failed, 0), COALESCE(t.codes, '{}')::text,
       d.latency[1]::int, d.latency[2]::int, d.first_byte::int
FROM done d FULL JOIN told t ON t.provider = d.provider AND t.model = d.model
ORDER BY 1, 2

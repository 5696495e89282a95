-- How runs of jobs did lately at each provider's model, and how many are under way. Their ids begin with the time
-- they were made. Parameter: the period in seconds.
WITH r AS MATERIALIZED (
  SELECT j.routes -> r.route_position ->> 'provider' AS provider, j.routes -> r.route_position ->> 'model' AS model,
         r.state, r.failure_code, extract(epoch FROM r.finished_at - r.submitted_at) * 1000 AS took_ms
  FROM gateway_jobrun r JOIN gateway_job j ON j.id = r.job_id
  WHERE r.id >= uuidv7(make_interval(secs => -%s))
), by_code AS (
  SELECT provider, model, failure_code, count(*) AS failed FROM r WHERE state = 'failed' GROUP BY 1, 2, 3
), told AS (
  SELECT provider, model, jsonb_object_agg(failure_code, failed) AS codes FROM by_code GROUP BY 1, 2
), done AS (
  SELECT provider, model, count(*) AS runs, count(*) FILTER (WHERE state = 'succeeded') AS succeeded,
         count(*) FILTER (WHERE state = 'failed') AS failed,
         count(*) FILTER (WHERE state IN ('queued', 'submitting', 'unknown', 'running', 'storing')) AS open,
         count(*) FILTER (WHERE state = 'unknown') AS unknown,
         percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY took_ms)
           FILTER (WHERE state = 'succeeded') AS took
  FROM r GROUP BY provider, model
)
SELECT d.provider, d.model, d.runs, d.succeeded, d.failed, d.open, d.unknown, COALESCE(t.codes, '{}')::text,
       d.took[1]::int, d.took[2]::int
FROM done d LEFT JOIN told t ON t.provider = d.provider AND t.model = d.model
ORDER BY 1, 2

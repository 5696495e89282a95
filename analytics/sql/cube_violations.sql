-- Where the cubes say something else than the raw rows below the watermark: a row for each cube, workspace (0: all
-- together) and month of which the sums differ. Months whose raw rows are gone, in whole or at an end, are left to
-- their seals, which finance's cube has to equal. And partitions that next month will need. Reads everything;
-- security_invoker: the reader's own rights count.
CREATE VIEW analytics.cube_violations WITH (security_invoker = true) AS
WITH kept AS (
  -- From which month on a table is whole by whatever clock: where one is retired, from the next but one.
  SELECT table_name, CASE WHEN month > DATE '0001-01-01' THEN (month + interval '1 month')::date ELSE month END AS month
  FROM analytics.kept_from
), single AS NOT MATERIALIZED (
  SELECT u.workspace_id, u.at, c.time_zone, u.request_count, u.charge_ucr, u.cost_ucr, u.input_tokens,
         u.cached_input_tokens, u.cache_write_tokens, u.output_tokens, u.reasoning_tokens, u.item_count,
         u.character_count, u.media_ms, (u.latency_ms IS NOT NULL)::int AS latency_count,
         u.latency_ms AS latency_sum_ms, u.first_byte_ms AS first_byte_sum_ms
  FROM public.usage u JOIN analytics.calendar c USING (workspace_id)
  WHERE u.transaction_id < (SELECT transaction_id FROM analytics.watermark WHERE name = 'usage')
), raw AS MATERIALIZED (
  SELECT workspace_id, date_trunc('month', at AT TIME ZONE time_zone)::date AS month,
         date_trunc('month', at AT TIME ZONE 'UTC')::date AS utc_month,
  /* file: cube_sums */
  FROM single GROUP BY 1, 2, 3
), expected AS (
  SELECT n.table_name, r.workspace_id, r.month, sum(request_count) AS request_count, sum(charge_ucr) AS charge_ucr,
         sum(cost_ucr) AS cost_ucr, sum(tokens) AS tokens, sum(units) AS units, sum(latency_count) AS latency_count,
         sum(times_ms) AS times_ms
  FROM raw r, unnest(ARRAY['cube_hour', 'cube_day', 'cube_month', 'user_day', 'user_month']) n (table_name)
  GROUP BY 1, 2, 3
  UNION ALL
  SELECT n.table_name, CASE n.table_name WHEN 'finance_day' THEN r.workspace_id ELSE 0 END, r.utc_month, sum(request_count),
         sum(charge_ucr), sum(cost_ucr), sum(tokens), sum(units), sum(latency_count), sum(times_ms)
  FROM raw r, unnest(ARRAY['finance_day', 'staff_day']) n (table_name)
  GROUP BY 1, 2, 3
), found AS (
  SELECT 'cube_hour' AS table_name, workspace_id, date_trunc('month', hour AT TIME ZONE time_zone)::date AS month,
  /* file: cube_sums */
  FROM analytics.cube_hour JOIN analytics.calendar USING (workspace_id) GROUP BY 2, 3
  UNION ALL
  SELECT 'cube_day', workspace_id, date_trunc('month', day)::date,
  /* file: cube_sums */
  FROM analytics.cube_day GROUP BY 2, 3
  UNION ALL
  SELECT 'cube_month', workspace_id, month,
  /* file: cube_sums */
  FROM analytics.cube_month GROUP BY 2, 3
  UNION ALL
  SELECT 'user_day', workspace_id, date_trunc('month', day)::date,
  /* file: cube_sums */
  FROM analytics.user_day GROUP BY 2, 3
  UNION ALL
  SELECT 'user_month', workspace_id, month,
  /* file: cube_sums */
  FROM analytics.user_month GROUP BY 2, 3
  UNION ALL
  SELECT 'finance_day', workspace_id, date_trunc('month', day)::date,
  /* file: cube_sums */
  FROM analytics.finance_day GROUP BY 2, 3
  UNION ALL
  SELECT 'staff_day', 0::bigint, date_trunc('month', day)::date,
  /* file: cube_sums */
  FROM analytics.staff_day GROUP BY 2, 3
), whole AS (
  SELECT table_name, greatest(month, (SELECT month FROM kept WHERE table_name = 'usage')) AS month FROM kept
)
SELECT 'cube differs from usage' AS violation, table_name, workspace_id, month, e.request_count AS requests_of_usage,
       f.request_count AS requests_of_cube, e.charge_ucr AS charge_of_usage_ucr, f.charge_ucr AS charge_of_cube_ucr
FROM (SELECT e.* FROM expected e JOIN whole w USING (table_name) WHERE e.month >= w.month) e
FULL JOIN (SELECT f.* FROM found f JOIN whole w USING (table_name) WHERE f.month >= w.month) f
  USING (table_name, workspace_id, month)
WHERE (e.request_count, e.charge_ucr, e.cost_ucr, e.tokens, e.units, e.latency_count, e.times_ms)
  IS DISTINCT FROM (f.request_count, f.charge_ucr, f.cost_ucr, f.tokens, f.units, f.latency_count, f.times_ms)
UNION ALL
SELECT 'histogram of another size', h.table_name, h.workspace_id, h.month, count(*), NULL, NULL, NULL
FROM (
  SELECT 'cube_hour' AS table_name, workspace_id, (hour AT TIME ZONE 'UTC')::date AS month, latency_histogram,
         latency_count, first_byte_histogram, first_byte_count FROM analytics.cube_hour
  UNION ALL
  SELECT 'cube_day', workspace_id, day, latency_histogram, latency_count, first_byte_histogram, first_byte_count
  FROM analytics.cube_day
  UNION ALL
  SELECT 'cube_month', workspace_id, month, latency_histogram, latency_count, first_byte_histogram, first_byte_count
  FROM analytics.cube_month
  UNION ALL
  SELECT 'staff_day', 0::bigint, day, latency_histogram, latency_count, first_byte_histogram, first_byte_count
  FROM analytics.staff_day) h
WHERE (SELECT sum(e & 4194303) FROM unnest(h.latency_histogram) e) IS DISTINCT FROM h.latency_count
   OR (SELECT sum(e & 4194303) FROM unnest(h.first_byte_histogram) e) IS DISTINCT FROM h.first_byte_count
GROUP BY 2, 3, 4
UNION ALL
SELECT 'seal differs from finance', 'finance_day', s.workspace_id, s.month, s.request_count, f.request_count,
       s.charge_ucr + s.imported_ucr, f.charge_ucr
FROM analytics.month_seal s
LEFT JOIN found f ON f.table_name = 'finance_day' AND f.workspace_id = s.workspace_id AND f.month = s.month
WHERE s.month < (SELECT month FROM analytics.kept_from WHERE table_name = 'usage')
  AND (s.request_count, s.charge_ucr + s.imported_ucr, s.cost_ucr)
    IS DISTINCT FROM (f.request_count, f.charge_ucr, f.cost_ucr)
UNION ALL
SELECT 'no partition for next month', k.table_name, 0, n.month, NULL, NULL, NULL, NULL
FROM analytics.kept_from k,
     LATERAL (SELECT (date_trunc('month', now() AT TIME ZONE 'UTC') + interval '1 month')::date AS month) n
WHERE to_regclass(format('%I.%I', CASE k.table_name WHEN 'usage' THEN 'public' ELSE 'analytics' END,
                         k.table_name || to_char(n.month, '_YYYY_MM'))) IS NULL;

-- What cube_violations asks, of what was rolled since the last clean check: raw rows by the hour beside the hour's cells,
-- hours beside days, days beside months. Parameter: since, the transaction that the check ended before. Staff's and
-- finance's cubes are for the check of everything. Sums are LATERAL, so that only the hours, days and months in question
-- are read, by index.
single AS MATERIALIZED (
  SELECT DISTINCT u.workspace_id, c.time_zone, date_trunc('hour', u.at, c.time_zone) AS hour
  FROM public.usage u JOIN analytics.calendar c USING (workspace_id)
  WHERE u.transaction_id >= %(since)s
    AND u.transaction_id < (SELECT transaction_id FROM analytics.watermark WHERE name = 'usage')
), hours AS MATERIALIZED (
  SELECT * FROM single
  WHERE hour >= (SELECT month::timestamp AT TIME ZONE 'UTC' FROM analytics.kept_from WHERE table_name = 'cube_hour')
), days AS MATERIALIZED (
  SELECT DISTINCT workspace_id, time_zone, (hour AT TIME ZONE time_zone)::date AS day FROM hours
  WHERE (hour AT TIME ZONE time_zone)::date >= (
    SELECT max(month) + 31 FROM analytics.kept_from WHERE table_name IN ('cube_hour', 'cube_day', 'user_day'))
), months AS MATERIALIZED (
  SELECT DISTINCT workspace_id, date_trunc('month', day)::date AS month FROM days
  WHERE day >= (SELECT max(month) + 62 FROM analytics.kept_from WHERE table_name IN ('cube_day', 'user_day'))
), of_hours AS (
  SELECT h.workspace_id, h.hour, r.request_count, r.charge_ucr, r.cost_ucr, s.request_count AS cube_request_count,
         s.charge_ucr AS cube_charge_ucr, s.cost_ucr AS cube_cost_ucr
  FROM hours h CROSS JOIN LATERAL (
    SELECT coalesce(sum(request_count), 0) AS request_count, coalesce(sum(charge_ucr), 0) AS charge_ucr,
    coalesce(sum(cost_ucr), 0) AS cost_ucr
    FROM public.usage u
    WHERE u.workspace_id = h.workspace_id AND u.at >= h.hour AND u.at < h.hour + interval '1 hour'
      AND date_trunc('hour', u.at, h.time_zone) = h.hour
      AND u.transaction_id < (SELECT transaction_id FROM analytics.watermark WHERE name = 'usage')) r
  CROSS JOIN LATERAL (
    SELECT coalesce(sum(request_count), 0) AS request_count, coalesce(sum(charge_ucr), 0) AS charge_ucr,
    coalesce(sum(cost_ucr), 0) AS cost_ucr
    FROM analytics.cube_hour c WHERE c.workspace_id = h.workspace_id AND c.hour = h.hour) s
), of_days AS (
  SELECT 'cube_hour' AS table_name, d.workspace_id, d.day, s.request_count, s.charge_ucr, s.cost_ucr
  FROM days d CROSS JOIN LATERAL (
    SELECT coalesce(sum(request_count), 0) AS request_count, coalesce(sum(charge_ucr), 0) AS charge_ucr,
    coalesce(sum(cost_ucr), 0) AS cost_ucr
    FROM analytics.cube_hour c WHERE c.workspace_id = d.workspace_id
      AND c.hour >= (d.day - 1)::timestamp AT TIME ZONE 'UTC'
      AND c.hour < (d.day + 2)::timestamp AT TIME ZONE 'UTC' AND (c.hour AT TIME ZONE d.time_zone)::date = d.day) s
  UNION ALL
  SELECT 'cube_day' AS table_name, d.workspace_id, d.day, s.request_count, s.charge_ucr, s.cost_ucr
  FROM days d CROSS JOIN LATERAL (
    SELECT coalesce(sum(request_count), 0) AS request_count, coalesce(sum(charge_ucr), 0) AS charge_ucr,
    coalesce(sum(cost_ucr), 0) AS cost_ucr
    FROM analytics.cube_day c WHERE c.workspace_id = d.workspace_id AND c.day = d.day) s
  UNION ALL
  SELECT 'user_day' AS table_name, d.workspace_id, d.day, s.request_count, s.charge_ucr, s.cost_ucr
  FROM days d CROSS JOIN LATERAL (
    SELECT coalesce(sum(request_count), 0) AS request_count, coalesce(sum(charge_ucr), 0) AS charge_ucr,
    coalesce(sum(cost_ucr), 0) AS cost_ucr
    FROM analytics.user_day c WHERE c.workspace_id = d.workspace_id AND c.day = d.day) s
), of_months AS (
  SELECT 'cube_day' AS table_name, m.workspace_id, m.month, s.request_count, s.charge_ucr, s.cost_ucr
  FROM months m CROSS JOIN LATERAL (
    SELECT coalesce(sum(request_count), 0) AS request_count, coalesce(sum(charge_ucr), 0) AS charge_ucr,
    coalesce(sum(cost_ucr), 0) AS cost_ucr
    FROM analytics.cube_day c WHERE c.workspace_id = m.workspace_id
      AND c.day >= m.month AND c.day < (m.month + interval '1 month')::date) s
  UNION ALL
  SELECT 'cube_month' AS table_name, m.workspace_id, m.month, s.request_count, s.charge_ucr, s.cost_ucr
  FROM months m CROSS JOIN LATERAL (
    SELECT coalesce(sum(request_count), 0) AS request_count, coalesce(sum(charge_ucr), 0) AS charge_ucr,
    coalesce(sum(cost_ucr), 0) AS cost_ucr
    FROM analytics.cube_month c WHERE c.workspace_id = m.workspace_id AND c.month = m.month) s
  UNION ALL
  SELECT 'user_month' AS table_name, m.workspace_id, m.month, s.request_count, s.charge_ucr, s.cost_ucr
  FROM months m CROSS JOIN LATERAL (
    SELECT coalesce(sum(request_count), 0) AS request_count, coalesce(sum(charge_ucr), 0) AS charge_ucr,
    coalesce(sum(cost_ucr), 0) AS cost_ucr
    FROM analytics.user_month c WHERE c.workspace_id = m.workspace_id AND c.month = m.month) s
)
SELECT 'hour differs from usage' AS violation, workspace_id, hour::text AS bucket,
       'usage ' || request_count || ', cube_hour ' || cube_request_count AS requests,
       'usage ' || charge_ucr || ', cube_hour ' || cube_charge_ucr AS charged_ucr
FROM of_hours
WHERE (request_count, charge_ucr, cost_ucr) <> (cube_request_count, cube_charge_ucr, cube_cost_ucr)
UNION ALL
SELECT 'cubes of a day differ', workspace_id, day::text, string_agg(table_name || ' ' || request_count, ', '),
       string_agg(table_name || ' ' || charge_ucr, ', ')
FROM of_days GROUP BY workspace_id, day HAVING count(DISTINCT (request_count, charge_ucr, cost_ucr)) > 1
UNION ALL
SELECT 'cubes of a month differ', workspace_id, month::text, string_agg(table_name || ' ' || request_count, ', '),
       string_agg(table_name || ' ' || charge_ucr, ', ')
FROM of_months GROUP BY workspace_id, month HAVING count(DISTINCT (request_count, charge_ucr, cost_ucr)) > 1

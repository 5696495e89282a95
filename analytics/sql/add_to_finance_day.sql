INSERT INTO analytics.finance_day AS c (
  day, workspace_id, route_number, status, billing,
  /* file: measure_names */)
SELECT utc_day, workspace_id, route_number, status, billing,
  /* file: measure_sums */
FROM delta
WHERE utc_day >= (SELECT month FROM analytics.kept_from WHERE table_name = 'finance_day')
GROUP BY utc_day, workspace_id, route_number, status, billing
ORDER BY utc_day, workspace_id, route_number, status, billing
ON CONFLICT (day, workspace_id, route_number, status, billing) DO UPDATE SET
  /* file: measure_additions */

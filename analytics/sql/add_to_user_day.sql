INSERT INTO analytics.user_day AS c (
  workspace_id, user_number, day, app_number, route_number, status, billing,
  /* file: measure_names */)
SELECT workspace_id, user_number, day, app_number, route_number, status, billing,
  /* file: measure_sums */
FROM delta
WHERE day >= (SELECT month FROM analytics.kept_from WHERE table_name = 'user_day')
GROUP BY workspace_id, user_number, day, app_number, route_number, status, billing
ORDER BY workspace_id, user_number, day, app_number, route_number, status, billing
ON CONFLICT (workspace_id, user_number, day, app_number, route_number, status, billing) DO UPDATE SET
  /* file: measure_additions */

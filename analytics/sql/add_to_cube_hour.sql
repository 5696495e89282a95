INSERT INTO analytics.cube_hour AS c (
  workspace_id, hour, app_number, route_number, status, billing,
  /* file: measure_names */,
  latency_histogram, first_byte_histogram)
SELECT workspace_id, hour, app_number, route_number, status, billing,
  /* file: measure_sums */,
  /* file: histogram_sums */
FROM delta
WHERE hour >= (SELECT month::timestamp AT TIME ZONE 'UTC' FROM analytics.kept_from WHERE table_name = 'cube_hour')
GROUP BY workspace_id, hour, app_number, route_number, status, billing
ORDER BY workspace_id, hour, app_number, route_number, status, billing
ON CONFLICT (workspace_id, hour, app_number, route_number, status, billing) DO UPDATE SET
  /* file: measure_additions */,
  /* file: histogram_additions */

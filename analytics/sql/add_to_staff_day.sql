INSERT INTO analytics.staff_day AS c (
  day, route_number, status, billing,
  /* file: measure_names */,
  latency_histogram, first_byte_histogram)
SELECT utc_day, route_number, status, billing,
  /* file: measure_sums */,
  /* file: histogram_sums */
FROM delta
WHERE utc_day >= (SELECT month FROM analytics.kept_from WHERE table_name = 'staff_day')
GROUP BY utc_day, route_number, status, billing
ORDER BY utc_day, route_number, status, billing
ON CONFLICT (day, route_number, status, billing) DO UPDATE SET
  /* file: measure_additions */,
  /* file: histogram_additions */

INSERT INTO analytics.user_month AS c (
  workspace_id, month, app_number, user_number,
  /* file: measure_names */,
  failed_count, cancelled_count, interrupted_count, refused_count, byok_count)
SELECT workspace_id, month, app_number, user_number,
  /* file: measure_sums */,
  nullif(sum(request_count) FILTER (WHERE status = 'failed'), 0),
  nullif(sum(request_count) FILTER (WHERE status = 'cancelled'), 0),
  nullif(sum(request_count) FILTER (WHERE status = 'interrupted'), 0),
  nullif(sum(request_count) FILTER (WHERE status = 'refused'), 0),
  nullif(sum(request_count) FILTER (WHERE billing = 'byok'), 0)
FROM delta
WHERE month >= (SELECT month FROM analytics.kept_from WHERE table_name = 'user_month')
GROUP BY workspace_id, month, app_number, user_number
ORDER BY workspace_id, month, app_number, user_number
ON CONFLICT (workspace_id, month, app_number, user_number) DO UPDATE SET
  /* file: measure_additions */,
  failed_count = coalesce(c.failed_count + excluded.failed_count, c.failed_count, excluded.failed_count),
  cancelled_count = coalesce(c.cancelled_count + excluded.cancelled_count, c.cancelled_count, excluded.cancelled_count),
  interrupted_count = coalesce(c.interrupted_count + excluded.interrupted_count, c.interrupted_count,
                               excluded.interrupted_count),
  refused_count = coalesce(c.refused_count + excluded.refused_count, c.refused_count, excluded.refused_count),
  byok_count = coalesce(c.byok_count + excluded.byok_count, c.byok_count, excluded.byok_count)

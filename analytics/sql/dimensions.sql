-- What the cubes need before they take the rows in `fresh`: a calendar for each workspace, a number for each word. Only
-- who holds the watermark writes numbers, so looking first is safe, and needed: ON CONFLICT would use a number up
-- each time it finds one.
INSERT INTO analytics.calendar (workspace_id, time_zone)
SELECT f.workspace_id, analytics.zone_or_utc(w.time_zone)
FROM (SELECT DISTINCT workspace_id FROM fresh) f LEFT JOIN public.accounts_workspace w ON w.id = f.workspace_id
WHERE NOT EXISTS (SELECT FROM analytics.calendar c WHERE c.workspace_id = f.workspace_id)
ON CONFLICT (workspace_id) DO NOTHING;
INSERT INTO analytics.dimension_app (workspace_id, app_id)
SELECT workspace_id, app_id FROM (SELECT DISTINCT workspace_id, app_id FROM fresh) f
WHERE NOT EXISTS (SELECT FROM analytics.dimension_app d WHERE (d.workspace_id, d.app_id) = (f.workspace_id, f.app_id))
ORDER BY workspace_id, app_id;
INSERT INTO analytics.dimension_user (workspace_id, user_ref)
SELECT workspace_id, user_ref FROM (SELECT DISTINCT workspace_id, user_ref FROM fresh) f
WHERE NOT EXISTS (
  SELECT FROM analytics.dimension_user d WHERE (d.workspace_id, d.user_ref) = (f.workspace_id, f.user_ref))
ORDER BY workspace_id, user_ref;
INSERT INTO analytics.dimension_route (operation, kind, provider, model)
SELECT operation, kind, provider, model FROM (SELECT DISTINCT operation, kind, provider, model FROM fresh) f
WHERE NOT EXISTS (
  SELECT FROM analytics.dimension_route d
  WHERE (d.operation, d.kind, d.provider, d.model) = (f.operation, f.kind, f.provider, f.model))
ORDER BY operation, kind, provider, model;
CREATE TEMP TABLE delta ON COMMIT DROP AS
SELECT f.workspace_id, date_trunc('hour', f.at, c.time_zone) AS hour, x.day,
       (x.day - extract(day FROM x.day)::int + 1) AS month, (f.at AT TIME ZONE 'UTC')::date AS utc_day,
       a.number AS app_number, u.number AS user_number, r.number AS route_number, f.status, f.billing, f.request_count,
       f.input_tokens, f.cached_input_tokens, f.cache_write_tokens, f.output_tokens, f.reasoning_tokens, f.item_count,
       f.character_count, f.media_ms, f.cost_ucr, f.charge_ucr, f.latency_ms, f.first_byte_ms,
       analytics.latency_bucket(f.latency_ms) << 22 | 1 AS latency_entry,
       analytics.latency_bucket(f.first_byte_ms) << 22 | 1 AS first_byte_entry
FROM fresh f
JOIN analytics.calendar c ON c.workspace_id = f.workspace_id
JOIN analytics.dimension_app a ON a.workspace_id = f.workspace_id AND a.app_id = f.app_id
JOIN analytics.dimension_user u ON u.workspace_id = f.workspace_id AND u.user_ref = f.user_ref
JOIN analytics.dimension_route r ON r.operation = f.operation AND r.kind = f.kind AND r.provider = f.provider
  AND r.model = f.model
CROSS JOIN LATERAL (SELECT (f.at AT TIME ZONE c.time_zone)::date AS day) x

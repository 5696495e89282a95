-- Take over calls whose process is gone: fenced, so that its late heartbeat changes nothing.
-- Parameters: lease in seconds, most calls to take.
UPDATE gateway_call SET fence = fence + 1, lease_until = now() + make_interval(secs => %s)
WHERE id IN (
  SELECT id FROM gateway_call
  WHERE state = 'open' AND lease_until < now() - interval '10 seconds'
    AND pg_postmaster_start_time() < now() - interval '15 seconds'
  ORDER BY lease_until LIMIT %s FOR UPDATE SKIP LOCKED)
RETURNING id, workspace_id, provider, model, price_version, markup_bp, input_estimate, checkpoint_tokens,
  (extract(epoch FROM now() - started_at) * 1000)::int, app_key_id IS NOT NULL

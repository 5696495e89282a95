-- Lease one run that is due: whoever held it before can no longer write (fence), and nobody else gets it while the
-- heartbeat goes on. A message that comes twice, late, or for a run that is done finds nothing. Parameters: lease in
-- seconds, run.
UPDATE gateway_jobrun r
SET fence = r.fence + 1, lease_until = now() + l.long, next_at = now() + l.long, rung_until = NULL
FROM gateway_job j, (SELECT make_interval(secs => %s) AS long) l
WHERE r.id = %s AND j.id = r.job_id AND r.next_at <= now()
  AND r.state IN ('queued', 'submitting', 'unknown', 'running', 'storing')
RETURNING r.id, r.job_id, r.number, r.fence, r.state, r.item_count, r.attempts, r.route_position, r.upstream_id,
  r.calls_back, r.polls, r.progress, r.answer, r.cancel_sent_at IS NOT NULL,
  COALESCE(extract(epoch FROM now() - r.submitted_at), 0)::float8,
  COALESCE(extract(epoch FROM now() - r.answered_at), 0)::float8,
  j.state, j.workspace_id, j.operation, j.billing, j.routes::text, j.request, j.user_keys, j.price_version, j.markup_bp,
  j.cancel_requested_at IS NOT NULL, extract(epoch FROM j.deadline_at - now())::float8,
  (SELECT COALESCE(sum(p.item_count), 0) FROM gateway_jobrun p WHERE p.job_id = r.job_id AND p.number < r.number)::int

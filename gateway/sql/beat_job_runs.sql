-- Heartbeat of the runs that one process works on: those that are still its own stay so. Parameters: runs, fences, lease
-- in seconds.
UPDATE gateway_jobrun r SET lease_until = now() + l.long, next_at = now() + l.long
FROM unnest(%s::uuid[], %s::int[]) AS i(id, fence), (SELECT make_interval(secs => %s) AS long) l
WHERE r.id = i.id AND r.fence = i.fence AND r.lease_until IS NOT NULL
  AND r.state IN ('queued', 'submitting', 'unknown', 'running', 'storing')

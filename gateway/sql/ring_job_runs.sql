-- Take note that workers are called for runs that are due. Whoever is not heard of is called again after 30 s; a run
-- whose worker died is due when its lease ends. Parameter: most runs to take.
UPDATE gateway_jobrun SET rung_until = now() + interval '30 seconds'
WHERE id IN (
  SELECT id FROM gateway_jobrun
  WHERE state IN ('queued', 'submitting', 'unknown', 'running', 'storing')
    AND next_at <= now() AND (rung_until IS NULL OR rung_until <= now())
  ORDER BY next_at LIMIT %s FOR UPDATE SKIP LOCKED)
RETURNING id

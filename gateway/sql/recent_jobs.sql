-- What job_checks.sql looks at when little has changed: open jobs, and those that began since the last clean check or
-- little before, since none lasts longer. Parameter: begun, the time from which on they may have begun.
jobs AS MATERIALIZED (
  SELECT * FROM gateway_job WHERE id IN (
    SELECT id FROM gateway_job WHERE id >= (SELECT uuidv7(%(begun)s - now()))
    UNION
    SELECT id FROM gateway_job WHERE state IN ('queued', 'running'))
)

-- All jobs are looked at.
jobs AS MATERIALIZED (SELECT * FROM gateway_job)

-- Empty, or a picture that a caller sent in is kept though nobody may work on it any more: it goes with its job's request.
CREATE VIEW input_violations AS
SELECT 'input kept without its request' AS violation, a.workspace_id, a.job_id, a.id::text AS detail
FROM gateway_asset a JOIN gateway_job j ON j.id = a.job_id
WHERE a.is_input AND a.deleted_at IS NULL AND j.request IS NULL

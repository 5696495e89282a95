-- T1 of jobs: call rows, jobs, their runs and first events, in the transaction that held their credits. The first part
-- (hold_verdicts.sql, or open_verdicts.sql for jobs that hold nothing) gives one verdict per job; no row is written
-- without `held`. The runs are the outbox: they are due at once, and the ring calls workers for what nobody began.
-- The call's lease outlives the job's deadline: until then the jobs' own sweep ends it, and the resolver of dead calls
-- leaves it alone. Parameters: what the verdicts take, then gateway/jobs/statements.py's document.
WITH v AS MATERIALIZED (
  /* verdicts */
), i AS MATERIALIZED (
  SELECT x.*
  FROM v JOIN jsonb_to_recordset(%s::jsonb) AS x(
    n int, id uuid, workspace_id bigint, app_key_id bigint, app_id text, user_ref text, surface text, operation text,
    kind text, channel text, provider text, model text, billing text, sandbox boolean, hold_ucr bigint,
    price_version int, markup_bp int, idempotency_digest text, request_digest text, item_count smallint,
    parameters jsonb, routes jsonb, request text, user_keys text, deadline_s int, lease_s int, runs jsonb) ON x.n = v.n
  WHERE v.verdict = 'held'
), c AS (
  INSERT INTO gateway_call (
    workspace_id, id, hold_ucr, price_version, markup_bp, app_key_id, input_estimate, app_id, user_ref, surface,
    operation, kind, channel, provider, model, idempotency_digest, request_digest, billing, attempts, state, fence,
    lease_until, checkpoint_tokens, answer_media_type, started_at)
  SELECT workspace_id, id, hold_ucr, price_version, markup_bp, app_key_id, 0, app_id, user_ref, surface, operation, kind,
         channel, provider, model, decode(idempotency_digest, 'hex'), decode(request_digest, 'hex'), billing, 1, 'open',
         0, now() + make_interval(secs => lease_s), 0, '', now()
  FROM i
), j AS (
  INSERT INTO gateway_job (
    id, workspace_id, app_key_id, app_id, user_ref, surface, operation, kind, channel, model, billing, sandbox, state,
    version, progress, item_count, made_count, parameters, routes, request, user_keys, hold_ucr, charge_ucr,
    price_version, markup_bp, result, failure_code, failure_text, failure_status, deadline_at, created_at)
  SELECT id, workspace_id, app_key_id, app_id, user_ref, surface, operation, kind, channel, model, billing, sandbox,
         'queued', 1, 0, item_count, 0, parameters, routes, decode(request, 'base64'), decode(user_keys, 'base64'),
         hold_ucr, 0, price_version, markup_bp, '[]', '', '', 0, now() + make_interval(secs => deadline_s), now()
  FROM i
  RETURNING *
), r AS (
  INSERT INTO gateway_jobrun (
    id, job_id, number, item_count, state, fence, next_at, rung_until, attempts, attempt_log, route_position,
    upstream_id, calls_back, polls, progress, made, use, charge_ucr, cost_ucr, failure_code, failure_text,
    failure_status)
  SELECT x.id, i.id, x.number, x.item_count, 'queued', 0, now(), now() + interval '2 seconds', 0, '[]', 0, '', false, 0,
         0, '[]', '{}', 0, 0, '', '', 0
  FROM i, jsonb_to_recordset(i.runs) AS x(id uuid, number smallint, item_count smallint)
), e AS (
  INSERT INTO gateway_jobevent (job_id, at, what, public, detail)
  SELECT id, now(), 'created', true, '{}' FROM i
)
SELECT v.verdict, v.available, /* columns */ FROM v LEFT JOIN i ON i.n = v.n LEFT JOIN j ON j.id = i.id ORDER BY v.n

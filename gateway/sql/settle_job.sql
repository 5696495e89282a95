-- The end of a job's money: settle in the ledger, finish the call row, write the usage row, count the spend of the key
-- and of caps per window (count_budgets.sql). As settle_calls.sql, for one job: files and lengths instead of tokens.
-- The call row leaves `open` once, and the usage row is written where it does. Where the resolver of dead calls came
-- first (nothing of ours ran for ten minutes after the deadline), nothing is charged and nothing written.
-- The first part is settle_verdicts.sql, or finish_verdicts.sql for jobs that held nothing. An Idempotency-Key stays:
-- whoever repeats it gets this job. Parameters: gateway/jobs/settling.py.
WITH v AS MATERIALIZED (
  /* verdicts */
), c AS (
  UPDATE gateway_call c SET
    state = i.state, finished_at = now(), attempts = i.attempts, provider = i.provider, model = i.model,
    answer_status = i.http_status
  FROM v, (SELECT %s::uuid AS id, %s::text AS state, %s::text AS reason, %s::int AS http_status, %s::int AS attempts,
                  %s::text AS provider, %s::text AS model, %s::bigint AS cost_ucr, %s::int AS item_count,
                  %s::int AS media_ms, %s::int AS character_count, %s::text AS usage_source, %s::jsonb AS attempt_log) i
  WHERE c.id = i.id AND c.state = 'open' AND (v.fresh OR v.verdict = 'lapse')
  RETURNING c.*, v.charged, i.reason, i.http_status, i.cost_ucr, i.item_count, i.media_ms, i.character_count,
    i.usage_source, i.attempt_log
), u AS (
  INSERT INTO usage (
    request_id, started_at, workspace_id, app_key_id, app_id, user_ref, surface, operation, kind, channel, provider,
    model, status, reason, billing, attempts, http_status, price_version, markup_bp, cost_ucr, charge_ucr, item_count,
    media_ms, character_count, usage_source, latency_ms, attempt_log)
  SELECT id, started_at, workspace_id, app_key_id, app_id, user_ref, surface, operation, kind, channel, provider,
    model, state, reason, billing, attempts, http_status, price_version, markup_bp, cost_ucr, charged, item_count,
    media_ms, character_count, usage_source,
    LEAST(extract(epoch FROM now() - started_at) * 1000, 2147483647)::int, attempt_log
  FROM c
), k AS (
  UPDATE accounts_appkey a SET spent_ucr = a.spent_ucr + c.charged
  FROM c WHERE a.id = c.app_key_id AND a.spend_cap_ucr IS NOT NULL AND c.charged > 0
/* counts */)
SELECT verdict, fresh, charged, available, (SELECT count(*) FROM c) FROM v

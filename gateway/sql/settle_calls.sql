-- T2: settle in the ledger, finish the call rows, write the usage rows, count the spend of capped keys; with
-- count_budgets.sql, which costs a tenth of all this, also that of caps per window, where a workspace has some.
-- A call row leaves `open` once, and the usage row is written where it does: also for a late settle (verdict lapse),
-- which charges nothing and keeps the cost. Where calls make sound, its characters and length come with them. The first part is settle_verdicts.sql, or finish_verdicts.sql for calls
-- that held nothing. Parameters: gateway/statements.py, settle_parameters.
WITH v AS MATERIALIZED (
  /* verdicts */
), i AS (
  SELECT v.verdict, v.fresh, v.charged, i.*
  FROM v JOIN unnest(
    %s::uuid[], %s::bigint[], %s::text[], %s::text[], %s::int[], %s::int[], %s::int[], %s::int[], %s::int[],
    %s::int[], %s::text[], %s::int[], %s::int[], %s::int[], %s::bool[], %s::bool[], %s::bytea[], %s::text[],
    %s::text[], %s::text[], %s::jsonb[], %s::int[], %s::int[]/* made arrays */
  ) WITH ORDINALITY i(
    id, cost_ucr, state, reason, http_status, input_tokens, cached_input_tokens, cache_write_tokens,
    output_tokens, reasoning_tokens, usage_source, latency_ms, first_byte_ms, attempts, capped, keep_answer, answer,
    answer_media_type, provider, model, attempt_log, counted_input_tokens, counted_output_tokens/* made names */, n) ON i.n = v.n
), c AS (
  UPDATE gateway_call c SET
    state = i.state, finished_at = now(), attempts = i.attempts, provider = i.provider, model = i.model,
    idempotency_digest = CASE WHEN i.keep_answer THEN c.idempotency_digest END,
    answer = i.answer, answer_status = i.http_status, answer_media_type = i.answer_media_type
  FROM i
  WHERE c.id = i.id AND c.state = 'open' AND (i.fresh OR i.verdict = 'lapse')
  RETURNING c.id, c.workspace_id, c.app_key_id, c.app_id, c.user_ref, c.surface, c.operation, c.kind, c.channel,
    c.provider, c.model, c.billing, c.price_version, c.markup_bp, c.started_at,
    i.charged, i.cost_ucr, i.state, i.reason, i.http_status, i.input_tokens, i.cached_input_tokens,
    i.cache_write_tokens, i.output_tokens, i.reasoning_tokens, i.usage_source, i.latency_ms, i.first_byte_ms,
    i.attempts, i.capped, i.attempt_log, i.counted_input_tokens, i.counted_output_tokens/* made values */
), u AS (
  INSERT INTO usage (
    request_id, started_at, workspace_id, app_key_id, app_id, user_ref, surface, operation, kind, channel, provider,
    model, status, reason, billing, attempts, http_status, price_version, markup_bp, cost_ucr, charge_ucr,
    input_tokens, cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens, usage_source, latency_ms,
    first_byte_ms, attempt_log, counted_input_tokens, counted_output_tokens/* made names */)
  SELECT id, started_at, workspace_id, app_key_id, app_id, user_ref, surface, operation, kind, channel, provider,
    model, state, reason, billing, attempts, http_status, price_version, markup_bp, cost_ucr, charged,
    input_tokens, cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens, usage_source, latency_ms,
    first_byte_ms, attempt_log, counted_input_tokens, counted_output_tokens/* made names */
  FROM c
), k AS (
  UPDATE accounts_appkey a SET spent_ucr = a.spent_ucr + x.charged
  FROM (SELECT app_key_id, sum(charged) AS charged FROM c WHERE capped GROUP BY app_key_id) x
  WHERE a.id = x.app_key_id
/* counts */)
SELECT verdict, fresh, charged, available FROM v ORDER BY n

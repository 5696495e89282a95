-- T1: write the call rows of what was held, in the transaction that held it. The first part (hold_verdicts.sql, or
-- open_verdicts.sql for calls that hold nothing) gives one verdict per call.
-- Parameters: gateway/statements.py, hold_parameters.
WITH v AS MATERIALIZED (
  /* verdicts */
), c AS (
  INSERT INTO gateway_call (
    workspace_id, id, hold_ucr, price_version, markup_bp, app_key_id, input_estimate, app_id, user_ref, surface,
    operation, kind, channel, provider, model, idempotency_digest, request_digest, billing, attempts, state, fence,
    lease_until, checkpoint_tokens, answer_media_type, started_at)
  SELECT i.workspace_id, i.id, i.hold_ucr, i.price_version, i.markup_bp, i.app_key_id, i.input_estimate, i.app_id,
         i.user_ref, i.surface, i.operation, i.kind, i.channel, i.provider, i.model, i.idempotency_digest,
         i.request_digest, i.billing, 1, 'open', 0, now() + make_interval(secs => %s), 0, '', now()
  FROM v JOIN unnest(
    %s::bigint[], %s::uuid[], %s::bigint[], %s::int[], %s::int[], %s::bigint[], %s::int[], %s::text[], %s::text[],
    %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bytea[], %s::bytea[], %s::text[]
  ) WITH ORDINALITY i(
    workspace_id, id, hold_ucr, price_version, markup_bp, app_key_id, input_estimate, app_id, user_ref, surface,
    operation, kind, channel, provider, model, idempotency_digest, request_digest, billing, n) ON i.n = v.n
  WHERE v.verdict = 'held'
)
SELECT verdict, available FROM v ORDER BY n

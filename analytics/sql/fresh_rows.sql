-- The rows that go into the cubes, once; what follows reads them here. The condition is appended.
CREATE TEMP TABLE fresh ON COMMIT DROP AS
SELECT at, workspace_id, app_id, user_ref, operation, kind, provider, model, status::analytics.status AS status,
       billing::analytics.billing AS billing, request_count, input_tokens, cached_input_tokens, cache_write_tokens,
       output_tokens, reasoning_tokens, item_count, character_count, media_ms, cost_ucr, charge_ucr, latency_ms,
       first_byte_ms
FROM public.usage
WHERE 

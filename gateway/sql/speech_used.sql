-- What a workspace used of providers through the speech API since the month began (UTC), from its usage rows.
-- Models that are billed by characters have no tokens: their characters stand for them, as Baseten counts them.
-- Parameters: workspace_id, providers.
SELECT provider, sum(request_count)::bigint,
  sum(coalesce(nullif(coalesce(input_tokens, 0) + coalesce(output_tokens, 0), 0), character_count, 0))::bigint
FROM usage
WHERE workspace_id = %(workspace_id)s AND surface = 'speech' AND provider = ANY(%(providers)s)
  AND at >= date_trunc('month', now(), 'UTC') AND billing <> 'none' AND status <> 'refused'
GROUP BY provider

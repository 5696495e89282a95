-- How far our own token counts are from the providers', per day and model over a week: what bounds and estimates are
-- judged by. Input is estimated for every call, output is counted where it was streamed; each is compared on the calls
-- that have both figures. security_invoker: the reader's own rights count.
CREATE VIEW public.analytics_tokendrift WITH (security_invoker = true) AS
SELECT to_char(u.day, 'YYYY-MM-DD') || '_' || u.provider || '_' || u.model AS key, u.*,
       round((u.counted_input_tokens - u.input_tokens) * 100.0 / NULLIF(u.input_tokens, 0), 2) AS input_drift_percent,
       round((u.counted_output_tokens - u.output_tokens) * 100.0 / NULLIF(u.output_tokens, 0), 2) AS output_drift_percent
FROM (
  SELECT (at AT TIME ZONE 'UTC')::date AS day, provider, model, count(*) AS request_count,
         sum(input_tokens) FILTER (WHERE counted_input_tokens IS NOT NULL) AS input_tokens,
         sum(counted_input_tokens) AS counted_input_tokens,
         sum(output_tokens) FILTER (WHERE counted_output_tokens IS NOT NULL) AS output_tokens,
         sum(counted_output_tokens) AS counted_output_tokens
  FROM public.usage
  WHERE at >= now() - interval '7 days' AND usage_source = 'provider'
  GROUP BY 1, 2, 3
) u;
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'studio_app') AND current_user <> 'studio_app' THEN
    GRANT SELECT ON public.analytics_tokendrift TO studio_app;
  END IF;
END $$;

-- What came before the answer, and our own counts beside the provider's.
ALTER TABLE public.usage
  ADD COLUMN attempt_log jsonb,                           -- [{provider, model, code, status, after_ms}], failed attempts
  ADD COLUMN counted_input_tokens int,                    -- by us, offline; beside the provider's figures above
  ADD COLUMN counted_output_tokens int;
DROP VIEW public.analytics_usage;

-- One row per finished call, or per minute of counted refusals. Partitioned by UTC month of `at`; no default partition,
-- so that a row without a home fails loudly instead of blocking the month's partition later.
CREATE TABLE public.usage (
  at timestamptz NOT NULL DEFAULT now(),                  -- when it was settled: the ledger entry's own time
  request_id uuid NOT NULL,
  transaction_id bigint NOT NULL DEFAULT public.usage_transaction_id(),
  started_at timestamptz,
  workspace_id bigint NOT NULL,
  app_key_id bigint,
  app_id text NOT NULL DEFAULT 'unknown',                 -- labels the caller sent; they never decide anything
  user_ref text NOT NULL DEFAULT '',
  surface text NOT NULL,                                  -- words, not ids: raw rows are read on their own
  operation text NOT NULL,
  kind text NOT NULL,
  channel text NOT NULL,
  provider text NOT NULL DEFAULT '',
  model text NOT NULL DEFAULT '',
  status text NOT NULL CHECK (status IN ('succeeded', 'failed', 'cancelled', 'interrupted', 'refused')),
  reason text NOT NULL DEFAULT '',                        -- error or refusal code
  billing text NOT NULL CHECK (billing IN ('credits', 'byok', 'house', 'imported', 'none')),
  request_count int NOT NULL DEFAULT 1 CHECK (request_count >= 0),  -- 0: a correction; n: that many refusals
  attempts smallint NOT NULL DEFAULT 1 CHECK (attempts >= 0),
  http_status smallint,
  price_version int,
  markup_bp int,
  cost_ucr bigint NOT NULL DEFAULT 0,                     -- what the provider bills us
  charge_ucr bigint NOT NULL DEFAULT 0,                   -- what the workspace paid
  input_tokens int,                                       -- NULL: not measured, or has no meaning here
  cached_input_tokens int,
  cache_write_tokens int,
  output_tokens int,
  reasoning_tokens int,
  item_count int,
  character_count int,
  media_ms int,
  usage_source text NOT NULL DEFAULT 'provider' CHECK (usage_source IN ('provider', 'counted', 'none')),
  latency_ms int,
  first_byte_ms int,
  -- Negative amounts only in corrections (refunds, later).
  CONSTRAINT usage_amounts_are_not_negative CHECK ((charge_ucr >= 0 AND cost_ucr >= 0) OR request_count = 0),
  CONSTRAINT usage_charges_only_credits CHECK (charge_ucr = 0 OR billing IN ('credits', 'imported')),
  CONSTRAINT usage_of_a_refusal_costs_nothing CHECK (status <> 'refused' OR (charge_ucr = 0 AND cost_ucr = 0))
) PARTITION BY RANGE (at);

CREATE UNIQUE INDEX usage_request ON public.usage (request_id, at);
CREATE INDEX usage_workspace ON public.usage (workspace_id, at);
CREATE INDEX usage_workspace_trouble ON public.usage (workspace_id, at) WHERE status <> 'succeeded';
CREATE INDEX usage_workspace_user ON public.usage (workspace_id, hashtext(user_ref), at);
-- Without autosummarize the new tail would be unsummarised, hence always read, until the next vacuum.
CREATE INDEX usage_transaction ON public.usage USING brin (transaction_id) WITH (pages_per_range = 32, autosummarize = on);

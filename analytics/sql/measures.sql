  request_count bigint NOT NULL DEFAULT 0,                -- calls and counted refusals; a correction counts none
  input_tokens bigint,                                    -- from here on NULL is zero: it takes no room
  cached_input_tokens bigint,
  cache_write_tokens bigint,
  output_tokens bigint,
  reasoning_tokens bigint,
  item_count bigint,
  character_count bigint,
  media_ms bigint,
  cost_ucr bigint,
  charge_ucr bigint,                                      -- below zero where refunds outweigh charges
  latency_count bigint,                                   -- of how many rows latency_sum_ms is the sum
  latency_sum_ms bigint,
  first_byte_count bigint,
  first_byte_sum_ms bigint

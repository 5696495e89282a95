request_count, input_tokens, cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens, item_count,
  character_count, media_ms, cost_ucr, charge_ucr, latency_count, latency_sum_ms, first_byte_count, first_byte_sum_ms

sum(request_count) AS request_count, coalesce(sum(charge_ucr), 0) AS charge_ucr, coalesce(sum(cost_ucr), 0) AS cost_ucr,
  coalesce(sum(input_tokens), 0) + coalesce(sum(cached_input_tokens), 0) + coalesce(sum(cache_write_tokens), 0)
  + coalesce(sum(output_tokens), 0) + coalesce(sum(reasoning_tokens), 0) AS tokens,
  coalesce(sum(item_count), 0) + coalesce(sum(character_count), 0) + coalesce(sum(media_ms), 0) AS units,
  coalesce(sum(latency_count), 0) AS latency_count,
  coalesce(sum(latency_sum_ms), 0) + coalesce(sum(first_byte_sum_ms), 0) AS times_ms

sum(request_count), nullif(sum(input_tokens), 0), nullif(sum(cached_input_tokens), 0),
  nullif(sum(cache_write_tokens), 0), nullif(sum(output_tokens), 0), nullif(sum(reasoning_tokens), 0),
  nullif(sum(item_count), 0), nullif(sum(character_count), 0), nullif(sum(media_ms), 0), nullif(sum(cost_ucr), 0),
  nullif(sum(charge_ucr), 0), nullif(count(latency_ms), 0), nullif(sum(latency_ms), 0),
  nullif(count(first_byte_ms), 0), nullif(sum(first_byte_ms), 0)

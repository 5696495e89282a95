CASE WHEN count(latency_entry) > 32
       THEN analytics.merge_histogram(array_agg(latency_entry) FILTER (WHERE latency_entry IS NOT NULL))
       ELSE array_agg(latency_entry) FILTER (WHERE latency_entry IS NOT NULL) END,
  CASE WHEN count(first_byte_entry) > 32
       THEN analytics.merge_histogram(array_agg(first_byte_entry) FILTER (WHERE first_byte_entry IS NOT NULL))
       ELSE array_agg(first_byte_entry) FILTER (WHERE first_byte_entry IS NOT NULL) END

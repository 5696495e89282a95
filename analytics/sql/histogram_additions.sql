latency_histogram = analytics.add_histograms(c.latency_histogram, excluded.latency_histogram),
  first_byte_histogram = analytics.add_histograms(c.first_byte_histogram, excluded.first_byte_histogram)

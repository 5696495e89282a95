"""The llm surface, under /api/v1/llm/: errors are `{"detail": "message"}`."""

"""The studio surface (docs/api/studio.md): /health, /v1/validate, /v1/models, /v1/chat,
/v1/credits.
"""

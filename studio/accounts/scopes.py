"""What a key may be allowed to do, as words."""

KEY_MANAGEMENT = "keys:manage"
CLIENT_SCOPES = ("chat", "models", "images", "audio", "jobs", "realtime")
"""The most that sessions of a publishable key may do: anyone can take such a key out of an app."""
DEFAULT_SCOPES = (*CLIENT_SCOPES, "credits:read", "analytics:read")
ALL_SCOPES = (*DEFAULT_SCOPES, KEY_MANAGEMENT)

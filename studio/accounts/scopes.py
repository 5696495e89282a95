"""What a key may be allowed to do, as words."""

KEY_MANAGEMENT = "keys:manage"
CLIENT_SCOPES = ("chat", "models", "images", "audio", "jobs", "realtime")
"""The most that sessions of a publishable key may do: anyone can take such a key out of an app."""
DEFAULT_SCOPES = (*CLIENT_SCOPES, "credits:read", "analytics:read")
BILLING = "billing"
"""To buy credit and to say when a saved card is charged."""
KEY_SCOPES = (*DEFAULT_SCOPES, BILLING)
"""What a new secret key may do. The bearer of a JWT, a user of an app, has it by a claim alone."""
ALL_SCOPES = (*KEY_SCOPES, KEY_MANAGEMENT)

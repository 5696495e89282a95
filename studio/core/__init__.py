"""What every app may import and what imports no app: errors, ids, money, secrets,
redaction.

No models, no Django views, no settings beyond what is passed in.
"""

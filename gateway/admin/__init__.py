"""What staff see of the gateway: catalogue, voices, calls, receipts, files, jobs, personas,
webhooks, providers.
"""

from gateway.admin import assets, calls, catalogue, jobs, personas, providers, voices, webhooks

__all__ = ["assets", "calls", "catalogue", "jobs", "personas", "providers", "voices", "webhooks"]

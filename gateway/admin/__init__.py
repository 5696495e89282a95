"""What staff see of the gateway: catalogue, calls, receipts, files, jobs, webhooks, providers."""

from gateway.admin import assets, calls, catalogue, jobs, providers, webhooks

__all__ = ["assets", "calls", "catalogue", "jobs", "providers", "webhooks"]

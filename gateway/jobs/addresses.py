"""The address at which a provider may tell us that a run ended: one per run, signed.

Whoever knows it can make us ask the provider for that run, and nothing else. It is given out only
where the provider can reach us (`PUBLIC_URL`).
"""

import hashlib
import hmac
from uuid import UUID

from django.conf import settings

from gateway.transport import Upstream

_PURPOSE = b"job-callback:"


def callback_url(upstream: Upstream, run_id: UUID) -> str:
    """Give the address for a run; empty if nobody outside can reach us."""
    if not settings.PUBLIC_URL:
        return ""
    signature = _signature(upstream.provider.slug, run_id)
    base = settings.PUBLIC_URL.rstrip("/")
    return f"{base}/hooks/{upstream.provider.slug}/{run_id}.{signature}"


def is_signed(provider: str, run_id: UUID, signature: str) -> bool:
    """Tell whether an address is one of ours."""
    return hmac.compare_digest(_signature(provider, run_id).encode(), signature.encode())


def _signature(provider: str, run_id: UUID) -> str:
    text = _PURPOSE + provider.encode() + b":" + run_id.bytes
    return hmac.new(settings.VAULT_SECRET.encode(), text, hashlib.sha256).hexdigest()[:40]

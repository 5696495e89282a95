"""How a provider's failure is told to a caller whose own key the call went by."""

from gateway.errors import UserKeyRefused, UserQuotaExceeded, UserRateLimited
from gateway.providers.base import (
    UpstreamError,
    UpstreamFailure,
    UpstreamOverloaded,
    UpstreamQuota,
)
from gateway.transport import Upstream

_KEY_REFUSED = (400, 401, 403)
"""Of a failure that is nobody's request: Google and xAI answer 400 for a key they do not know."""


def as_told(upstream: Upstream, failure: UpstreamFailure) -> UpstreamFailure:
    """Give the failure as the caller is told it: with a key of its own, it can do something."""
    if not upstream.user_key:
        return failure
    header, status = f"x-user-{upstream.provider.slug}-key", failure.provider_status
    if isinstance(failure, UpstreamQuota):
        return UserQuotaExceeded(
            f"The quota of the key in {header} is used up.", provider_status=status
        )
    if isinstance(failure, UpstreamError) and status in _KEY_REFUSED:
        return UserKeyRefused(
            f"The provider does not accept the key in {header}.", provider_status=status
        )
    if isinstance(failure, UpstreamOverloaded) and status == 429:
        return UserRateLimited(
            f"The provider limits the rate of the key in {header}.",
            provider_status=status,
            retry_after_s=failure.retry_after_s,
        )
    return failure

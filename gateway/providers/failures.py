"""What can go wrong upstream, as our callers are told: never with a host, a key or an id of theirs.

Which HTTP status means what is decided here once for all providers; words only some of them use
are theirs to read.
"""

import math
import re
from collections.abc import Mapping

from msgspec import Struct

from studio.core.errors import GatewayError, Scalar
from studio.core.redaction import clean_provider_message

_IDS = re.compile(
    r"\b(?:req|org|proj|user|file|asst|thread|run|resp|chatcmpl|batch|call|key|fp)[-_]"
    r"(?=[A-Za-z]*[0-9])[A-Za-z0-9]{8,}|\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b"
)
"""What looks like an id of theirs: a known prefix with digits behind it, or a uuid."""
_MAX_RETRY_AFTER_S = 3600
_OVERLOADED_RETRY_S = 5


class UpstreamFailure(GatewayError):
    """A provider did not do its part. `provider_status` is its HTTP status, if there was one.

    `retry_after_s` (whole seconds) becomes the `Retry-After` header.
    """

    code = "upstream_error"
    status = 502

    def __init__(
        self,
        message: str,
        *,
        provider_status: int | None = None,
        retry_after_s: int | None = None,
        details: Mapping[str, Scalar] | None = None,
    ) -> None:
        headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
        super().__init__(message, headers=headers, details=details)
        self.provider_status = provider_status
        self.retry_after_s = retry_after_s


class UpstreamError(UpstreamFailure):
    """The provider failed, or refused us rather than the request. `retryable` depends on which."""

    def __init__(
        self,
        message: str,
        *,
        provider_status: int | None = None,
        retry_after_s: int | None = None,
        retryable: bool = False,
    ) -> None:
        super().__init__(message, provider_status=provider_status, retry_after_s=retry_after_s)
        self.retryable = retryable


class UpstreamUnreachable(UpstreamFailure):
    """No connection, or it broke before the answer was whole."""

    retryable = True


class UpstreamTimeout(UpstreamFailure):
    """The provider was silent for too long."""

    code = "upstream_timeout"
    status = 504
    retryable = True


class UpstreamOverloaded(UpstreamFailure):
    """The provider is out of capacity for us right now."""

    code = "upstream_overloaded"
    status = 503
    retryable = True


class UpstreamQuota(UpstreamFailure):
    """Our account with the provider is used up; waiting does not help."""

    code = "upstream_quota"
    status = 503


class UpstreamInvalid(UpstreamFailure):
    """The provider answered something that is no answer."""

    code = "upstream_invalid_response"


class UpstreamRefused(UpstreamFailure):
    """The provider found the request itself at fault; its words, cleaned, are for the caller."""

    code = "invalid_request_error"
    status = 400


class ErrorWords(Struct, frozen=True, kw_only=True):
    """What a provider's error body says, uncleaned; empty where it says nothing."""

    message: str = ""
    param: str = ""
    kind: str = ""
    quota: bool = False


def failure_for(
    status: int, headers: Mapping[str, str], words: ErrorWords, *, hosts: tuple[str, ...]
) -> UpstreamFailure:
    """Turn a provider's HTTP error into ours. `headers` are looked up in lower case."""
    retry_after_s = read_retry_after(headers)
    if status in (400, 413, 415, 422):
        return _refused(status, words, hosts)
    if status in (408, 504):
        return UpstreamTimeout("The provider did not answer in time.", provider_status=status)
    if status == 429 and words.quota:
        return UpstreamQuota(
            "The gateway's quota with the provider is used up.", provider_status=status
        )
    if status in (429, 529):
        return UpstreamOverloaded(
            "The provider is overloaded. Please try again later.",
            provider_status=status,
            retry_after_s=_OVERLOADED_RETRY_S if retry_after_s is None else retry_after_s,
        )
    if status in (401, 403):
        text = "The provider did not accept the gateway's credentials."
    elif status == 404:
        text = "The provider does not know this model."
    else:
        text = "The provider failed to answer."
    return UpstreamError(
        text,
        provider_status=status,
        retry_after_s=retry_after_s,
        retryable=_may_retry(status, headers),
    )


def read_retry_after(headers: Mapping[str, str]) -> int | None:
    """Read when to come back, in whole seconds, at most an hour; None where it is not said.

    Dates are not read. Source: `openai` Python SDK 3.52.0, `_base_client.py`.
    """
    for name, per_second in (("retry-after-ms", 1000), ("retry-after", 1)):
        try:
            seconds = float(headers.get(name, "")) / per_second
        except ValueError:
            continue
        if 0 <= seconds < math.inf:
            return min(math.ceil(seconds), _MAX_RETRY_AFTER_S)
    return None


def shown(text: str, hosts: tuple[str, ...]) -> str:
    """Make a provider's words fit for our callers: no address, key, id or host of its own."""
    text = _IDS.sub("[id]", clean_provider_message(text[:4000]))
    for host in hosts:
        domain = re.escape(".".join(host.split(".")[-2:]))
        text = re.sub(rf"(?:[\w-]+\.)*{domain}\S*", "[link]", text, flags=re.IGNORECASE)
    return text


def _refused(status: int, words: ErrorWords, hosts: tuple[str, ...]) -> UpstreamRefused:
    message = shown(words.message, hosts) or "The provider refused the request."
    param = shown(words.param, hosts)[:100]
    return UpstreamRefused(
        message, provider_status=status, details={"param": param} if param else None
    )


def _may_retry(status: int, headers: Mapping[str, str]) -> bool:
    said = headers.get("x-should-retry", "")
    if said in ("true", "false"):
        return said == "true"
    return status == 409 or status >= 500

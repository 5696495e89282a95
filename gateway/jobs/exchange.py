"""HTTP towards providers from workers: one request, the whole answer, in a thread.

A key only goes to the host it was configured for. No proxy of the environment, no cookies, no
redirects. What matters here is whether a request that failed may have reached the provider:
`NotConnected` says that it did not; after anything else nobody knows.
"""

import ssl
import threading
import time
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError as TransferError
from urllib3.exceptions import MaxRetryError, NewConnectionError
from urllib3.exceptions import TimeoutError as TimedOut

from gateway.providers.base import (
    UpstreamAnswer,
    UpstreamRequest,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from gateway.transport import NotConnected, Upstream

_CONNECT_S = 5.0
_READ_BYTES = 256 * 1024
MOST_ANSWER_BYTES = 64 * 1024 * 1024
_OUR_HEADERS = {"accept-encoding": "identity", "user-agent": "studio-gateway", "accept": "*/*"}
_POOL = 64
_context = ssl.create_default_context()


class _Adapter(HTTPAdapter):
    """One TLS context for all: reading the certificates anew takes longer than a request."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:  # noqa: ANN401  as it is there
        super().init_poolmanager(*args, ssl_context=_context, **options)


class Sessions:
    """One session for questions, kept alive; a new one for each submission.

    A connection that was idle may be closed by the provider in the moment we write to it, and then
    nobody knows whether the request arrived. Questions are asked again; submissions are not.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._kept: requests.Session | None = None

    def kept(self) -> requests.Session:
        """Give the session for questions."""
        with self._guard:
            if self._kept is None:
                self._kept = _session()
            return self._kept


_sessions = Sessions()


def ask(upstream: Upstream, request: UpstreamRequest, *, patience_s: float) -> UpstreamAnswer:
    """Send a question that may be sent again. Raises: as `submit`."""
    return _exchange(_sessions.kept(), upstream, request, patience_s)


def submit(upstream: Upstream, request: UpstreamRequest, *, patience_s: float) -> UpstreamAnswer:
    """Send what begins work, over a connection of its own.

    Raises: NotConnected (nothing was sent), UpstreamTimeout, UpstreamUnreachable (nobody knows).
    """
    with _session() as session:
        return _exchange(session, upstream, request, patience_s)


def _exchange(
    session: requests.Session, upstream: Upstream, request: UpstreamRequest, patience_s: float
) -> UpstreamAnswer:
    ends_s = time.monotonic() + patience_s
    try:
        with session.request(
            request.method,
            _url(upstream.base_url, request.path),
            data=request.body or None,
            headers={**_OUR_HEADERS, **request.headers, **upstream.provider.auth(upstream.key)},
            timeout=(_CONNECT_S, patience_s),
            allow_redirects=False,
            stream=True,
        ) as response:
            body = _read(response, ends_s)
            return UpstreamAnswer(status=response.status_code, headers=response.headers, body=body)
    except requests.RequestException as error:
        raise _failure(error) from error


def _read(response: requests.Response, ends_s: float) -> bytes:
    """Read the body, within the size and the time that an answer may have."""
    parts: list[bytes] = []
    left = MOST_ANSWER_BYTES
    try:
        while part := response.raw.read(_READ_BYTES, decode_content=False):
            parts.append(part)
            left -= len(part)
            if left < 0:
                raise UpstreamUnreachable("The provider's answer is too large.")
            if time.monotonic() > ends_s:
                raise UpstreamTimeout("The provider did not finish its answer in time.")
    except TimedOut as error:
        raise UpstreamTimeout("The provider did not finish its answer in time.") from error
    except (TransferError, OSError) as error:
        raise UpstreamUnreachable("The provider broke off its answer.") from error
    return b"".join(parts)


def _failure(error: requests.RequestException) -> UpstreamUnreachable | UpstreamTimeout:
    if isinstance(error, requests.ConnectTimeout) or _never_connected(error):
        return NotConnected("The provider cannot be reached.")
    if isinstance(error, requests.Timeout):
        return UpstreamTimeout("The provider did not answer in time.")
    return UpstreamUnreachable("The provider cannot be reached.")


def _never_connected(error: requests.RequestException) -> bool:
    """Tell whether it failed before a byte of ours was written."""
    cause = error.args[0] if error.args else None
    reason = cause.reason if isinstance(cause, MaxRetryError) else None
    if isinstance(reason, NewConnectionError):
        return True
    inner = reason.args[0] if reason is not None and reason.args else None
    return isinstance(inner, ssl.SSLCertVerificationError)


def _session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.headers.clear()
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    adapter = _Adapter(pool_connections=_POOL, pool_maxsize=_POOL, max_retries=0)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _url(base_url: str, path: str) -> str:
    """Join; a path that leaves the configured host is our own bug."""
    url = base_url.rstrip("/") + path
    assert urlsplit(url).hostname == urlsplit(base_url).hostname, "a path must not name a host"
    return url

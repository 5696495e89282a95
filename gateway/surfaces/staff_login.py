"""How often a password may be tried at the admin's login: so often per address, and per account.

Every attempt counts, right or wrong, by the limiter that counts callers: in Redis, or in each
process while Redis is away. Who is over a limit gets the same answer whatever they sent, and no
password is looked at. An account's limit lets a stranger keep its owner out for a while; who is in
stays in.
"""

import hashlib
import logging
import unicodedata
from collections.abc import Awaitable, Callable

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse

from gateway.admission import client_address
from gateway.limiter import Ask, Limiter, LocalLimiter
from studio.accounts.callers import Caller
from studio.core.ids import new_id_text

logger = logging.getLogger(__name__)

ATTEMPTS_PER_ADDRESS = 20
ATTEMPTS_PER_ACCOUNT = 5
WINDOW_S = 900
_TOO_MANY = "Too many attempts to log in. Wait fifteen minutes, then try again.\n"
_LONGEST_NAME = 150

AsyncView = Callable[[HttpRequest], Awaitable[HttpResponseBase]]


class LoginThrottle:
    """Count attempts to log in to the admin before Django looks at them."""

    sync_capable = False
    async_capable = True

    def __init__(self, get_response: AsyncView) -> None:
        self._get_response = get_response
        self._local = LocalLimiter()
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    async def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.method != "POST" or request.path != reverse("admin:login"):
            return await self._get_response(request)
        for caller in _counted_by(request):
            if not await self._count(request, caller):
                logger.warning("too many attempts to log in: %s", caller.limiter_key)
                headers = {"Retry-After": str(WINDOW_S), "Cache-Control": "no-store"}
                return HttpResponse(
                    _TOO_MANY, status=429, content_type="text/plain", headers=headers
                )
        return await self._get_response(request)

    async def _count(self, request: HttpRequest, caller: Caller) -> bool:
        """Count one attempt. Returns: whether it is within the limit."""
        ask = Ask(request_id=new_id_text(), digest=b"", caller=caller, keep_copy=False)
        limiter = _limiter_of(request)
        if limiter is None:
            admission = self._local.ask(ask)
            self._local.release(caller.limiter_key, ask.request_id)
        else:
            admission = await limiter.ask(ask)
            limiter.release(caller, ask.request_id)
        return admission.state == "ok"


def _limiter_of(request: HttpRequest) -> Limiter | None:
    """Give the process's limiter; None where no process of ours serves (Django's test client)."""
    if not isinstance(request, ASGIRequest):
        return None
    limiter: Limiter = request.scope["state"]["runtime"].limiter
    return limiter


def _counted_by(request: HttpRequest) -> list[Caller]:
    """Give whom an attempt counts for: its address first, then the account it names."""
    address = request.META.get("REMOTE_ADDR", "")
    if isinstance(request, ASGIRequest):
        address = client_address(request.scope["headers"], address)
    name = request.POST.get("username", "")[:_LONGEST_NAME]
    account = unicodedata.normalize("NFKC", name).strip().casefold()
    return [
        _counted("address", address, ATTEMPTS_PER_ADDRESS),
        _counted("account", account, ATTEMPTS_PER_ACCOUNT),
    ]


def _counted(kind: str, value: str, limit: int) -> Caller:
    digest = hashlib.sha256(value.encode()).hexdigest()[:32]
    return Caller.stranger(
        f"login:{kind}:{digest}", request_limit=limit, window_s=WINDOW_S, concurrency_limit=limit
    )

"""What every handler of the fast door does first: admit the caller, read its labels and its
channel.
"""

from types import TracebackType

import msgspec

from gateway.admission import Admitted, Refused, check_origin, client_address
from gateway.errors import OutcomeUnknown, UpstreamFailure
from gateway.limiter import Admission
from gateway.refusals import Refusal
from gateway.runtime import Runtime
from gateway.surfaces.answers import limit_headers
from gateway.surfaces.door import Request
from gateway.surfaces.envelopes import status_of
from gateway.user_keys import read_user_keys
from studio.accounts.callers import APP_USER, Caller
from studio.core.errors import GatewayError, InvalidRequest

UNKNOWN_APP = "unknown"
_LONGEST_LABEL = 200


class Labels(msgspec.Struct, frozen=True):
    """Who the request says it is for. Labels only: they never change rights, price or workspace."""

    app_id: str
    user_ref: str


class entered:  # noqa: N801  a context manager, called like a function
    """Admit the caller for the time of the block; count the request if it is refused before a call.

    Raises: Unauthenticated, RateLimited, Forbidden (origin), InvalidRequest (a key of the user's
    own that is none).
    """

    __slots__ = ("_admitted", "_operation", "_request")

    def __init__(self, request: Request, operation: str) -> None:
        self._request = request
        self._operation = operation
        self._admitted: Admitted

    async def __aenter__(self) -> Admitted:
        """Let the caller in."""
        request = self._request
        address = client_address(request.raw_headers, request.peer)
        gate = request.runtime.gate
        admitted = await gate.admit(request.raw_headers, request_id=request.id, address=address)
        request.common = limit_headers(admitted.admission)
        if isinstance(admitted, Refused):
            _count(request, admitted.admission, self._operation, admitted.error)
            raise admitted.error
        request.admitted = self._admitted = admitted
        try:
            check_origin(admitted.caller, request.origin)
            request.user_keys = read_user_keys(request.raw_headers, admitted.caller)
        except BaseException as error:
            self._leave(error)
            raise
        return admitted

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give back the caller's place."""
        self._leave(error)

    def _leave(self, error: BaseException | None) -> None:
        request, admitted = self._request, self._admitted
        request.runtime.gate.leave(admitted.caller, request.id)
        if error is None or isinstance(error, UpstreamFailure | OutcomeUnknown):
            return
        if isinstance(error, GatewayError):
            _count(request, admitted.admission, self._operation, error)


def read_labels(request: Request, caller: Caller) -> Labels:
    """Read `x-app-id` and `x-user-id`; a key that is bound to an app, or a token to a user, keeps
    its own.

    Raises: InvalidRequest if a label is not printable text of at most 200 characters.
    """
    app_id = caller.app_id or _label(request, b"x-app-id") or UNKNOWN_APP
    user_ref = _label(request, b"x-user-id")
    if caller.user_ref != APP_USER or not user_ref:
        user_ref = caller.user_ref
    return Labels(app_id, user_ref)


def read_channel(request: Request, caller: Caller) -> str:
    """Give the channel the request names, else the session's, else stable.

    The catalogue judges the name.
    """
    header = request.headers.get(b"x-model-channel")
    return channel_of(header.decode("latin-1") if header is not None else None, caller)


def channel_of(header: str | None, caller: Caller) -> str:
    """Choose between the header `x-model-channel`, the session's channel, and stable."""
    return header or caller.channel or "stable"


def _label(request: Request, name: bytes) -> str:
    value = request.headers.get(name)
    if value is None:
        return ""
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{name.decode()} must be UTF-8 text.") from error
    if len(text) > _LONGEST_LABEL or not text.isprintable():
        raise InvalidRequest(f"{name.decode()} may have at most 200 printable characters.")
    return text


def count_refusal(
    runtime: Runtime, caller: Caller | None, *, surface: str, operation: str, error: GatewayError
) -> None:
    """Count a request of a known workspace that was refused before any call."""
    if caller is None or not caller.workspace_id:
        return
    runtime.refusals.count(
        Refusal(
            workspace_id=caller.workspace_id,
            app_key_id=caller.app_key_id,
            app_id=caller.app_id or UNKNOWN_APP,
            surface=surface,
            operation=operation,
            reason=error.code,
            http_status=status_of(error, surface),
        )
    )


def _count(request: Request, admission: Admission, operation: str, error: GatewayError) -> None:
    count_refusal(
        request.runtime,
        admission.caller,
        surface=request.surface,
        operation=operation,
        error=error,
    )

"""POST /v1/validate and /v1/validate/refresh: a credential becomes a session token of fifteen
minutes.
"""

import msgspec
from asgiref.sync import sync_to_async
from django.db import connection

from gateway.surfaces.door import Answer, Request
from gateway.surfaces.entry import UNKNOWN_APP, entered, read_channel, read_labels
from gateway.user_keys import UserKeys
from studio.accounts import services
from studio.accounts.callers import Caller
from studio.core.errors import Forbidden
from studio.core.ids import new_id

_BODY_LIMIT_BYTES = 64 * 1024


async def validate(request: Request) -> Answer:
    """Open a session for the caller, with the channel and the provider keys the request shows."""
    async with entered(request, "validate") as admitted:
        await request.read_body(_BODY_LIMIT_BYTES)
        caller = admitted.caller
        if caller.kind == "session":
            raise Forbidden("A session cannot open another: send the app key or a JWT, or refresh.")
        channel = request.runtime.catalogue.channel(read_channel(request, caller))
        labels = read_labels(request, caller)
        app_id = None if labels.app_id == UNKNOWN_APP else labels.app_id
        token, expires_in = await sync_to_async(_open, thread_sensitive=False)(
            caller, channel, app_id, request.user_keys
        )
        return _session(token, expires_in, caller.user_ref, channel)


async def refresh(request: Request) -> Answer:
    """Exchange a session token for a new one; the old one stays good for half a minute."""
    async with entered(request, "validate") as admitted:
        await request.read_body(_BODY_LIMIT_BYTES)
        if admitted.caller.kind != "session":
            raise Forbidden("Only a session token can be refreshed: send it as x-session-token.")
        header = request.headers.get(b"x-session-token") or request.headers[b"authorization"]
        token = header.decode("latin-1").split(" ")[-1]
        new_token, expires_in, caller = await sync_to_async(_refresh, thread_sensitive=False)(token)
        return _session(new_token, expires_in, caller.user_ref, caller.channel or "stable")


def _session(token: str, expires_in: int, user_ref: str, channel: str) -> Answer:
    body = {
        "sessionToken": token,
        "expiresIn": expires_in,
        "userId": user_ref,
        "channel": channel,
    }
    return Answer(body=msgspec.json.encode(body), headers=[(b"cache-control", b"no-store")])


def _open(caller: Caller, channel: str, app_id: str | None, user_keys: UserKeys) -> tuple[str, int]:
    family = new_id()
    sealed_keys = user_keys.seal(str(family)) if user_keys else None
    try:
        return services.open_session(
            caller, channel=channel, app_id=app_id, family=family, sealed_keys=sealed_keys
        )
    finally:
        connection.close()  # back to the pool: nothing else returns it from this thread


def _refresh(token: str) -> tuple[str, int, Caller]:
    try:
        return services.refresh_session(token)
    finally:
        connection.close()  # back to the pool, as above

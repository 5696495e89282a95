"""`Caller`: all that the rest of the product knows about who calls. It holds no secret in the
clear.
"""

import datetime as dt
import hashlib
from typing import TYPE_CHECKING, Literal, Self

import msgspec

from studio.accounts.scopes import DEFAULT_SCOPES

if TYPE_CHECKING:
    from studio.accounts.jwts import Claims
    from studio.accounts.models import AppKey, Session, Workspace

APP_USER = "app"
"""The user of a request that an app makes for itself."""

PUBLISHABLE_REQUEST_LIMIT = 60
PUBLISHABLE_CONCURRENCY_LIMIT = 5
"""A publishable key only opens sessions, so it needs few requests; its sessions have the tier's."""


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who calls, who pays, what is allowed.

    `kind` is how it was shown now; a session of a key keeps `app_key_id`. `publishable` means that
    the request shows a publishable key itself. `models` None allows all. `allowed_origins` empty
    names none. `user_ref` is `app` for keys, `sub` for JWTs. `limiter_key` is stable over
    refreshes. `expires_at` is Unix seconds, None for never. `sealed_keys` are a session's provider
    keys, encrypted for its `session_family`.
    """

    kind: Literal["app_key", "session", "jwt", "none"]
    workspace_id: int
    workspace_status: str
    tier: str
    markup_bp: int
    request_limit: int
    window_s: int
    concurrency_limit: int
    default_max_tokens: int
    asset_url_life_s: int = 86_400
    limiter_key: str
    app_key_id: int | None = None
    issuer_id: int | None = None
    publishable: bool = False
    scopes: tuple[str, ...] = ()
    models: tuple[str, ...] | None = None
    spend_cap_ucr: int | None = None
    app_id: str | None = None
    user_ref: str = APP_USER
    channel: str | None = None
    allowed_origins: tuple[str, ...] = ()
    needs_origin: bool = False
    expires_at: int | None = None
    session_family: str = ""
    sealed_keys: bytes | None = None

    @classmethod
    def stranger(
        cls, limiter_key: str, *, request_limit: int, window_s: int, concurrency_limit: int
    ) -> Self:
        """Stand for a request without a valid credential, only to count it."""
        return cls(
            kind="none",
            workspace_id=0,
            workspace_status="",
            tier="",
            markup_bp=0,
            request_limit=request_limit,
            window_s=window_s,
            concurrency_limit=concurrency_limit,
            default_max_tokens=0,
            limiter_key=limiter_key,
        )


def same_principal(one: Caller, other: Caller) -> bool:
    """Say whether two credentials stand for the same payer, key, issuer and user."""
    return (one.workspace_id, one.app_key_id, one.issuer_id, one.user_ref) == (
        other.workspace_id,
        other.app_key_id,
        other.issuer_id,
        other.user_ref,
    )


def caller_of_app_key(key: "AppKey") -> Caller:
    """Describe a verified key. `key.workspace.tier` is loaded.

    A publishable key's own requests are counted apart from its sessions', under tight limits, and
    have no scopes.
    """
    tier = key.workspace.tier
    publishable = key.is_publishable
    limit, concurrency = tier.request_limit, tier.concurrency_limit
    if publishable:
        limit = min(limit, PUBLISHABLE_REQUEST_LIMIT)
        concurrency = min(concurrency, PUBLISHABLE_CONCURRENCY_LIMIT)
    return Caller(
        kind="app_key",
        workspace_id=key.workspace_id,
        workspace_status=key.workspace.status,
        tier=tier.slug,
        markup_bp=tier.markup_bp,
        request_limit=limit,
        window_s=tier.window_s,
        concurrency_limit=concurrency,
        default_max_tokens=tier.default_max_tokens,
        asset_url_life_s=tier.asset_url_life_s,
        limiter_key=f"publishable:{key.pk}" if publishable else _key_limiter(key.pk),
        app_key_id=key.pk,
        publishable=publishable,
        scopes=() if publishable else tuple(key.scopes),
        models=tuple(key.allowed_models) or None,
        spend_cap_ucr=key.spend_cap_ucr,
        app_id=key.app_id or None,
        allowed_origins=tuple(key.allowed_origins),
        needs_origin=publishable,
        expires_at=_unix(key.expires_at),
    )


def caller_of_session(session: "Session", *, ends_at: dt.datetime) -> Caller:
    """Describe a live session, under its key's present limits. Workspace, tier, key are loaded."""
    key = session.app_key
    tier = session.workspace.tier
    granted = session.scopes if key is None else [s for s in session.scopes if s in key.scopes]
    key_end = key.expires_at if key is not None else None
    return Caller(
        kind="session",
        workspace_id=session.workspace_id,
        workspace_status=session.workspace.status,
        tier=tier.slug,
        markup_bp=tier.markup_bp,
        request_limit=tier.request_limit,
        window_s=tier.window_s,
        concurrency_limit=tier.concurrency_limit,
        default_max_tokens=tier.default_max_tokens,
        asset_url_life_s=tier.asset_url_life_s,
        limiter_key=_user_limiter(session.workspace_id, session.issuer_id, session.subject)
        if key is None
        else _key_limiter(key.pk),
        app_key_id=session.app_key_id,
        issuer_id=session.issuer_id,
        scopes=tuple(granted),
        models=(tuple(key.allowed_models) or None) if key is not None else None,
        spend_cap_ucr=key.spend_cap_ucr if key is not None else None,
        app_id=session.app_id or None,
        user_ref=session.subject,
        channel=session.channel or None,
        allowed_origins=tuple(key.allowed_origins) if key is not None else (),
        needs_origin=key is not None and key.is_publishable,
        expires_at=_unix(min(ends_at, key_end) if key_end is not None else ends_at),
        session_family=str(session.family),
        sealed_keys=None if session.sealed_keys is None else bytes(session.sealed_keys),
    )


def caller_of_jwt(claims: "Claims", *, workspace: "Workspace", issuer_id: int | None) -> Caller:
    """Describe the bearer of a verified JWT. A `scope` claim allows its words and no others."""
    tier = workspace.tier
    return Caller(
        kind="jwt",
        workspace_id=workspace.pk,
        workspace_status=workspace.status,
        tier=tier.slug,
        markup_bp=tier.markup_bp,
        request_limit=tier.request_limit,
        window_s=tier.window_s,
        concurrency_limit=tier.concurrency_limit,
        default_max_tokens=tier.default_max_tokens,
        asset_url_life_s=tier.asset_url_life_s,
        limiter_key=_user_limiter(workspace.pk, issuer_id, claims.sub),
        issuer_id=issuer_id,
        scopes=DEFAULT_SCOPES if claims.scope is None else claims.scopes,
        app_id=claims.app_id,
        user_ref=claims.sub,
        channel=claims.channel,
        expires_at=int(claims.exp),
    )


def _key_limiter(app_key_id: int) -> str:
    return f"key:{app_key_id}"


def _user_limiter(workspace_id: int, issuer_id: int | None, subject: str) -> str:
    """Name a user of one issuer; hashed, since a `sub` may be long and may be an address."""
    return (
        f"user:{workspace_id}:{issuer_id or 0}:{hashlib.sha256(subject.encode()).hexdigest()[:32]}"
    )


def _unix(moment: dt.datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())

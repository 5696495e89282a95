"""Every write of accounts: workspaces, app keys, sessions. Times are the database's.

A session token lives `SESSION_IDLE_S` unless it is refreshed, its family at most
`SESSION_ABSOLUTE_S`. A refresh replaces the token; the old one works `SESSION_REFRESH_GRACE_S`
longer, for requests under way. Later it is in the hands of somebody who should not have it (or was
lost track of), so its use ends the family: one revoked row revokes all.
"""

import datetime as dt
import secrets
import uuid
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import IntegrityError, models, transaction
from django.db.models import Exists, OuterRef
from django.db.models.functions import Least, Now

from studio.accounts import keys
from studio.accounts.callers import Caller, caller_of_session
from studio.accounts.credentials import SESSION_PREFIX
from studio.accounts.errors import (
    AccountNotFound,
    InvalidAppKey,
    InvalidSession,
    SessionNotAllowed,
    WorkspaceExists,
)
from studio.accounts.models import DEFAULT_TIER, AppKey, Session, Tier, Workspace
from studio.accounts.scopes import CLIENT_SCOPES, KEY_SCOPES
from studio.core.errors import InvalidRequest
from studio.core.ids import new_id
from studio.core.secrets import digest


class IssuedKey(msgspec.Struct, frozen=True, kw_only=True):
    """A new key with its text, which exists nowhere else and is shown once."""

    token: str
    app_key_id: int
    last_four: str

    def __repr__(self) -> str:
        """Show the row alone, so that no log or traceback carries the key."""
        return f"IssuedKey(app_key_id={self.app_key_id})"


class OpenedSession(NamedTuple):
    """A new session token and for how many seconds it is good."""

    token: str
    expires_in_s: int


class RefreshedSession(NamedTuple):
    """The token that replaces an older one, and whose it is."""

    token: str
    expires_in_s: int
    caller: Caller


class LiveSession(msgspec.Struct, frozen=True, kw_only=True):
    """A session that is good now, with its workspace, tier, key and issuer loaded."""

    session: Session
    now: dt.datetime
    usable_until: dt.datetime


def create_workspace(*, name: str, tier: str = DEFAULT_TIER, time_zone: str = "UTC") -> Workspace:
    """Make a workspace; the database gives it its wallet.

    Raises: WorkspaceExists, AccountNotFound for an unknown tier, InvalidRequest; then nothing was
    written.
    """
    workspace = Workspace(name=name, tier=_tier(tier), time_zone=time_zone)
    _check(workspace)
    try:
        with transaction.atomic():
            workspace.save(force_insert=True)
    except IntegrityError as error:
        raise WorkspaceExists(f'There is a workspace "{name}" already.') from error
    return workspace


def ensure_workspace(*, name: str) -> Workspace:
    """Give the workspace of this name, on the default tier if new. Raises: InvalidRequest."""
    try:
        return create_workspace(name=name)
    except WorkspaceExists:
        return Workspace.objects.select_related("tier").get(name=name)


def set_tier(*, workspace_id: int, tier: str) -> None:
    """Change a workspace's tier; held calls keep their markup. Raises: AccountNotFound."""
    _update_workspace(workspace_id, tier=_tier(tier))


def set_workspace_status(*, workspace_id: int, status: Workspace.Status) -> None:
    """Activate, freeze or close a workspace. Raises: AccountNotFound."""
    _update_workspace(workspace_id, status=status)


def create_app_key(
    *,
    workspace_id: int,
    publishable: bool = False,
    scopes: Sequence[str] | None = None,
    app_id: str = "",
    allowed_models: Sequence[str] = (),
    allowed_origins: Sequence[str] = (),
    spend_cap_ucr: int | None = None,
    expires_at: dt.datetime | None = None,
) -> IssuedKey:
    """Make an app key. Without `scopes`: all but key management, or what clients need for a
    publishable one.

    Raises: InvalidRequest for a scope, label or origin that cannot be; AccountNotFound; then
    nothing was written.
    """
    if not Workspace.objects.filter(pk=workspace_id).exists():
        raise AccountNotFound("No such workspace.")
    minted = keys.mint(publishable=publishable)
    version, mac = current_mac(minted.token)
    default_scopes = CLIENT_SCOPES if publishable else KEY_SCOPES
    key = AppKey(
        workspace_id=workspace_id,
        kind=AppKey.Kind.PUBLISHABLE if publishable else AppKey.Kind.SECRET,
        key_id=minted.key_id,
        mac=mac,
        pepper_version=version,
        last_four=minted.last_four,
        app_id=app_id,
        scopes=list(default_scopes if scopes is None else scopes),
        allowed_models=list(allowed_models),
        allowed_origins=list(allowed_origins),
        spend_cap_ucr=spend_cap_ucr,
        expires_at=expires_at,
    )
    _check(key)
    key.save(force_insert=True)
    return IssuedKey(token=minted.token, app_key_id=key.pk, last_four=minted.last_four)


def ensure_static_key(token: str) -> None:
    """Give the setting APP_KEY its row in the default workspace, unless it has one, revoked or not.

    It is found by its MAC under any pepper, since it has no key id.
    """
    peppers: dict[int, str] = settings.APP_KEY_PEPPERS
    if AppKey.objects.filter(mac__in=keys.macs(token, peppers)).exists():
        return
    version, mac = current_mac(token)
    workspace = ensure_workspace(name=settings.DEFAULT_WORKSPACE)
    AppKey.objects.get_or_create(
        mac=mac,
        defaults={
            "workspace": workspace,
            "kind": AppKey.Kind.STATIC,
            "pepper_version": version,
            "last_four": token[-4:],
            "scopes": list(KEY_SCOPES),
        },
    )


def note_app_key_use(*, app_key_id: int, token: str) -> None:
    """Write down that a verified key was used, and its MAC under the newest pepper.

    A row that another transaction holds is left for the next use: no caller waits for this.
    """
    version, mac = current_mac(token)
    free = AppKey.objects.filter(pk=app_key_id).select_for_update(skip_locked=True).values("pk")
    with transaction.atomic():
        AppKey.objects.filter(pk__in=free).update(
            mac=mac, pepper_version=version, last_used_at=Now()
        )


def revoke_app_key(*, app_key_id: int) -> None:
    """End a key and its sessions; twice changes nothing. Raises: AccountNotFound."""
    if not AppKey.objects.filter(pk=app_key_id).exists():
        raise AccountNotFound("No such app key.")
    AppKey.objects.filter(pk=app_key_id, revoked_at__isnull=True).update(revoked_at=Now())


def current_mac(token: str) -> tuple[int, bytes]:
    """Give the newest pepper's version and the token's MAC under it.

    Raises: ImproperlyConfigured without any pepper.
    """
    peppers: dict[int, str] = settings.APP_KEY_PEPPERS
    if not peppers:
        raise ImproperlyConfigured("APP_KEY_PEPPERS is empty: app keys cannot be made or checked.")
    version = max(peppers)
    return version, keys.mac(token, peppers[version])


def open_session(
    caller: Caller,
    *,
    channel: str,
    app_id: str | None = None,
    family: uuid.UUID | None = None,
    sealed_keys: bytes | None = None,
) -> OpenedSession:
    """Open a session for the holder of an app key or a JWT, with what that credential allows and no
    more.

    Whoever gives `sealed_keys` gives the `family` they were sealed for.
    Raises: SessionNotAllowed for a session; InvalidAppKey if the key is gone; then nothing was
    written.
    """
    if caller.kind not in ("app_key", "jwt"):
        raise SessionNotAllowed
    token, token_digest = _new_token()
    idle = min(_idle(), _absolute())
    Session.objects.create(
        family=family or new_id(),
        token_digest=token_digest,
        workspace_id=caller.workspace_id,
        app_key_id=caller.app_key_id,
        issuer_id=caller.issuer_id,
        subject=caller.user_ref,
        channel=channel,
        app_id=app_id or caller.app_id or "",
        scopes=_scopes(caller),
        sealed_keys=sealed_keys,
        expires_at=Now() + idle,
        ends_at=Now() + _absolute(),
    )
    return OpenedSession(token, int(idle.total_seconds()))


def refresh_session(token: str) -> RefreshedSession:
    """Replace a session token by a new one of the same family.

    Raises: InvalidSession; if the token had been replaced before its grace ended, the family is
    over by then.
    """
    with transaction.atomic():
        live = find_live_session(token, lock=True)
        refreshed = None if live is None else _rotate(live)
    if refreshed is None:  # outside of the transaction, so that the end of a family stays written
        raise InvalidSession
    return refreshed


def find_live_session(token: str, *, lock: bool = False) -> LiveSession | None:
    """Give a token's session if it is good now. A token replaced too long ago ends its family."""
    family = Session.objects.filter(family=OuterRef("family"), revoked_at__isnull=False)
    rows = Session.objects.select_related("workspace__tier", "app_key", "issuer").annotate(
        now=Now(), family_is_over=Exists(family)
    )
    if lock:
        rows = rows.select_for_update(of=("self",))
    session = rows.filter(token_digest=digest(token)).first()
    if session is None or session.family_is_over:
        return None
    usable_until = session.expires_at
    if session.rotated_at is not None:
        grace_end = session.rotated_at + dt.timedelta(seconds=settings.SESSION_REFRESH_GRACE_S)
        if grace_end <= session.now:
            revoke_session(session_id=session.pk)
            return None
        usable_until = min(usable_until, grace_end)
    if usable_until <= session.now or not _source_is_good(session, session.now):
        return None
    return LiveSession(session=session, now=session.now, usable_until=usable_until)


def revoke_session(*, session_id: int) -> None:
    """End a session and its whole family; twice changes nothing. Raises: AccountNotFound."""
    if not Session.objects.filter(pk=session_id).exists():
        raise AccountNotFound("No such session.")
    Session.objects.filter(pk=session_id, revoked_at__isnull=True).update(revoked_at=Now())


def purge_sessions() -> int:
    """Delete sessions whose family's time is over, and give their number."""
    deleted, _ = Session.objects.filter(ends_at__lte=Now()).delete()
    return deleted


def _tier(slug: str) -> Tier:
    tier = Tier.objects.filter(pk=slug).first()
    if tier is None:
        known = ", ".join(Tier.objects.values_list("slug", flat=True))
        raise AccountNotFound(f'There is no tier "{slug}". One of: {known}.')
    return tier


def _update_workspace(workspace_id: int, **values: object) -> None:
    if not Workspace.objects.filter(pk=workspace_id).update(**values):
        raise AccountNotFound("No such workspace.")


def _check(row: models.Model) -> None:
    """Validate a row's fields. Raises: InvalidRequest with Django's sentences."""
    try:
        row.full_clean(validate_unique=False, validate_constraints=False)
    except ValidationError as error:
        raise InvalidRequest(" ".join(error.messages)) from error


def _rotate(live: LiveSession) -> RefreshedSession:
    """Make the next token of a locked session."""
    old = live.session
    if old.rotated_at is None:
        Session.objects.filter(pk=old.pk).update(rotated_at=Now())
    token, token_digest = _new_token()
    new = Session(
        family=old.family,
        token_digest=token_digest,
        workspace=old.workspace,
        app_key=old.app_key,
        issuer=old.issuer,
        subject=old.subject,
        channel=old.channel,
        app_id=old.app_id,
        scopes=old.scopes,
        sealed_keys=old.sealed_keys,
        expires_at=Least(Now() + _idle(), old.ends_at),
        ends_at=old.ends_at,
    )
    new.save(force_insert=True)
    ends_at = min(live.now + _idle(), old.ends_at)
    caller = caller_of_session(new, ends_at=ends_at)
    return RefreshedSession(token, int((ends_at - live.now).total_seconds()), caller)


def _source_is_good(session: Session, now: dt.datetime) -> bool:
    key, issuer = session.app_key, session.issuer
    if key is not None and key.revoked_at is not None:
        return False
    if key is not None and key.expires_at is not None and key.expires_at <= now:
        return False
    return issuer is None or issuer.is_active


def _scopes(caller: Caller) -> list[str]:
    """Give a new session's scopes: the caller's, or those a publishable key has for sessions."""
    if not caller.publishable:
        return list(caller.scopes)
    key = AppKey.objects.filter(pk=caller.app_key_id or 0, revoked_at__isnull=True).first()
    if key is None:
        raise InvalidAppKey
    return key.scopes


def _new_token() -> tuple[str, bytes]:
    token = SESSION_PREFIX + secrets.token_urlsafe(32)
    return token, digest(token)


def _idle() -> dt.timedelta:
    return dt.timedelta(seconds=settings.SESSION_IDLE_S)


def _absolute() -> dt.timedelta:
    return dt.timedelta(seconds=settings.SESSION_ABSOLUTE_S)

"""Reads: who is the holder of a credential. The one exception to reading is named in `identify`."""

import datetime as dt

from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Now

from studio.accounts import jwts, keys, services
from studio.accounts.callers import (
    Caller,
    caller_of_app_key,
    caller_of_jwt,
    caller_of_session,
    same_principal,
)
from studio.accounts.credentials import Credential
from studio.accounts.errors import (
    AccountNotFound,
    CredentialsDiffer,
    InvalidAppKey,
    InvalidSession,
    InvalidToken,
    WorkspaceClosed,
)
from studio.accounts.models import AppKey, Issuer, Workspace

_USE_IS_NOTED_EVERY = dt.timedelta(minutes=1)
_USABLE = Q(revoked_at__isnull=True) & (Q(expires_at__isnull=True) | Q(expires_at__gt=Now()))


def identify(credential: Credential) -> Caller:
    """Give the caller behind a request's credentials: one statement for each.

    Writes what verifying alone can know: a key's last use and newest MAC (once a minute), the row
    of the environment's APP_KEY (once), the end of a session family whose old token is used again.
    Raises: InvalidAppKey, InvalidSession, InvalidToken, CredentialsDiffer (401); WorkspaceClosed
    (403).
    """
    caller = _identify_one(credential)
    for other in credential.others:
        if not same_principal(caller, _identify_one(other)):
            raise CredentialsDiffer
    return caller


def workspace_by_name(name: str) -> Workspace:
    """Give a workspace to commands, which staff run. Raises: AccountNotFound."""
    workspace = Workspace.objects.filter(name=name).first()
    if workspace is None:
        raise AccountNotFound(f'There is no workspace "{name}".')
    return workspace


def _identify_one(credential: Credential) -> Caller:
    match credential.kind:
        case "app_key":
            caller = caller_of_app_key(_verified_key(credential.token))
        case "static_key":
            caller = caller_of_app_key(_static_key(credential.token))
        case "session":
            caller = _session_caller(credential.token)
        case "jwt":
            caller = _jwt_caller(credential.token)
    if caller.workspace_status == Workspace.Status.CLOSED:
        raise WorkspaceClosed
    return caller


def _verified_key(token: str) -> AppKey:
    """Find a key by its id and compare MACs, on a miss too. Raises: InvalidAppKey."""
    key = (
        AppKey.objects.select_related("workspace__tier")
        .annotate(now=Now())
        .filter(_USABLE, key_id=keys.key_id_of(token), key_id__isnull=False)
        .first()
    )
    peppers: dict[int, str] = settings.APP_KEY_PEPPERS
    stored = None if key is None else bytes(key.mac)
    version = max(peppers, default=0) if key is None else key.pepper_version
    if not keys.matches(token, stored=stored, version=version, peppers=peppers) or key is None:
        raise InvalidAppKey
    _note_use(key, token, key.now)
    return key


def _static_key(token: str) -> AppKey:
    """Find or make the row of the setting APP_KEY. Raises: InvalidAppKey if it was revoked."""
    rows = AppKey.objects.select_related("workspace__tier").annotate(now=Now())
    usable = rows.filter(
        _USABLE,
        kind=AppKey.Kind.STATIC,
        mac__in=keys.macs(token, settings.APP_KEY_PEPPERS),
    )
    key = usable.first()
    if key is None:
        services.ensure_static_key(token)
        key = usable.first()
    if key is None:
        raise InvalidAppKey
    _note_use(key, token, key.now)
    return key


def _note_use(key: AppKey, token: str, now: dt.datetime) -> None:
    is_fresh = key.last_used_at is not None and now - key.last_used_at < _USE_IS_NOTED_EVERY
    if not is_fresh or key.pepper_version != max(settings.APP_KEY_PEPPERS):
        services.note_app_key_use(app_key_id=key.pk, token=token)


def _session_caller(token: str) -> Caller:
    live = services.find_live_session(token)
    if live is None:
        raise InvalidSession
    return caller_of_session(live.session, ends_at=live.usable_until)


def _jwt_caller(token: str) -> Caller:
    """Verify a JWT by the global secret or by its issuer's key. Raises: InvalidToken."""
    unverified = jwts.peek(token)
    if unverified.algorithm == jwts.SHARED_SECRET_ALGORITHM:
        return _global_jwt_caller(token)
    if unverified.algorithm in jwts.PUBLIC_KEY_ALGORITHMS and unverified.issuer:
        return _issuer_jwt_caller(token, unverified)
    raise InvalidToken


def _global_jwt_caller(token: str) -> Caller:
    """Verify by APP_JWT_SECRET: the default workspace pays. A short secret opens nothing."""
    secret: str = settings.APP_JWT_SECRET
    if len(secret.encode()) < jwts.SHORTEST_SECRET_BYTES:
        raise InvalidToken
    claims = jwts.verify_shared_secret(token, secret=secret)
    name: str = settings.DEFAULT_WORKSPACE
    payers = Workspace.objects.select_related("tier").annotate(now=Now()).filter(name=name)
    workspace = payers.first()
    if workspace is None:
        services.ensure_workspace(name=name)
        workspace = payers.get()
    expected = jwts.Expectation(
        now=workspace.now.timestamp(),
        issuer=settings.APP_JWT_ISSUER,
        audience=settings.APP_JWT_AUDIENCE,
    )
    jwts.check_claims(claims, expected)
    return caller_of_jwt(claims, workspace=workspace, issuer_id=None)


def _issuer_jwt_caller(token: str, unverified: jwts.Unverified) -> Caller:
    """Verify by an issuer's key: the one of this kid, or the one for any kid."""
    issuer = (
        Issuer.objects.select_related("workspace__tier")
        .annotate(now=Now())
        .filter(issuer=unverified.issuer, kid__in=(unverified.kid, ""), is_active=True)
        .order_by("-kid")
        .first()
    )
    if issuer is None or issuer.algorithm != unverified.algorithm:
        raise InvalidToken
    claims = jwts.verify_public_key(
        token, algorithm=issuer.algorithm, public_key_pem=issuer.public_key_pem
    )
    expected = jwts.Expectation(
        now=issuer.now.timestamp(), issuer=issuer.issuer, audience=issuer.audience
    )
    jwts.check_claims(claims, expected)
    return caller_of_jwt(claims, workspace=issuer.workspace, issuer_id=issuer.pk)

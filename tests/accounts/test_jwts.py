"""JWTs that are accepted, for whom they stand, and the edges of their time."""

import time
from collections.abc import Callable

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from pytest_django import DjangoAssertNumQueries, Settings

from studio.accounts import jwts, services
from studio.accounts.callers import Caller
from studio.accounts.errors import CredentialsDiffer, InvalidSession, InvalidToken
from studio.accounts.models import Issuer, Session, Workspace

pytestmark = pytest.mark.django_db
Identify = Callable[..., Caller]
SECRET = "b2" * 32
ISS = "https://login.acme.example"
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def _pem(key: PrivateKey) -> str:
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    """An issuer's RSA key."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def issuer(workspace: Workspace, rsa_key: rsa.RSAPrivateKey) -> Issuer:
    """An issuer with one RS256 key."""
    return Issuer.objects.create(
        workspace=workspace,
        issuer=ISS,
        kid="k1",
        audience="studio",
        algorithm="RS256",
        public_key_pem=_pem(rsa_key),
    )


def _bearer(
    claims: dict[str, object],
    key: PrivateKey | str = SECRET,
    algorithm: str = "HS256",
    **header: str,
) -> str:
    payload = {"sub": "user-1", "exp": int(time.time()) + 600, **claims}
    payload = {name: value for name, value in payload.items() if value is not None}
    return "Bearer " + jwt.encode(payload, key, algorithm=algorithm, headers=dict(header))


def test_global_token_pays_from_the_default_workspace(identify: Identify) -> None:
    workspace = services.create_workspace(name="accounts-default", tier="managed")
    exp = int(time.time()) + 600
    caller = identify(authorization=_bearer({"exp": exp, "channel": "fast", "app_id": "phone"}))
    assert (caller.kind, caller.workspace_id, caller.tier) == ("jwt", workspace.pk, "managed")
    assert (caller.user_ref, caller.channel, caller.app_id) == ("user-1", "fast", "phone")
    assert (caller.app_key_id, caller.issuer_id, caller.expires_at) == (None, None, exp)
    assert caller.scopes == (
        "chat",
        "models",
        "images",
        "audio",
        "jobs",
        "realtime",
        "credits:read",
        "analytics:read",
    )


def test_default_workspace_is_made_by_the_first_token(identify: Identify) -> None:
    caller = identify(authorization=_bearer({}))
    assert Workspace.objects.get(pk=caller.workspace_id).name == "accounts-default"


def test_known_caller_is_one_statement(
    identify: Identify, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    identify(authorization=_bearer({}))
    with django_assert_num_queries(1):
        identify(authorization=_bearer({}))


def test_scope_claim_allows_its_known_words_and_no_others(identify: Identify) -> None:
    scopes = [
        identify(authorization=_bearer({"scope": text})).scopes
        for text in ("models chat unknown", "openid profile", "", "keys:manage")
    ]
    assert scopes == [("chat", "models"), (), (), ("keys:manage",)]


def test_users_are_limited_apart_from_each_other(identify: Identify) -> None:
    keys = {identify(authorization=_bearer({"sub": name})).limiter_key for name in "aab"}
    assert len(keys) == 2


def test_issuers_token_pays_from_its_workspace(
    identify: Identify, issuer: Issuer, rsa_key: rsa.RSAPrivateKey
) -> None:
    claims: dict[str, object] = {"iss": ISS, "aud": ["other", "studio"]}
    caller = identify(authorization=_bearer(claims, rsa_key, "RS256", kid="k1"))
    assert (caller.workspace_id, caller.issuer_id) == (issuer.workspace_id, issuer.pk)
    assert (caller.user_ref, caller.tier) == ("user-1", "managed")


def test_each_kid_has_its_own_key_and_algorithm(
    identify: Identify, issuer: Issuer, rsa_key: rsa.RSAPrivateKey
) -> None:
    curve = ec.generate_private_key(ec.SECP256R1())
    second = Issuer.objects.create(
        workspace=issuer.workspace,
        issuer=ISS,
        kid="k2",
        audience="studio",
        algorithm="ES256",
        public_key_pem=_pem(curve),
    )
    claims: dict[str, object] = {"iss": ISS, "aud": "studio"}
    assert identify(authorization=_bearer(claims, curve, "ES256", kid="k2")).issuer_id == second.pk
    assert (
        identify(authorization=_bearer(claims, rsa_key, "RS256", kid="k1")).issuer_id == issuer.pk
    )
    with pytest.raises(InvalidToken):
        identify(authorization=_bearer(claims, curve, "ES256", kid="k1"))


def test_issuer_row_without_kid_takes_any(
    identify: Identify, issuer: Issuer, rsa_key: rsa.RSAPrivateKey
) -> None:
    Issuer.objects.filter(pk=issuer.pk).update(kid="")
    claims: dict[str, object] = {"iss": ISS, "aud": "studio"}
    for header in ({}, {"kid": "anything"}):
        token = _bearer(claims, rsa_key, "RS256", **header)
        assert identify(authorization=token).issuer_id == issuer.pk


def test_inactive_issuer_is_refused_and_its_sessions_end(
    identify: Identify, issuer: Issuer, rsa_key: rsa.RSAPrivateKey
) -> None:
    token = _bearer({"iss": ISS, "aud": "studio"}, rsa_key, "RS256", kid="k1")
    session = services.open_session(identify(authorization=token), channel="stable").token
    assert identify(x_session_token=session).issuer_id == issuer.pk
    Issuer.objects.filter(pk=issuer.pk).update(is_active=False)
    with pytest.raises(InvalidToken):
        identify(authorization=token)
    with pytest.raises(InvalidSession):
        identify(x_session_token=session)


def test_session_of_a_token_is_the_same_user(identify: Identify) -> None:
    token = _bearer({"channel": "fast"})
    caller = identify(authorization=token)
    session = services.open_session(caller, channel="fast").token
    both = identify(authorization=token, x_session_token=session)
    assert (both.kind, both.user_ref, both.limiter_key) == (
        "session",
        "user-1",
        caller.limiter_key,
    )
    with pytest.raises(CredentialsDiffer):
        identify(authorization=_bearer({"sub": "user-2"}), x_session_token=session)
    assert Session.objects.count() == 1


def test_configured_issuer_and_audience_are_demanded(
    identify: Identify, settings: Settings
) -> None:
    settings.APP_JWT_ISSUER, settings.APP_JWT_AUDIENCE = "us", "studio"
    assert identify(authorization=_bearer({"iss": "us", "aud": "studio"})).user_ref == "user-1"
    for claims in ({}, {"iss": "us"}, {"aud": "studio"}, {"iss": "them", "aud": "studio"}):
        with pytest.raises(InvalidToken):
            identify(authorization=_bearer(dict(claims)))


@pytest.mark.parametrize("secret", ["", "short", "x" * 31])
def test_short_secret_accepts_nothing(identify: Identify, settings: Settings, secret: str) -> None:
    token = _bearer({}, "x" * 32)
    settings.APP_JWT_SECRET = secret
    with pytest.raises(InvalidToken):
        identify(authorization=token)


NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("exp", "iat", "nbf", "good"),
    [
        (600, None, None, True),
        (-29, None, None, True),
        (-30, None, None, False),
        (10_000_000, None, None, True),
        (3600, 0, None, True),
        (3601, 0, None, False),
        (600, 30, None, True),
        (600, 31, None, False),
        (-10, -10, None, False),
        (-10, 0, None, False),
        (600, 0, 30, True),
        (600, 0, 31, False),
        (600.5, 0.25, 0.5, True),
    ],
)
def test_time_edges(exp: float, iat: float | None, nbf: float | None, good: bool) -> None:
    claims = jwts.Claims(
        sub="user-1",
        exp=NOW + exp,
        iat=None if iat is None else NOW + iat,
        nbf=None if nbf is None else NOW + nbf,
    )
    expected = jwts.Expectation(now=NOW, issuer="", audience="")
    if good:
        jwts.check_claims(claims, expected)
        return
    with pytest.raises(InvalidToken):
        jwts.check_claims(claims, expected)

"""Reading a credential from raw headers: what is accepted, and a corpus of what never is."""

import hashlib

import pytest
from pytest_django import Settings

from studio.accounts import keys
from studio.accounts.credentials import Credential, credential_digest, read_credential
from studio.accounts.errors import (
    CredentialRequired,
    InvalidAppKey,
    InvalidSession,
    InvalidToken,
    MalformedCredential,
)
from studio.core.errors import GatewayError

KEY = keys.mint(publishable=False).token
OTHER_KEY = keys.mint(publishable=False).token
PUBLISHABLE = keys.mint(publishable=True).token
SESSION = "gws_" + "aZ09_-" * 7 + "x"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln"
K, S, J = KEY.encode(), SESSION.encode(), JWT.encode()
APP, SES, AUTH = b"x-app-key", b"x-session-token", b"authorization"
API = b"x-api-key"
NOISE = [(b"host", b"studio.example"), (b"content-type", b"application/json"), (b"x-app-id", b"a")]

Pairs = list[tuple[bytes, bytes]]


@pytest.mark.parametrize(
    ("pairs", "kind", "token"),
    [
        ([(APP, K)], "app_key", KEY),
        ([(APP, PUBLISHABLE.encode())], "app_key", PUBLISHABLE),
        ([(APP, b"  " + K + b"\t")], "app_key", KEY),
        ([(b"X-App-Key", K)], "app_key", KEY),
        ([(AUTH, b"Bearer " + K)], "app_key", KEY),
        ([(AUTH, b"bearer " + K)], "app_key", KEY),
        ([(AUTH, b"BEARER   " + K)], "app_key", KEY),
        ([(SES, S)], "session", SESSION),
        ([(AUTH, b"Bearer " + S)], "session", SESSION),
        ([(AUTH, b"Bearer " + J)], "jwt", JWT),
        ([(APP, b""), (AUTH, b"Bearer " + J)], "jwt", JWT),
        ([(APP, K), (AUTH, b"Bearer " + K)], "app_key", KEY),
        ([(SES, S), (AUTH, b"Bearer " + S)], "session", SESSION),
        ([(API, K)], "app_key", KEY),
        ([(b"X-Api-Key", b" " + PUBLISHABLE.encode())], "app_key", PUBLISHABLE),
        ([(API, K), (APP, K)], "app_key", KEY),
        ([(API, K), (AUTH, b"Bearer " + K)], "app_key", KEY),
        ([(API, K), (APP, K), (AUTH, b"Bearer " + K)], "app_key", KEY),
        ([(API, b""), (APP, K)], "app_key", KEY),
    ],
    ids=[f"case-{number}" for number in range(19)],  # keys are random, workers must agree on names
)
def test_one_credential_is_read(pairs: Pairs, kind: str, token: str) -> None:
    credential = read_credential(NOISE + pairs)
    assert (credential.kind, credential.token, credential.others) == (kind, token, ())


def test_static_key_is_recognised_before_any_shape(settings: Settings) -> None:
    settings.APP_KEY = "three.part.key"
    for pairs in (
        [(APP, b"three.part.key")],
        [(API, b"three.part.key")],
        [(AUTH, b"Bearer three.part.key")],
    ):
        credential = read_credential(pairs)
        assert (credential.kind, credential.token) == ("static_key", "three.part.key")


def test_digest_is_the_whole_sha256_of_kind_and_token() -> None:
    credential = read_credential([(APP, K)])
    assert credential.digest == hashlib.sha256(b"app_key\0" + K).digest()
    assert credential.digest == credential_digest("app_key", KEY)
    assert len(credential.digest) == 32


def test_two_credentials_are_both_kept_under_a_digest_of_their_own() -> None:
    credential = read_credential([(AUTH, b"Bearer " + J), (APP, K), (SES, S)])
    assert (credential.kind, credential.token) == ("session", SESSION)
    assert [(other.kind, other.token) for other in credential.others] == [
        ("app_key", KEY),
        ("jwt", JWT),
    ]
    digests = {credential_digest("session", SESSION), *(o.digest for o in credential.others)}
    assert credential.digest not in digests


def test_two_keys_under_two_names_are_both_kept() -> None:
    credential = read_credential([(API, K), (APP, OTHER_KEY.encode())])
    assert credential.token == OTHER_KEY
    assert [(other.kind, other.token) for other in credential.others] == [("app_key", KEY)]
    swapped = read_credential([(APP, K), (API, OTHER_KEY.encode())])
    assert len({credential.digest, swapped.digest, credential_digest("app_key", KEY)}) == 3


def test_order_of_headers_does_not_matter() -> None:
    pairs = [(AUTH, b"Bearer " + J), (API, K), (APP, OTHER_KEY.encode())]
    assert read_credential(pairs) == read_credential(pairs[::-1])


def test_no_repr_shows_a_token() -> None:
    credential = read_credential([(APP, K), (AUTH, b"Bearer " + J)])
    assert repr(credential) == "Credential(kind='app_key')"
    assert isinstance(credential, Credential)


def _crc_off(token: str) -> bytes:
    return token[:-1].encode() + (b"0" if token[-1] != "0" else b"1")


CORPUS: list[tuple[Pairs, type[GatewayError]]] = [
    # nothing of ours
    ([], CredentialRequired),
    ([(APP, b"")], CredentialRequired),
    ([(API, b" ")], CredentialRequired),
    ([(APP, b"  \t ")], CredentialRequired),
    ([(AUTH, b"")], CredentialRequired),
    ([(AUTH, b"Bearer")], CredentialRequired),
    ([(AUTH, b"Bearer ")], CredentialRequired),
    ([(AUTH, b"Basic dXNlcjpwYXNz")], CredentialRequired),
    ([(AUTH, b"Digest username=x")], CredentialRequired),
    ([(AUTH, K)], CredentialRequired),
    ([(AUTH, J)], CredentialRequired),
    ([(AUTH, b"Bearer\t" + K)], CredentialRequired),
    ([(AUTH, b"Token " + K)], CredentialRequired),
    ([(AUTH, b"Basic dXNlcjpwYXNz"), (APP, K)], CredentialRequired),
    ([(b"cookie", b"x-app-key=" + K)], CredentialRequired),
    ([(b"api-key", K)], CredentialRequired),
    ([(b"proxy-authorization", b"Bearer " + K)], CredentialRequired),
    ([(b"x-app-key ", K)], CredentialRequired),
    ([(b"xx-app-key", K)], CredentialRequired),
    # a header given twice
    ([(APP, K), (APP, K)], MalformedCredential),
    ([(APP, K), (APP, OTHER_KEY.encode())], MalformedCredential),
    ([(APP, b""), (APP, K)], MalformedCredential),
    ([(APP, K), (b"X-APP-KEY", K)], MalformedCredential),
    ([(API, K), (API, K)], MalformedCredential),
    ([(API, K), (b"X-API-KEY", OTHER_KEY.encode())], MalformedCredential),
    ([(SES, S), (SES, S)], MalformedCredential),
    ([(AUTH, b"Bearer " + K), (AUTH, b"Bearer " + K)], MalformedCredential),
    ([(AUTH, b"Bearer " + K), (AUTH, b"Basic eA==")], MalformedCredential),
    ([(AUTH, b"Bearer " + K), (b"Authorization", b"Bearer " + J)], MalformedCredential),
    # twins that some servers fold into one
    ([(b"x_app_key", K)], MalformedCredential),
    ([(b"x-app_key", K)], MalformedCredential),
    ([(b"x_app-key", K)], MalformedCredential),
    ([(b"X_APP_KEY", K)], MalformedCredential),
    ([(b"x_api_key", K)], MalformedCredential),
    ([(API, K), (b"x-api_key", K)], MalformedCredential),
    ([(APP, K), (b"x_api_key", b"")], MalformedCredential),
    ([(b"x_session_token", S)], MalformedCredential),
    ([(b"x-session_token", S)], MalformedCredential),
    ([(APP, K), (b"x_app_key", K)], MalformedCredential),
    ([(b"x_app_key", b""), (APP, K)], MalformedCredential),
    # bytes that no credential has
    ([(APP, K + b"\r\nx-evil: 1")], MalformedCredential),
    ([(APP, b"\n" + K)], MalformedCredential),
    ([(APP, K + b"\r")], MalformedCredential),
    ([(APP, K + b"\x00")], MalformedCredential),
    ([(APP, K[:-1] + b"\xe9")], MalformedCredential),
    ([(APP, "ключ".encode())], MalformedCredential),
    ([(APP, b"\xff\xfe")], MalformedCredential),
    ([(APP, K + b"\x7f")], MalformedCredential),
    ([(SES, S + b"\x1b[0m")], MalformedCredential),
    ([(AUTH, b"Bearer " + J + b"\n")], MalformedCredential),
    ([(AUTH, b"Bearer \xc2\xa0" + K)], MalformedCredential),
    # too long
    ([(APP, b"a" * 8193)], MalformedCredential),
    ([(API, b"a" * 8193)], MalformedCredential),
    ([(API, K + b"\n")], MalformedCredential),
    ([(APP, b"a" * 100_000)], MalformedCredential),
    ([(SES, b"gws_" + b"a" * 8190)], MalformedCredential),
    ([(AUTH, b"Bearer " + b"a" * 8190)], MalformedCredential),
    ([(AUTH, b"Bearer" + b" " * 8190 + K)], MalformedCredential),
    # not the shape of an app key
    ([(APP, b"YOUR_APP_KEY")], InvalidAppKey),
    ([(API, b"sk-ant-api03-0123456789abcdef")], InvalidAppKey),
    ([(API, b"Bearer " + K)], InvalidAppKey),
    ([(API, S)], InvalidAppKey),
    ([(API, J)], InvalidAppKey),
    ([(API, K), (APP, b"YOUR_APP_KEY")], InvalidAppKey),
    ([(API, b"YOUR_API_KEY"), (AUTH, b"Bearer " + K)], InvalidAppKey),
    ([(APP, b"sk-proj-0123456789abcdef")], InvalidAppKey),
    ([(APP, _crc_off(KEY))], InvalidAppKey),
    ([(APP, K[:-1])], InvalidAppKey),
    ([(APP, K + b"0")], InvalidAppKey),
    ([(APP, K.upper())], InvalidAppKey),
    ([(APP, K + b", " + K)], InvalidAppKey),
    ([(APP, K + b" " + K)], InvalidAppKey),
    ([(APP, b'"' + K + b'"')], InvalidAppKey),
    ([(APP, b"Bearer " + K)], InvalidAppKey),
    ([(APP, S)], InvalidAppKey),
    ([(APP, J)], InvalidAppKey),
    ([(APP, b"gw_live_' OR 1=1 --")], InvalidAppKey),
    ([(APP, b"a" * 8192)], InvalidAppKey),
    ([(APP, b"gw_test_" + K[8:])], InvalidAppKey),
    ([(APP, b"gw_pub_" + K[8:])], InvalidAppKey),
    ([(AUTH, b"Bearer " + _crc_off(KEY))], InvalidAppKey),
    ([(AUTH, b"Bearer gw_live_")], InvalidAppKey),
    ([(AUTH, b"Bearer gw_live_a.b.c")], InvalidAppKey),
    ([(APP, _crc_off(KEY)), (AUTH, b"Bearer " + K)], InvalidAppKey),
    # not the shape of a session
    ([(SES, b"gws_")], InvalidSession),
    ([(SES, S[:-1])], InvalidSession),
    ([(SES, S + b"x")], InvalidSession),
    ([(SES, S[4:])], InvalidSession),
    ([(SES, K)], InvalidSession),
    ([(SES, J)], InvalidSession),
    ([(SES, b"gws_" + b"=" * 43)], InvalidSession),
    ([(SES, b"null")], InvalidSession),
    ([(AUTH, b"Bearer gws_a.b.c")], InvalidSession),
    ([(SES, b"undefined"), (APP, K)], InvalidSession),
    # bearer tokens of no kind
    ([(AUTH, b"Bearer sk-proj-0123456789abcdef")], InvalidToken),
    ([(AUTH, b"Bearer a.b")], InvalidToken),
    ([(AUTH, b"Bearer a.b.c.d")], InvalidToken),
    ([(AUTH, b"Bearer a.b.c.d.e")], InvalidToken),
    ([(AUTH, b"Bearer a..c")], InvalidToken),
    ([(AUTH, b"Bearer a.b.")], InvalidToken),
    ([(AUTH, b"Bearer a.b.c=")], InvalidToken),
    ([(AUTH, b"Bearer a.b.c d")], InvalidToken),
    ([(AUTH, b"Bearer Bearer " + K)], InvalidToken),
    ([(AUTH, b"Bearer " + K + b"," + K)], InvalidAppKey),
    ([(AUTH, b"Bearer undefined"), (APP, K)], InvalidToken),
]


@pytest.mark.parametrize("number", range(len(CORPUS)))
def test_hostile_headers_are_refused_with_a_clear_status(number: int) -> None:
    pairs, expected = CORPUS[number]
    with pytest.raises(GatewayError) as refusal:
        read_credential(NOISE + pairs)
    assert type(refusal.value) is expected
    assert refusal.value.status == (400 if expected is MalformedCredential else 401)
    assert KEY not in refusal.value.message


def test_the_corpus_has_at_least_60_cases() -> None:
    assert len(CORPUS) >= 60


def test_texts_are_those_of_the_published_guide() -> None:
    with pytest.raises(
        CredentialRequired,
        match="^Authentication required: provide Bearer token or x-app-key header$",
    ):
        read_credential([])
    with pytest.raises(InvalidAppKey, match="^Invalid app key$"):
        read_credential([(APP, b"wrong")])

"""A corpus of hostile JWTs against a global secret, an RS256 and an ES256 issuer: all are refused.

Each goes through the public door, as a bearer token, and must end in the one text for all of them.
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from pytest_django import Settings

from studio.accounts import services
from studio.accounts.callers import Caller
from studio.accounts.errors import InvalidToken, MalformedCredential
from studio.accounts.models import Issuer, Session, Workspace

pytestmark = pytest.mark.django_db
Identify = Callable[..., Caller]
Header = dict[str, object]
SECRET = "b2" * 32
ISS, CURVE_ISS, AUD = "https://rsa.example", "https://curve.example", "studio"
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
CURVE_KEY = ec.generate_private_key(ec.SECP256R1())
FOREIGN_RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
FOREIGN_CURVE = ec.generate_private_key(ec.SECP256R1())
NOW = int(time.time())


def _public(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, *, der: bool = False) -> bytes:
    encoding = serialization.Encoding.DER if der else serialization.Encoding.PEM
    return key.public_key().public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)


RSA_PEM, CURVE_PEM = _public(RSA_KEY), _public(CURVE_KEY)


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _raw(header: bytes, payload: bytes, key: bytes, digest: str = "sha256") -> str:
    """Sign any bytes with an HMAC, correctly."""
    signed = f"{_b64(header)}.{_b64(payload)}"
    return f"{signed}.{_b64(hmac.digest(key, signed.encode(), digest))}"


def _claims(**changes: object) -> dict[str, object]:
    claims = {"sub": "mallory", "exp": NOW + 600, "iat": NOW, "iss": "us", "aud": AUD, **changes}
    return {name: value for name, value in claims.items() if value is not ...}


def _hs(header: Header | None = None, key: bytes = SECRET.encode(), **changes: object) -> str:
    """A token that the global secret signed, but for what is changed."""
    head = {"alg": "HS256", "typ": "JWT", **(header or {})}
    return _raw(json.dumps(head).encode(), json.dumps(_claims(**changes)).encode(), key)


def _payload(text: str) -> str:
    return _raw(b'{"alg":"HS256"}', text.encode(), SECRET.encode())


def _head(text: str) -> str:
    return _raw(text.encode(), json.dumps(_claims()).encode(), SECRET.encode())


def _rs(key: rsa.RSAPrivateKey = RSA_KEY, algorithm: str = "RS256", **changes: object) -> str:
    claims = _claims(**{"iss": ISS, **changes})
    return jwt.encode(claims, key, algorithm=algorithm, headers={"kid": "k1"})


def _es(
    key: ec.EllipticCurvePrivateKey = CURVE_KEY, algorithm: str = "ES256", **changes: object
) -> str:
    claims = _claims(**{"iss": CURVE_ISS, **changes})
    return jwt.encode(claims, key, algorithm=algorithm, headers={"kid": "k1"})


def _unsigned() -> Iterator[tuple[str, str]]:
    body = _b64(json.dumps(_claims()).encode())
    for algorithm in ("none", "None", "NONE", "nOnE", "", "HS256"):
        head = _b64(json.dumps({"alg": algorithm}).encode())
        yield f"alg {algorithm!r}, no signature", f"{head}.{body}."
        yield f"alg {algorithm!r}, a signature", f"{head}.{body}.AAAA"
    yield "no alg at all", _head('{"typ":"JWT"}')
    yield "alg null", _head('{"alg":null}')
    yield "alg a list", _head('{"alg":["HS256"]}')
    yield "alg an object", _head('{"alg":{"HS256":1}}')
    yield "alg a number", _head('{"alg":256}')
    yield "alg twice, none last", _head('{"alg":"HS256","alg":"none"}')
    yield "alg in lower case", _head('{"alg":"hs256"}')
    yield "alg with a space", _head('{"alg":"HS256 "}')
    yield "alg with NUL", _head('{"alg":"HS256\\u0000"}')


def _swapped() -> Iterator[tuple[str, str]]:
    for digest, algorithm in (("sha384", "HS384"), ("sha512", "HS512")):
        head = json.dumps({"alg": algorithm}).encode()
        body = json.dumps(_claims()).encode()
        yield f"{algorithm} by our secret", _raw(head, body, SECRET.encode(), digest)
    for algorithm in ("RS384", "RS512", "PS256", "PS384"):
        yield f"{algorithm} by the issuer's key", _rs(algorithm=algorithm)
    foreign_curve = ec.generate_private_key(ec.SECP384R1())
    yield "ES384", _es(foreign_curve, "ES384")
    yield "ES256 for the RSA issuer", _es(iss=ISS)
    yield "RS256 for the curve issuer", _rs(iss=CURVE_ISS)
    yield "RS256 for the global issuer", _rs(iss="us")
    yield "RS256 by another key", _rs(FOREIGN_RSA)
    yield "ES256 by another key", _es(FOREIGN_CURVE)
    yield "EdDSA named", _hs({"alg": "EdDSA"})
    yield "HS256 says RS256", _hs({"alg": "RS256", "kid": "k1"}, iss=ISS)
    yield "HS256 says ES256", _hs({"alg": "ES256", "kid": "k1"}, iss=CURVE_ISS)


def _confused_keys() -> Iterator[tuple[str, str]]:
    jwk = json.dumps(json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(RSA_KEY.public_key()))).encode()
    public_texts = {
        "PEM": RSA_PEM,
        "PEM without its last newline": RSA_PEM.rstrip(),
        "DER": _public(RSA_KEY, der=True),
        "JWK": jwk,
        "curve's PEM": CURVE_PEM,
        "modulus": str(RSA_KEY.public_key().public_numbers().n).encode(),
    }
    for name, key in public_texts.items():
        yield f"HMAC by the public {name}", _hs({"kid": "k1"}, key, iss=ISS)
    for name, key in {
        "empty": b"",
        "secret": b"secret",
        "half of ours": SECRET[:32].encode(),
        "ours in bytes": bytes.fromhex(SECRET),
        "digest of ours": hashlib.sha256(SECRET.encode()).digest(),
        "Django's": b"x",
        "null": b"null",
    }.items():
        yield f"HMAC by the key: {name}", _hs(None, key)


def _forbidden_headers() -> Iterator[tuple[str, str]]:
    public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(RSA_KEY.public_key()))
    headers: list[Header] = [
        {"jku": "https://evil.example/jwks.json"},
        {"jku": "file:///dev/null"},
        {"jku": None},
        {"x5u": "https://evil.example/cert.pem"},
        {"x5c": ["MIIB"]},
        {"jwk": public},
        {"jwk": {"kty": "oct", "k": _b64(SECRET.encode())}},
        {"crit": ["exp"]},
        {"crit": []},
        {"crit": "b64"},
        {"crit": ["b64"], "b64": False},
        {"b64": False},
        {"b64": True},
        {"zip": "DEF"},
        {"enc": "A256GCM"},
        {"cty": "JWT"},
        {"typ": "JWE"},
        {"typ": "secevent+jwt"},
        {"typ": 7},
    ]
    for header in headers:
        yield f"header {' '.join(header)}", _hs(header)
    odd: list[object] = [7, None, [], {"k": 1}, True, "a" * 256, "two words", "k1\x00", "k1\n", "é"]
    for odd_kid in odd:
        yield f"kid {odd_kid!r:.30}", _hs({"kid": odd_kid})
    for kid in (
        "../../../../dev/null",
        "/dev/null",
        "k1'--",
        "' UNION SELECT 'AAAA",
        "k1;DROP TABLE accounts_issuer",
        "%",
        "_1",
        "K1",
        "|id",
    ):
        claims = _claims(iss=ISS)
        token = jwt.encode(claims, FOREIGN_RSA, algorithm="RS256", headers={"kid": kid})
        yield f"kid {kid} by another key", token
        token = jwt.encode(claims, RSA_KEY, algorithm="RS256", headers={"kid": kid})
        yield f"kid {kid} by the issuer's key", token


WRONG_CLAIMS: list[dict[str, object]] = [
    {"exp": ...},
    {"exp": None},
    {"exp": NOW - 60, "iat": NOW - 600},
    {"exp": 0},
    {"exp": -1},
    {"exp": str(NOW + 600)},
    {"exp": True},
    {"exp": [NOW + 600]},
    {"exp": 2**70},
    {"exp": NOW + 10_000},
    {"exp": NOW + 600, "iat": NOW + 120},
    {"iat": "now"},
    {"nbf": NOW + 120},
    {"nbf": "never"},
    {"sub": ...},
    {"sub": ""},
    {"sub": "   "},
    {"sub": None},
    {"sub": 7},
    {"sub": ["mallory"]},
    {"sub": "a" * 256},
    {"sub": "a\x00b"},
    {"sub": "a\nb"},
    {"sub": "\u202eevil"},
    {"iss": ...},
    {"iss": "them"},
    {"iss": "US"},
    {"iss": ["us"]},
    {"iss": "us\x00"},
    {"aud": ...},
    {"aud": "other"},
    {"aud": []},
    {"aud": ["other"]},
    {"aud": {"studio": 1}},
    {"aud": "studio2"},
    {"aud": [7]},
    {"channel": "../stable"},
    {"channel": 7},
    {"app_id": ""},
    {"app_id": "a" * 201},
    {"scope": ["chat"]},
]


def _wrong_claims() -> Iterator[tuple[str, str]]:
    for change in WRONG_CLAIMS:
        yield f"claims {' '.join(change)}", _payload(json.dumps(_claims(**change)))
    yield "RS256 expired", _rs(exp=NOW - 60, iat=NOW - 600)
    yield "RS256 for another audience", _rs(aud="other")
    yield "RS256 without audience", _rs(aud=...)
    yield "RS256 of an unknown issuer", _rs(iss="https://evil.example")
    yield "RS256 without issuer", _rs(iss=...)
    yield "RS256 for two hours", _rs(exp=NOW + 7200)
    yield "ES256 not yet good", _es(nbf=NOW + 120)


def _garbage() -> Iterator[tuple[str, str]]:
    good = _hs()
    head, body, signature = good.split(".")
    other = _b64(json.dumps(_claims(sub="admin")).encode())
    yield "another body", f"{head}.{other}.{signature}"
    yield "signature cut", f"{head}.{body}.{signature[:-2]}"
    yield "signature longer", f"{good}AA"
    yield "signature's spare bits", good[:-1] + chr(ord(good[-1]) + 1)
    yield "one part of length 1", f"{head}.{body}.A"
    yield "body no base64", f"{head}.A.{signature}"
    yield "all A", "A.A.A"
    yield "nulls", f"{_b64(b'null')}.{_b64(b'null')}.AAAA"
    yield "head a list", _head("[]")
    yield "head a string", _head('"HS256"')
    yield "head no JSON", _head("HS256")
    yield "head empty", _head("{}")
    yield "head not UTF-8", _raw(b'{"alg":"HS256","x":"\xff"}', b"{}", SECRET.encode())
    yield "head deep", _head('{"alg":"HS256","x":' + "[" * 400 + "]" * 400 + "}")
    yield "head large", _head('{"alg":"HS256","x":"' + "a" * 2000 + '"}')
    yield "head NaN", _head('{"alg":"HS256","x":NaN}')
    yield "head lone surrogate", _head('{"alg":"HS256","kid":"\\ud800"}')
    yield "body a list", _payload("[]")
    yield "body null", _payload("null")
    yield "body empty", _payload("{}")
    yield "body cut", _payload('{"sub":"mallory"')
    yield "body NaN", _payload('{"sub":"m","exp":NaN,"iss":"us","aud":"studio"}')
    yield "body infinite", _payload('{"sub":"m","exp":Infinity,"iss":"us","aud":"studio"}')
    yield "body 1e999", _payload('{"sub":"m","exp":1e999,"iss":"us","aud":"studio"}')
    yield "body of 3000 digits", _payload('{"sub":"m","exp":' + "9" * 3000 + "}")
    yield "body deep", _payload('{"sub":"m","exp":1,"x":' + "[" * 2000 + "]" * 2000 + "}")
    yield (
        "body lone surrogate",
        _payload(f'{{"sub":"\\ud800","exp":{NOW + 600},"iss":"us","aud":"studio"}}'),
    )
    yield "body with a BOM", _payload("\ufeff" + json.dumps(_claims()))
    yield "nested token", _payload(json.dumps(good))


CORPUS = [
    *_unsigned(),
    *_swapped(),
    *_confused_keys(),
    *_forbidden_headers(),
    *_wrong_claims(),
    *_garbage(),
]
NAMES = [f"{number} {name}" for number, (name, _) in enumerate(CORPUS)]


@pytest.fixture(autouse=True)
def issuers(db: None, settings: Settings) -> Workspace:
    """One workspace with an RS256 and an ES256 issuer; the global issuer is `us`."""
    settings.APP_JWT_SECRET, settings.APP_JWT_ISSUER, settings.APP_JWT_AUDIENCE = SECRET, "us", AUD
    workspace = services.create_workspace(name="accounts-attacked")
    for name, algorithm, pem in ((ISS, "RS256", RSA_PEM), (CURVE_ISS, "ES256", CURVE_PEM)):
        Issuer.objects.create(
            workspace=workspace,
            issuer=name,
            kid="k1",
            audience=AUD,
            algorithm=algorithm,
            public_key_pem=pem.decode(),
        )
    return workspace


def test_the_forgers_tools_make_good_tokens_when_nothing_is_changed(identify: Identify) -> None:
    accepted = [identify(authorization=f"Bearer {token}") for token in (_hs(), _rs(), _es())]
    assert [caller.user_ref for caller in accepted] == ["mallory"] * 3


@pytest.mark.parametrize("number", range(len(CORPUS)), ids=NAMES)
def test_hostile_token_is_refused_without_saying_why(number: int, identify: Identify) -> None:
    with pytest.raises(InvalidToken, match="^Invalid or expired token$") as refusal:
        identify(authorization=f"Bearer {CORPUS[number][1]}")
    assert refusal.value.status == 401
    assert not Session.objects.exists()


def test_huge_token_is_refused_before_it_is_decoded(identify: Identify) -> None:
    with pytest.raises(MalformedCredential):
        identify(authorization="Bearer " + _hs(sub="a" * 1_000_000))


def test_a_public_key_set_as_secret_verifies_nothing(
    identify: Identify, settings: Settings
) -> None:
    settings.APP_JWT_SECRET = RSA_PEM.decode()
    with pytest.raises(InvalidToken):
        identify(authorization=f"Bearer {_hs(None, RSA_PEM)}")


def test_the_corpus_has_at_least_80_different_tokens() -> None:
    assert len({token for _, token in CORPUS}) >= 80

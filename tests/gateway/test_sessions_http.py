"""Sessions and JWTs over HTTP, on two gateways at once: what they give, keep, share and lose."""

import datetime as dt
import time
from collections.abc import Callable, Iterator
from typing import Any

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings

from billing.services import grant_credits
from studio.accounts.models import Issuer, Session
from studio.accounts.services import (
    create_app_key,
    ensure_workspace,
    revoke_app_key,
    revoke_session,
)
from tests.databases import Database, rows
from tests.gateway.conftest import CHAT, Payer
from tests.running import run_gateway

EFFECTIVE_WITHIN_S = 5
STATIC_KEY = "any shape, even spaces!"
OLD_ENOUGH = dt.timedelta(seconds=31)
MakePayer = Callable[..., Payer]


@pytest.fixture(scope="module")
def other_url(
    gateway_database: Database,
    gateway_environment: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """A second gateway on the same database and Redis. It alone has a static APP_KEY, and it
    believes X-Forwarded-For, so that refused guesses do not use up what other tests may refuse.
    """
    environment = gateway_environment | {
        "DATABASE_URL": gateway_database.app_url,
        "APP_KEY": STATIC_KEY,
        "TRUSTED_PROXY_HOPS": "1",
    }
    gateway = run_gateway(tmp_path_factory.mktemp("other"), environment)
    yield gateway.url
    gateway.stop()


@pytest.fixture
def bearer(payer: Payer) -> Callable[..., dict[str, str]]:
    """Sign JWTs by an issuer that the payer's workspace trusts."""
    private_key = ec.generate_private_key(ec.SECP256R1())
    pem = private_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    issuer = f"https://login.example/{payer.workspace_id}"
    Issuer.objects.create(
        workspace_id=payer.workspace_id,
        issuer=issuer,
        audience="studio",
        algorithm="ES256",
        public_key_pem=pem.decode(),
    )

    def sign(subject: str = "user-7", **claims: Any) -> dict[str, str]:
        whole = {**fresh_claims(subject), "iss": issuer, "aud": "studio", **claims}
        return {"authorization": f"Bearer {jwt.encode(whole, private_key, algorithm='ES256')}"}

    return sign


def fresh_claims(subject: str) -> dict[str, Any]:
    """Give what every JWT needs."""
    now = int(time.time())
    return {"sub": subject, "iat": now, "exp": now + 600}


def post(url: str, path: str, headers: dict[str, str], **options: Any) -> requests.Response:
    """Send a request with these headers and no others of ours."""
    return requests.post(url + path, headers=headers, timeout=30, **options)


def open_session(payer: Payer, **headers: str) -> str:
    """Exchange the payer's key for a session token."""
    response = payer.post("/v1/validate", headers=headers)
    assert response.status_code == 200, response.text
    token: str = response.json()["sessionToken"]
    return token


def chat(url: str, headers: dict[str, str]) -> int:
    """Give the status of one chat."""
    return post(url, "/v1/chat", headers, json=CHAT).status_code


def wait_for(statuses: Callable[[], list[int]], wanted: list[int]) -> None:
    """Ask again and again until everybody says what is wanted, within the promised 5 s."""
    end_s = time.monotonic() + EFFECTIVE_WITHIN_S
    seen = statuses()
    while seen != wanted:
        assert time.monotonic() < end_s, seen
        rows("SELECT pg_sleep(0.4)::text")
        seen = statuses()


def test_a_key_opens_a_session_of_fifteen_minutes(payer: Payer) -> None:
    response = payer.post("/v1/validate")
    body = response.json()
    token = body.pop("sessionToken")
    assert body == {"expiresIn": 900, "userId": "app", "channel": "stable"}
    assert response.headers["cache-control"] == "no-store"
    assert chat(payer.url, {"x-session-token": token}) == 200
    assert chat(payer.url, {"authorization": f"Bearer {token}"}) == 200
    assert {usage["app_key_id"] for usage in payer.usage()} == {payer.app_key_id}


def test_a_session_keeps_its_channel_and_its_app_and_a_header_goes_before_the_channel(
    payer: Payer,
) -> None:
    response = payer.post("/v1/validate", headers={"x-model-channel": "fast", "x-app-id": "shop"})
    assert response.json()["channel"] == "fast"
    headers = {"x-session-token": response.json()["sessionToken"], "x-app-id": "other"}
    assert chat(payer.url, headers) == 200
    assert chat(payer.url, {**headers, "x-model-channel": "quality"}) == 200
    seen = [(usage["channel"], usage["app_id"], usage["model"]) for usage in payer.usage()]
    assert seen == [("fast", "shop", "gpt-6-luna"), ("quality", "shop", "gpt-6-astra")]


def test_beta_is_experimental_and_an_unknown_channel_opens_nothing(payer: Payer) -> None:
    beta = payer.post("/v1/validate", headers={"x-model-channel": "beta"})
    assert beta.json()["channel"] == "experimental"
    assert payer.post("/v1/validate", headers={"x-model-channel": "nope"}).status_code == 400
    assert Session.objects.filter(workspace_id=payer.workspace_id).count() == 1


def test_the_static_key_opens_a_session_of_the_default_workspace(
    open_database: None, other_url: str
) -> None:
    workspace = ensure_workspace(name=settings.DEFAULT_WORKSPACE)
    grant_credits(workspace_id=workspace.pk, amount_ucr=10**9, reason="test")
    for headers in ({"x-app-key": STATIC_KEY}, {"authorization": f"Bearer {STATIC_KEY}"}):
        body = post(other_url, "/v1/validate", headers).json()
        assert (body["expiresIn"], body["userId"], body["channel"]) == (900, "app", "stable")
        assert chat(other_url, {"x-session-token": body["sessionToken"]}) == 200
    almost = post(other_url, "/v1/validate", {"x-app-key": STATIC_KEY + "!"})
    assert (almost.status_code, almost.json()) == (401, {"error": "Invalid app key"})


def test_a_jwt_of_the_global_secret_acts_for_the_default_workspace(
    open_database: None, gateway_url: str
) -> None:
    token = jwt.encode(fresh_claims("user-1"), settings.APP_JWT_SECRET, algorithm="HS256")
    body = post(gateway_url, "/v1/validate", {"authorization": f"Bearer {token}"}).json()
    assert (body["expiresIn"], body["userId"], body["channel"]) == (900, "user-1", "stable")
    session = Session.objects.order_by("-pk")[0]
    assert (session.subject, session.workspace.name) == ("user-1", settings.DEFAULT_WORKSPACE)


def test_a_jwt_works_on_every_endpoint_and_its_user_is_who_used(
    payer: Payer, bearer: Callable[..., dict[str, str]]
) -> None:
    headers = {**bearer(), "x-user-id": "somebody else"}
    assert chat(payer.url, headers) == 200
    core = {"model": "chat.default", "messages": CHAT["messages"]}
    assert post(payer.url, "/v1/chat/completions", headers, json=core).status_code == 200
    for path in ("/v1/models", "/v1/models/chat.default", "/v1/credits"):
        assert requests.get(payer.url + path, headers=headers, timeout=30).status_code == 200
    session = post(payer.url, "/v1/validate", headers).json()
    assert session["userId"] == "user-7"
    assert chat(payer.url, {"x-session-token": session["sessionToken"]}) == 200
    assert [usage["user_ref"] for usage in payer.usage()] == ["user-7"] * 3


def test_a_jwt_that_is_not_whole_and_current_is_401_in_the_surface_s_envelope(
    payer: Payer, bearer: Callable[..., dict[str, str]], other_url: str
) -> None:
    secret = settings.APP_JWT_SECRET
    bad = [
        bearer(exp=int(time.time()) - 60),
        bearer(aud="another"),
        bearer(iss="https://login.example/nobody"),
        {"authorization": f"Bearer {jwt.encode(fresh_claims('x'), 'x' * 40, algorithm='HS256')}"},
        {"authorization": f"Bearer {jwt.encode(fresh_claims('x'), '', algorithm='none')}"},
        {"authorization": f"Bearer {jwt.encode({'sub': 'x'}, secret, algorithm='HS256')}"},
    ]
    text = "Invalid or expired token"
    for wrong in bad:
        headers = {**wrong, "x-forwarded-for": "192.0.2.7"}
        studio = post(other_url, "/v1/chat", headers, json=CHAT)
        assert (studio.status_code, studio.json()) == (401, {"error": text})
        core = post(other_url, "/v1/chat/completions", headers, json=CHAT)
        assert core.status_code == 401
        assert core.json()["error"] == {
            "type": "authentication_error",
            "message": text,
            "code": 401,
            "param": None,
        }
    assert payer.entries() == []


def test_a_refresh_gives_another_token_of_the_same_session(payer: Payer) -> None:
    old = open_session(payer, **{"x-model-channel": "quality"})
    response = post(payer.url, "/v1/validate/refresh", {"x-session-token": old})
    body = response.json()
    new = body.pop("sessionToken")
    assert body == {"expiresIn": 900, "userId": "app", "channel": "quality"}
    assert new != old
    assert chat(payer.url, {"x-session-token": new}) == 200
    assert chat(payer.url, {"x-session-token": old}) == 200, "requests under way may still end"
    assert payer.usage()[0]["channel"] == "quality"
    assert Session.objects.filter(workspace_id=payer.workspace_id).count() == 2


def test_a_replaced_token_used_after_its_grace_ends_the_session_everywhere(
    payer: Payer, other_url: str
) -> None:
    old = open_session(payer)
    refreshed = post(payer.url, "/v1/validate/refresh", {"x-session-token": old}).json()
    owned = Session.objects.filter(workspace_id=payer.workspace_id, rotated_at__isnull=False)
    row = owned.get()
    assert row.rotated_at is not None
    owned.update(rotated_at=row.rotated_at - OLD_ENOUGH)
    wait_for(lambda: [chat(other_url, {"x-session-token": old})], [401])
    response = post(
        payer.url, "/v1/chat", {"x-session-token": refreshed["sessionToken"]}, json=CHAT
    )
    assert (response.status_code, response.json()) == (
        401,
        {"error": "Invalid or expired session token"},
    )


def test_sessions_open_no_sessions_and_only_sessions_are_refreshed(
    payer: Payer, bearer: Callable[..., dict[str, str]]
) -> None:
    session = {"x-session-token": open_session(payer)}
    assert post(payer.url, "/v1/validate", session).status_code == 403
    assert payer.post("/v1/validate/refresh").status_code == 403
    assert post(payer.url, "/v1/validate/refresh", bearer()).status_code == 403
    unknown = {"x-session-token": "gws_" + "A" * 43}
    assert post(payer.url, "/v1/validate/refresh", unknown).status_code == 401


def test_a_publishable_key_only_opens_sessions(make_payer: MakePayer) -> None:
    origin = "https://app.example.com"
    payer = make_payer(publishable=True, allowed_origins=[origin])
    headers = {"origin": origin}
    assert payer.post(json=CHAT, headers=headers).status_code == 403
    assert payer.get("/v1/models", headers=headers).status_code == 403
    assert payer.get("/v1/credits", headers=headers).status_code == 403
    assert payer.post("/v1/validate/refresh", headers=headers).status_code == 403
    token = open_session(payer, **headers)
    assert chat(payer.url, {**headers, "x-session-token": token}) == 200
    credits = requests.get(
        payer.url + "/v1/credits", headers={**headers, "x-session-token": token}, timeout=10
    )
    assert credits.status_code == 403, "no session of such a key sees the wallet"


def test_two_credentials_of_one_caller_are_fine_and_of_two_are_401(make_payer: MakePayer) -> None:
    one, other = make_payer(), make_payer()
    own, foreign = open_session(one), open_session(other)
    assert one.post(json=CHAT, headers={"x-session-token": own}).status_code == 200
    assert one.post(json=CHAT, headers={"authorization": f"Bearer {one.key}"}).status_code == 200
    for mixed in (
        {"x-session-token": foreign},
        {"authorization": f"Bearer {other.key}"},
        {"authorization": f"Bearer {foreign}"},
    ):
        for path in ("/v1/chat", "/v1/validate"):
            assert one.post(path, json=CHAT, headers=mixed).status_code == 401
        assert one.get("/v1/credits", headers=mixed).status_code == 401
    second_key = create_app_key(workspace_id=one.workspace_id).token
    mixed = {"authorization": f"Bearer {second_key}"}
    assert one.post(json=CHAT, headers=mixed).status_code == 401
    assert (len(one.entries()), len(other.entries())) == (2, 0)


def test_what_is_revoked_stops_on_both_gateways_within_five_seconds(
    make_payer: MakePayer, other_url: str
) -> None:
    payer, bystander = make_payer(), make_payer()
    ended = create_app_key(workspace_id=payer.workspace_id)
    ended_headers = {"x-app-key": ended.token}
    of_ended = {
        "x-session-token": post(payer.url, "/v1/validate", ended_headers).json()["sessionToken"]
    }
    left = {"x-session-token": open_session(bystander)}
    urls = (payer.url, other_url)

    def seen() -> list[int]:
        """Others of these tests may have used up what strangers of this address may ask: 429."""
        told = [chat(url, headers) for url in urls for headers in (ended_headers, of_ended, left)]
        return [401 if status == 429 else status for status in told]

    assert seen() == [200] * 6
    revoke_app_key(app_key_id=ended.app_key_id)
    revoke_session(session_id=Session.objects.get(workspace_id=bystander.workspace_id).pk)
    wait_for(seen, [401] * 6)
    assert bystander.post(json=CHAT).status_code == 200, "only its session was ended"
    assert payer.post(json=CHAT).status_code == 200, "the workspace's other key goes on"

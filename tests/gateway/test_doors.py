"""What holds for both doors alike: who may enter, browsers, common headers."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
import requests
from django.urls import Resolver404, URLPattern, URLResolver, get_resolver, resolve

from gateway.surfaces.envelopes import surface_of
from gateway.surfaces.middleware import PUBLIC
from studio.asgi import FAST
from tests.gateway.conftest import CHAT, Payer

REQUIRED_TEXT = "Authentication required: provide Bearer token or x-app-key header"
IMAGE_STUDIO_TEXT = "Authenticated user required for image operations."
UNKNOWN_PATHS = [
    "/v1/nothing",
    "/v1/chat/completions/nothing",
    "/v1/responses/nothing",
    "/v1/messages/batches",
    "/v1/images/generations/nothing",
    "/api/v1/llm/nothing",
    "/api/image-studio/nothing",
    "/speech/nothing",
]
ORIGIN = "https://app.example.com"
EXPOSED = {"X-Request-Id", "X-RateLimit-Remaining", "Retry-After", "X-Credits-Charged"}
MakePayer = Callable[..., Payer]


def django_paths() -> Iterator[str]:
    """Give one path for every pattern of the URLconf that belongs to an API."""

    def walk(patterns: list[Any], prefix: str) -> Iterator[str]:
        for pattern in patterns:
            route = prefix + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                yield from walk(pattern.url_patterns, route)
            elif isinstance(pattern, URLPattern):
                yield route.replace("<path:name>", "chat.default")

    for path in walk(get_resolver().url_patterns, "/"):
        if surface_of(path) is not None:
            yield path


def envelope_text(surface: str, error: Any) -> str:  # noqa: ANN401  a JSON border
    """Give the message of an error body, after checking that it is this surface's envelope."""
    if surface == "studio":
        assert set(error) == {"error"}
        text = error["error"]
    elif surface == "core":
        assert set(error["error"]) == {"type", "message", "code", "param"}
        text = error["error"]["message"]
    elif surface == "messages":
        assert (set(error), error["type"]) == ({"type", "error", "request_id"}, "error")
        assert set(error["error"]) == {"type", "message", "details"}
        text = error["error"]["message"]
    elif surface == "speech":
        assert set(error["error"]) == {"code", "message", "details"}
        text = error["error"]["message"]
    else:
        assert set(error) == {"detail"}
        text = error["detail"]
    assert isinstance(text, str)
    return text


def test_no_path_has_two_doors() -> None:
    assert [path for path in django_paths() if path in FAST] == []
    for path in FAST:
        assert surface_of(path) is not None
        with pytest.raises(Resolver404):
            resolve(path)


@pytest.mark.parametrize("path", sorted({*FAST, *django_paths(), *UNKNOWN_PATHS} - PUBLIC))
def test_every_api_path_needs_a_credential_and_says_so_in_its_envelope(
    gateway_url: str, path: str
) -> None:
    surface = surface_of(path)
    assert surface is not None
    said = IMAGE_STUDIO_TEXT if surface == "image-studio" else REQUIRED_TEXT
    methods = FAST.get(path, {"GET": None})
    for method in methods:
        response = requests.request(method, gateway_url + path, timeout=10)
        assert response.status_code == 401
        assert response.headers["content-type"] == "application/json"
        if method != "HEAD":
            assert envelope_text(surface, response.json()) == said


@pytest.mark.parametrize("path", sorted(PUBLIC - {"/v1/stripe/webhook"}))
def test_health_needs_none_and_minds_none(gateway_url: str, path: str) -> None:
    for headers in ({}, {"x-app-key": "wrong"}):
        assert requests.get(gateway_url + path, headers=headers, timeout=10).status_code == 200


@pytest.mark.parametrize("path", UNKNOWN_PATHS)
def test_an_unknown_path_is_404_in_the_envelope_of_its_prefix(payer: Payer, path: str) -> None:
    response = payer.get(path)
    assert response.status_code == 404
    assert envelope_text(surface_of(path) or "", response.json())


def test_a_path_of_no_api_is_no_api_s(gateway_url: str) -> None:
    for path in ("/v1", "/v1chat", "/healthy", "/V1/models", "//v1/models"):
        response = requests.get(gateway_url + path, timeout=10, allow_redirects=False)
        assert response.status_code == 404, path


@pytest.mark.parametrize(
    "path", ["/v1/chat", "/v1/chat/completions", "/v1/models", "/v1/credits", "/speech/generate"]
)
def test_a_preflight_is_answered_without_a_credential(gateway_url: str, path: str) -> None:
    asked = "authorization, cache-control, content-type, idempotency-key, x-app-key"
    headers = {
        "origin": ORIGIN,
        "access-control-request-method": "POST",
        "access-control-request-headers": asked,
    }
    response = requests.options(gateway_url + path, headers=headers, timeout=10)
    assert (response.status_code, response.content) == (204, b"")
    allowed = response.headers["access-control-allow-headers"].split(", ")
    assert set(asked.split(", ")) <= set(allowed)
    assert "POST" in response.headers["access-control-allow-methods"]
    assert response.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in response.headers


def both_doors(payer: Payer, **headers: str) -> list[requests.Response]:
    """Ask something through each door."""
    return [payer.post(json=CHAT, headers=headers), payer.get("/v1/models", headers=headers)]


def test_a_browser_may_read_answers_to_a_key_without_a_list(payer: Payer) -> None:
    for response in both_doors(payer, origin=ORIGIN):
        assert response.status_code == 200
        assert response.headers["access-control-allow-origin"] == "*"
        assert set(response.headers["access-control-expose-headers"].split(", ")) >= EXPOSED
    for response in both_doors(payer):
        assert "access-control-allow-origin" not in response.headers


def test_a_browser_may_read_why_it_was_refused(gateway_url: str) -> None:
    for method, path in (("POST", "/v1/chat"), ("GET", "/v1/models")):
        url = gateway_url + path
        response = requests.request(method, url, headers={"origin": ORIGIN}, timeout=10)
        assert response.status_code == 401
        assert response.headers["access-control-allow-origin"] == "*"


def test_a_key_with_a_list_works_from_its_origins_and_from_no_other(make_payer: MakePayer) -> None:
    payer = make_payer(allowed_origins=[ORIGIN])
    for response in both_doors(payer, origin=ORIGIN):
        assert response.status_code == 200
        assert response.headers["access-control-allow-origin"] == ORIGIN
        assert "origin" in response.headers["vary"].lower()
    for origin in (
        "https://evil.example",
        "null",
        f"{ORIGIN}.evil.example",
        "http://app.example.com",
    ):
        for response in both_doors(payer, origin=origin):
            assert response.status_code == 403
            assert "access-control-allow-origin" not in response.headers
    assert len(payer.entries()) == 1


def test_a_publishable_key_needs_a_list_to_work_in_a_browser(make_payer: MakePayer) -> None:
    listed = make_payer(publishable=True, allowed_origins=[ORIGIN])
    unlisted = make_payer(publishable=True)
    opened = listed.post("/v1/validate", headers={"origin": ORIGIN})
    assert opened.status_code == 200
    assert opened.headers["access-control-allow-origin"] == ORIGIN
    refused = unlisted.post("/v1/validate", headers={"origin": ORIGIN})
    assert refused.status_code == 403
    assert "access-control-allow-origin" not in refused.headers
    session = {"x-session-token": opened.json()["sessionToken"]}
    for origin, status in ((ORIGIN, 200), ("https://evil.example", 403)):
        headers = {**session, "origin": origin}
        models = requests.get(f"{listed.url}/v1/models", headers=headers, timeout=10)
        chat = requests.post(f"{listed.url}/v1/chat", json=CHAT, headers=headers, timeout=10)
        assert (models.status_code, chat.status_code) == (status, status)


def test_every_answer_has_an_id_of_its_own_and_its_security_headers(payer: Payer) -> None:
    answers = [
        payer.get("/health"),
        payer.get("/v1/models"),
        payer.get("/v1/nothing"),
        payer.get("/v1/chat"),
        payer.post(json=CHAT),
        payer.post(json={}),
        payer.post("/v1/validate"),
        requests.get(f"{payer.url}/v1/models", timeout=10),
        requests.post(f"{payer.url}/v1/chat", timeout=10),
        requests.options(f"{payer.url}/v1/chat", timeout=10),
        payer.get("/v1/models", headers={"host": "evil.example"}),
        payer.post(json=CHAT, headers={"host": "evil.example"}),
    ]
    ids = {UUID(answer.headers["x-request-id"]) for answer in answers}
    assert len(ids) == len(answers)
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff", answer.request.url
        assert "server" not in answer.headers
        assert "set-cookie" not in answer.headers


def test_every_counted_answer_says_where_the_limit_stands(payer: Payer) -> None:
    answers = [
        *both_doors(payer),
        payer.post(json={}),
        payer.get("/v1/nothing"),
        requests.get(f"{payer.url}/v1/models", timeout=10),
        requests.post(f"{payer.url}/v1/chat", json=CHAT, timeout=10),
        requests.post(f"{payer.url}/v1/chat", headers={"x-app-key": "wrong"}, timeout=10),
    ]
    for answer in answers:
        assert int(answer.headers["x-ratelimit-limit"]) > 0
        assert int(answer.headers["x-ratelimit-remaining"]) >= 0
        assert int(answer.headers["x-ratelimit-reset"]) > 1_700_000_000


def test_staff_s_pages_forbid_frames_and_foreign_scripts(gateway_url: str) -> None:
    page = requests.get(f"{gateway_url}/admin/login/", timeout=10)
    assert page.status_code == 200
    assert page.headers["x-frame-options"] == "DENY"
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "POST", "GET"])
def test_another_method_is_405_and_says_which_is_right(payer: Payer, method: str) -> None:
    right = {"/v1/chat": "POST", "/v1/validate": "POST", "/v1/models": "GET", "/v1/credits": "GET"}
    for path, allowed in right.items():
        if method == allowed:
            continue
        headers = {"x-app-key": payer.key}
        response = requests.request(method, payer.url + path, headers=headers, timeout=10)
        assert response.status_code == 405, path
        assert response.headers["allow"].split(", ")[0] == allowed
        assert envelope_text("studio", response.json())


def test_head_is_get_without_its_body(payer: Payer) -> None:
    headers = {"x-app-key": payer.key}
    for path in ("/health", "/v1/models", "/v1/credits"):
        response = requests.head(payer.url + path, headers=headers, timeout=10)
        assert (response.status_code, response.content) == (200, b""), path
    assert requests.head(f"{payer.url}/v1/chat", headers=headers, timeout=10).status_code == 405

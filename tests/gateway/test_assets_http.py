"""Files over HTTP: by a signed address without a credential, by their owner's, and by no other."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from gateway.media.addresses import asset_url, base_url, expires_in
from gateway.media.errors import RangeNotSatisfiable
from gateway.media.parts import Part, read_part
from gateway.models.asset import Asset
from studio.core.ids import new_id
from tests.conftest import StartGateway
from tests.databases import Database, rows
from tests.gateway.conftest import Payer
from tests.gateway.kept_files import keep_image, path_of, put

MakePayer = Callable[..., Payer]
DIGITS = b"0123456789"
LIFE_S = 3600


@pytest.fixture
def asset(payer: Payer) -> Asset:
    """A picture of the payer's."""
    return keep_image(payer.workspace_id)


def signed(payer: Payer, asset: Asset, *, life_s: int = LIFE_S) -> str:
    return asset_url(asset.pk, base_url=payer.url, life_s=life_s)


def path(asset: Asset) -> str:
    return f"/v1/assets/{asset.pk}"


def ask(url: str, method: str = "GET", **headers: str) -> requests.Response:
    return requests.request(method, url, headers=headers, timeout=30, allow_redirects=False)


def test_a_signed_address_gives_the_file_without_a_credential(payer: Payer, asset: Asset) -> None:
    response = ask(signed(payer, asset))
    assert (response.status_code, response.content) == (200, path_of(asset.sha256).read_bytes())
    expected = {
        "content-type": "image/png",
        "content-length": str(asset.size_bytes),
        "content-disposition": f'inline; filename="{asset.pk}.png"',
        "accept-ranges": "bytes",
        "etag": f'"{asset.sha256}"',
        "x-content-type-options": "nosniff",
        "cross-origin-resource-policy": "cross-origin",
        "referrer-policy": "no-referrer",
    }
    assert {name: response.headers[name] for name in expected} == expected
    policy = response.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; ")
    assert policy.endswith("; sandbox")
    kept = dict(part.partition("=")[::2] for part in response.headers["cache-control"].split(", "))
    assert set(kept) == {"private", "max-age", "immutable"}
    assert LIFE_S - 60 < int(kept["max-age"]) <= LIFE_S


def test_signed_reads_are_not_counted(payer: Payer, asset: Asset) -> None:
    before = int(payer.get("/v1/credits").headers["x-ratelimit-remaining"])
    for _ in range(5):
        response = ask(signed(payer, asset))
        assert "x-ratelimit-remaining" not in response.headers
    assert int(payer.get("/v1/credits").headers["x-ratelimit-remaining"]) == before - 1


def test_head_says_what_get_would_and_sends_nothing(payer: Payer, asset: Asset) -> None:
    for response in (
        ask(signed(payer, asset), "HEAD"),
        ask(payer.url + path(asset), "HEAD", **{"x-app-key": payer.key}),
    ):
        assert (response.status_code, response.content) == (200, b"")
        assert response.headers["content-length"] == str(asset.size_bytes)
        assert response.headers["content-type"] == "image/png"


def test_the_owner_s_credential_gives_the_file(payer: Payer, asset: Asset) -> None:
    response = payer.get(path(asset))
    assert (response.status_code, response.content) == (200, path_of(asset.sha256).read_bytes())
    assert response.headers["cache-control"] == "private, no-cache"
    assert "x-ratelimit-remaining" in response.headers


def bad_queries(payer: Payer, asset: Asset, other: Asset) -> list[str]:
    """Give queries that show a signature and open nothing."""
    query = parse_qs(urlsplit(signed(payer, asset)).query)
    [expires], [signature] = query["expires"], query["signature"]
    strange = parse_qs(urlsplit(signed(payer, other)).query)["signature"][0]
    late = urlsplit(signed(payer, asset, life_s=0)).query
    changed = ("B" if signature[0] == "A" else "A") + signature[1:]
    return [
        late,
        f"expires={expires}&signature={changed}",
        f"expires={expires}&signature={strange}",
        f"expires={expires}&signature={signature[:-1]}",
        f"expires={expires}&signature={signature}%3D",
        f"expires={expires}&signature=",
        f"expires={int(expires) + 1}&signature={signature}",
        f"expires=0{expires}0&signature={signature}",
        f"expires=-1&signature={signature}",
        f"expires=%D9%A1&signature={signature}",
        f"expires={'9' * 40}&signature={signature}",
        f"expires=&signature={signature}",
        f"signature={signature}",
        f"expires={expires}&expires={expires}&signature={signature}",
        f"expires={expires}&signature={signature}&signature={signature}",
        f"expires={expires}&signature=%00",
        f"expires={expires}&signature=%FF%FE",
    ]


def test_an_address_that_is_not_genuine_or_too_old_opens_nothing(
    payer: Payer, asset: Asset
) -> None:
    other = keep_image(payer.workspace_id, color=(4, 5, 6))
    refusals = set()
    for query in bad_queries(payer, asset, other):
        for path_asked in (path(asset), f"/v1/assets/{new_id()}", "/v1/assets/none"):
            for method in ("GET", "HEAD"):
                response = ask(f"{payer.url}{path_asked}?{query}", method)
                assert response.status_code == 403, query
                refusals.add(response.content)
    assert len(refusals - {b""}) == 1


def test_a_genuine_address_of_no_file_is_404(payer: Payer) -> None:
    url = asset_url(new_id(), base_url=payer.url, life_s=LIFE_S)
    response = ask(url)
    assert (response.status_code, response.json()) == (404, {"error": "There is no such file."})


def test_one_file_has_one_address(payer: Payer, asset: Asset) -> None:
    query = urlsplit(signed(payer, asset)).query
    for written in (str(asset.pk).upper(), asset.pk.hex, f"{{{asset.pk}}}", f"urn:uuid:{asset.pk}"):
        assert ask(f"{payer.url}/v1/assets/{written}?{query}").status_code == 403
        assert payer.get(f"/v1/assets/{written}").status_code == 404
    for more in ("/", "/x", "/../x"):
        assert payer.get(path(asset) + more).status_code == 404


def test_another_workspace_s_file_looks_like_none(make_payer: MakePayer, asset: Asset) -> None:
    stranger = make_payer()
    unknown = stranger.get(f"/v1/assets/{new_id()}")
    for response in (stranger.get(path(asset)), unknown):
        assert (response.status_code, response.json()) == (404, {"error": "There is no such file."})
    answer = requests.delete(
        stranger.url + path(asset), headers={"x-app-key": stranger.key}, timeout=30
    )
    assert (answer.status_code, answer.json()) == (404, {"error": "There is no such file."})
    assert rows("SELECT deleted_at FROM gateway_asset WHERE id = %s", asset.pk) == [
        {"deleted_at": None}
    ]


def test_a_stranger_s_credential_does_no_harm_to_a_signed_address(
    make_payer: MakePayer, payer: Payer, asset: Asset
) -> None:
    for key in (make_payer().key, "gw_live_wrong"):
        assert ask(signed(payer, asset), **{"x-app-key": key}).status_code == 200


def test_a_key_without_the_scope_of_the_medium_reads_and_deletes_nothing(
    make_payer: MakePayer,
) -> None:
    payer = make_payer(scopes=["jobs", "audio"])
    picture, sound = keep_image(payer.workspace_id), put(payer.workspace_id, os.urandom(9))
    assert (payer.get(path(picture)).status_code, payer.get(path(sound)).status_code) == (403, 200)
    response = ask(payer.url + path(picture), "DELETE", **{"x-app-key": payer.key})
    assert (response.status_code, payer.get(path(picture)).status_code) == (403, 403)
    assert ask(signed(payer, picture)).status_code == 200


def test_a_deleted_file_is_gone_for_everyone_at_once(payer: Payer, asset: Asset) -> None:
    url = signed(payer, asset)
    response = ask(payer.url + path(asset), "DELETE", **{"x-app-key": payer.key})
    assert (response.status_code, response.content) == (204, b"")
    assert (ask(url).status_code, payer.get(path(asset)).status_code) == (404, 404)
    again = ask(payer.url + path(asset), "DELETE", **{"x-app-key": payer.key})
    assert again.status_code == 404


def test_a_signed_address_is_only_for_reading(payer: Payer, asset: Asset) -> None:
    assert ask(signed(payer, asset), "DELETE").status_code == 401
    for method in ("POST", "PUT", "PATCH"):
        response = ask(signed(payer, asset), method)
        assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD, DELETE")
    assert ask(signed(payer, asset)).status_code == 200


def test_what_the_client_has_is_not_sent_again(payer: Payer, asset: Asset) -> None:
    tag = f'"{asset.sha256}"'
    for known in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        response = ask(signed(payer, asset), **{"if-none-match": known})
        assert (response.status_code, response.content) == (304, b"")
        assert response.headers["etag"] == tag
    for unknown in ('"x"', "x", '"*"', f'"{asset.sha256[:-1]}"'):
        assert ask(signed(payer, asset), **{"if-none-match": unknown}).status_code == 200


PARTS: list[tuple[str, bytes, str | None]] = [
    ("bytes=0-3", b"0123", "0-3"),
    ("bytes=4-4", b"4", "4-4"),
    ("bytes=4-", b"456789", "4-9"),
    ("bytes=-3", b"789", "7-9"),
    ("bytes=-99", DIGITS, "0-9"),
    ("bytes=8-99", b"89", "8-9"),
    ("bytes=0-1,4-5", DIGITS, None),
    ("bytes=5-4", DIGITS, None),
    ("bytes=-", DIGITS, None),
    ("bytes=a-b", DIGITS, None),
    ("bytes=1-2-3", DIGITS, None),
    ("lines=1-2", DIGITS, None),
    ("bytes=" + "9" * 40 + "-", DIGITS, None),
]


@pytest.mark.parametrize(("asked", "given", "told"), PARTS)
def test_one_part_of_a_file_is_given_and_else_the_whole(
    payer: Payer, asked: str, given: bytes, told: str | None
) -> None:
    sound = put(payer.workspace_id, DIGITS)
    response = ask(signed(payer, sound), range=asked)
    assert (response.status_code, response.content) == (206 if told else 200, given)
    expected = f"bytes {told}/10" if told else None
    assert response.headers.get("content-range") == expected
    assert response.headers["content-length"] == str(len(given))
    assert response.headers["content-disposition"] == f'inline; filename="{sound.pk}.mp3"'


@pytest.mark.parametrize("asked", ["bytes=10-", "bytes=10-12", "bytes=-0"])
def test_a_part_beyond_the_end_is_416(payer: Payer, asked: str) -> None:
    response = ask(signed(payer, put(payer.workspace_id, DIGITS)), range=asked)
    assert (response.status_code, response.headers["content-range"]) == (416, "bytes */10")
    assert response.json() == {"error": "The file has 10 bytes."}


def test_a_part_of_what_changed_is_the_whole(payer: Payer) -> None:
    sound = put(payer.workspace_id, DIGITS)
    same = {"range": "bytes=2-3", "if-range": f'"{sound.sha256}"'}
    other = {"range": "bytes=2-3", "if-range": '"x"'}
    assert ask(signed(payer, sound), **same).content == b"23"
    assert ask(signed(payer, sound), **other).content == DIGITS


def test_a_part_of_nothing_is_none() -> None:
    assert read_part(None, 0) is None
    for asked in ("bytes=0-", "bytes=-1"):
        with pytest.raises(RangeNotSatisfiable):
            read_part(asked, 0)
    assert read_part("bytes=0-0", 1) == Part(0, 1)


def test_a_browser_may_read_a_file_wherever_its_page_is_from(payer: Payer, asset: Asset) -> None:
    response = ask(signed(payer, asset), origin="https://app.example.com")
    assert response.headers["access-control-allow-origin"] == "*"
    exposed = response.headers["access-control-expose-headers"].split(", ")
    assert {"Content-Range", "ETag"} <= set(exposed)
    assert ask(payer.url + path(asset), "OPTIONS").status_code == 204


def test_what_is_no_picture_and_no_sound_is_only_saved(payer: Payer) -> None:
    page = put(payer.workspace_id, b"<script>alert(1)</script>", media_type="text/html")
    response = ask(signed(payer, page))
    assert response.headers["content-disposition"] == f'attachment; filename="{page.pk}.bin"'
    assert response.headers["x-content-type-options"] == "nosniff"


def test_a_file_whose_bytes_are_lost_is_503(payer: Payer) -> None:
    sound = put(payer.workspace_id, os.urandom(99))
    path_of(sound.sha256).unlink()
    assert ask(signed(payer, sound)).status_code == 503


def test_a_large_file_passes_through_in_pieces(
    payer: Payer, start_gateway: StartGateway, gateway_database: Database
) -> None:
    data = os.urandom(40 * 1024 * 1024)
    sound = put(payer.workspace_id, data)
    gateway = start_gateway(gateway_database)
    url = asset_url(sound.pk, base_url=gateway.url, life_s=LIFE_S)
    assert ask(url, range="bytes=0-9").content == data[:10]
    status = Path(f"/proc/{gateway.pid}/status")
    Path(f"/proc/{gateway.pid}/clear_refs").write_text("5")
    before = _kilobytes(status.read_text(), "VmRSS")
    found = hashlib.sha256()
    with requests.get(url, stream=True, timeout=30) as response:
        for piece in response.iter_content(65536):
            found.update(piece)
    assert found.hexdigest() == sound.sha256
    assert _kilobytes(status.read_text(), "VmHWM") - before < 20 * 1024


def _kilobytes(status: str, name: str) -> int:
    return int(status.split(f"{name}:")[1].split()[0])


def test_an_address_ends_at_its_moment_and_with_the_secret(settings: Any) -> None:
    id, now_s = new_id(), 1_800_000_000
    url = asset_url(id, base_url="https://a.test", life_s=60, now_s=now_s)
    query = urlsplit(url).query.encode()
    assert url.startswith(f"https://a.test/v1/assets/{id}?expires=1800000060&signature=")
    assert len(query.partition(b"signature=")[2]) == 43
    left = [expires_in(id, query, now_s=now_s + after_s) for after_s in (0, 59, 59.5, 60, 9999)]
    assert left == [60, 1, 1, 0, 0]
    settings.VAULT_SECRET = "another secret " * 4
    assert expires_in(id, query, now_s=now_s) == 0


def test_addresses_begin_with_what_the_operator_says_or_the_request_came_to(
    settings: Any,
) -> None:
    headers = [(b"host", b"api.example.com"), (b"x-forwarded-proto", b"https")]
    assert base_url(headers) == "http://api.example.com"
    settings.TRUSTED_PROXY_HOPS = 1
    assert base_url(headers) == "https://api.example.com"
    assert base_url(headers[:1]) == "http://api.example.com"
    settings.PUBLIC_URL = "https://files.example.com/"
    assert base_url(headers) == "https://files.example.com"

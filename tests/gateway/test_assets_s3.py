"""Files in a bucket: the same services and addresses, by boto3 against a double over HTTP."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from django.core.files.storage import storages

from gateway.media.addresses import asset_url
from gateway.media.errors import StorageUnavailable
from gateway.media.queries import read_asset, read_bytes
from gateway.media.services import drop, release_expired, remove_strays
from gateway.media.storages import asset_storage
from studio.core.ids import new_id
from tests.conftest import StartGateway
from tests.databases import Database, django_on
from tests.gateway.conftest import Payer
from tests.gateway.kept_files import keep_image, put
from tests.gateway.s3_double import BUCKET, Bucket, serving_s3

MakePayer = Callable[..., Payer]
SHA256 = "ab" * 32


@pytest.fixture
def bucket(settings: Any) -> Iterator[Bucket]:
    """Keep files in a bucket with a prefix."""
    with serving_s3() as serving:
        options = {
            "bucket_name": BUCKET,
            "endpoint_url": serving.url,
            "region_name": "eu-central-1",
            "access_key": "key",
            "secret_key": "secret",
            "location": "studio/made",
            "addressing_style": "path",
        }
        assets = {"BACKEND": "gateway.media.s3.S3Files", "OPTIONS": options}
        settings.STORAGES = {**settings.STORAGES, "assets": assets}
        yield serving
        storages["assets"].connection.meta.client.close()  # type: ignore[attr-defined]


def environment(bucket: Bucket) -> dict[str, str]:
    """Say the same to a gateway."""
    return {
        "ASSETS_S3_BUCKET": BUCKET,
        "ASSETS_S3_ENDPOINT_URL": bucket.url,
        "ASSETS_S3_REGION": "eu-central-1",
        "ASSETS_S3_ACCESS_KEY": "key",
        "ASSETS_S3_SECRET_KEY": "secret",
        "ASSETS_S3_PREFIX": "studio/made",
        "ASSETS_S3_ADDRESSING": "path",
    }


def test_a_file_lies_in_the_bucket_under_its_digest(
    fresh_database: Database, bucket: Bucket
) -> None:
    with django_on(fresh_database):
        asset, twin = keep_image(1), keep_image(2)
        key = f"studio/made/{asset.sha256[:2]}/{asset.sha256[2:4]}/{asset.sha256}"
        [(found, (data, media_type, _))] = bucket.objects.items()
        assert (found, media_type, len(data)) == (key, "image/png", asset.size_bytes)
        assert read_bytes(asset) == data
        assert drop(asset.pk, workspace_id=1)
        assert (release_expired(), len(bucket.objects)) == (0, 1)
        assert drop(twin.pk, workspace_id=2)
        assert (release_expired(), bucket.objects) == (1, {})


def test_a_bucket_that_fails_is_ours_to_try_again(fresh_database: Database, bucket: Bucket) -> None:
    with django_on(fresh_database):
        id = new_id()
        bucket.failing = 503
        with pytest.raises(StorageUnavailable) as caught:
            keep_image(1, id=id)
        assert (caught.value.retryable, read_asset(id)) == (True, None)
        assert len(bucket.asked) == 2
        bucket.failing = 0
        asset = keep_image(1, id=id)
        bucket.failing = 500
        with pytest.raises(StorageUnavailable):
            read_bytes(asset)
        drop(asset.pk, workspace_id=1)
        with pytest.raises(StorageUnavailable):
            release_expired()
        assert len(bucket.objects) == 1


def test_a_part_is_asked_for_alone(bucket: Bucket) -> None:
    storage, name = asset_storage(), f"ab/ab/{SHA256}"
    bucket.objects[f"studio/made/{name}"] = (b"0123456789", "audio/mpeg", datetime.now(UTC))
    body = storage.read_part(name, 3, 4)
    assert (body.read(2), body.read(9), body.read(9)) == (b"34", b"56", b"")
    body.close()
    assert bucket.asked[-1][2]["Range"] == "bytes=3-6"
    with pytest.raises(StorageUnavailable):
        storage.read_part("cd/cd/" + "cd" * 32, 0, 1)


def test_what_arrives_changed_is_refused_by_the_bucket(bucket: Bucket) -> None:
    with pytest.raises(StorageUnavailable):
        asset_storage().put(f"ab/ab/{SHA256}", b"of another digest", "image/png")
    assert bucket.objects == {}


def test_strays_are_found_over_all_pages(fresh_database: Database, bucket: Bucket) -> None:
    bucket.page = 2
    now = datetime.now(UTC)
    for number in range(5):
        for age_h in (23, 25):
            name = f"ab/{number:02x}/ab{number:02x}{age_h}" + "0" * 58
            bucket.objects[f"studio/made/{name}"] = (b"x", "x", now - timedelta(hours=age_h))
    bucket.objects["studio/made/ac/00/x"] = (b"x", "x", now - timedelta(hours=25))
    with django_on(fresh_database):
        assert remove_strays(now_s=0xAB // 2 * 600.0) == 5
    assert len(bucket.objects) == 6


def test_a_gateway_gives_the_bucket_s_bytes_as_its_own(
    make_payer: MakePayer,
    start_gateway: StartGateway,
    gateway_database: Database,
    bucket: Bucket,
) -> None:
    payer = make_payer()
    data = os.urandom(700_000)
    sound = put(payer.workspace_id, data)
    gateway = start_gateway(gateway_database, **environment(bucket))
    url = asset_url(sound.pk, base_url=gateway.url, life_s=60)
    whole = requests.get(url, timeout=30)
    assert (whole.status_code, whole.content) == (200, data)
    part = requests.get(url, headers={"range": "bytes=-5"}, timeout=30)
    assert (part.status_code, part.content) == (206, data[-5:])
    assert requests.head(url, timeout=30).headers["content-length"] == "700000"
    bucket.failing = 503
    assert requests.get(url, timeout=30).status_code == 503


def test_a_gateway_sends_readers_to_the_bucket_if_told_so(
    make_payer: MakePayer,
    start_gateway: StartGateway,
    gateway_database: Database,
    bucket: Bucket,
) -> None:
    payer = make_payer()
    sound = put(payer.workspace_id, b"0123456789")
    gateway = start_gateway(gateway_database, **environment(bucket), ASSETS_S3_REDIRECT="1")
    url = asset_url(sound.pk, base_url=gateway.url, life_s=60)
    response = requests.get(url, timeout=30, allow_redirects=False)
    location = urlsplit(response.headers["location"])
    assert (response.status_code, response.headers["cache-control"]) == (302, "private, no-store")
    assert f"{location.scheme}://{location.netloc}" == bucket.url
    assert "X-Amz-Expires=300" in location.query
    followed = requests.get(url, headers={"range": "bytes=2-3"}, timeout=30)
    assert (followed.status_code, followed.content) == (206, b"23")
    assert followed.headers["content-type"] == "audio/mpeg"
    head = requests.head(url, timeout=30, allow_redirects=False)
    assert (head.status_code, head.headers["content-length"]) == (200, "10")

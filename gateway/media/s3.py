"""A bucket of something that speaks S3. Only imported where ASSETS_S3_BUCKET names one.

Source: boto3 1.44 and django-storages 1.14 as installed; S3's API reference for PutObject,
GetObject, DeleteObject and ListObjectsV2.
"""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from botocore.config import Config  # type: ignore[import-untyped]
from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]
from django.conf import settings
from storages.backends.s3 import S3Storage  # type: ignore[import-untyped]
from urllib3.exceptions import HTTPError

from gateway.media.errors import StorageUnavailable
from gateway.media.storages import Body, Found

_REDIRECT_LIFE_S = 300


class _S3Body:
    """What the bucket sends, whose breaking off is ours to name."""

    def __init__(self, stream: Any) -> None:  # noqa: ANN401  botocore has no types
        self._stream = stream

    def read(self, amount: int, /) -> bytes:
        """Give at most so many of the next bytes."""
        try:
            found: bytes = self._stream.read(amount)
        except (BotoCoreError, HTTPError) as error:
            raise StorageUnavailable("The file broke off.") from error
        return found

    def close(self) -> None:
        """Give the connection back, or drop it if not all was read."""
        self._stream.close()


class S3Files(S3Storage):  # type: ignore[misc]  # it has no types
    """A bucket. Its keys come from settings, or from where boto3 finds them (a role)."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401  django-storages has no types
        super().__init__(**options)
        self.client_config = Config(
            signature_version="s3v4",
            s3={"addressing_style": self.addressing_style},
            connect_timeout=5,
            read_timeout=20,
            retries={"total_max_attempts": 2, "mode": "standard"},
            # Other services than Amazon's may not know the checksums that boto3 would add.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )

    def put(self, name: str, data: bytes, media_type: str) -> None:
        """Send the file in one request, with its digest for the other side to check."""
        digest = base64.b64encode(bytes.fromhex(name.rpartition("/")[2])).decode()
        try:
            self._client.put_object(
                Bucket=self.bucket_name,
                Key=self._normalize_name(name),
                Body=data,
                ContentType=media_type,
                ChecksumSHA256=digest,
            )
        except (BotoCoreError, ClientError) as error:
            raise StorageUnavailable("The file could not be stored.") from error

    def read_part(self, name: str, first: int, count: int) -> Body:
        """Ask for the part alone."""
        try:
            found = self._client.get_object(
                Bucket=self.bucket_name,
                Key=self._normalize_name(name),
                Range=f"bytes={first}-{first + count - 1}",
            )
        except (BotoCoreError, ClientError) as error:
            raise StorageUnavailable("The file cannot be read right now.") from error
        return _S3Body(found["Body"])

    def remove(self, name: str) -> None:
        """Delete a file, if it is there."""
        try:
            self._client.delete_object(Bucket=self.bucket_name, Key=self._normalize_name(name))
        except (BotoCoreError, ClientError) as error:
            raise StorageUnavailable("The file could not be deleted.") from error

    def redirect_url(self, name: str, media_type: str, disposition: str) -> str | None:
        """Sign an address at the bucket, if ASSETS_S3_REDIRECT says so."""
        if not settings.ASSETS_S3_REDIRECT:
            return None
        asked = {
            "Bucket": self.bucket_name,
            "Key": self._normalize_name(name),
            "ResponseContentType": media_type,
            "ResponseContentDisposition": disposition,
        }
        return str(self._client.generate_presigned_url("get_object", asked, _REDIRECT_LIFE_S))

    def found_in(self, folder: str) -> Iterator[Found]:
        """List by the prefix, a thousand at a time."""
        root = self._normalize_name("")
        pages = self._client.get_paginator("list_objects_v2")
        now = datetime.now(UTC)
        try:
            prefix = self._normalize_name(folder) + "/"
            for page in pages.paginate(Bucket=self.bucket_name, Prefix=prefix):
                for entry in page.get("Contents", ()):
                    name = entry["Key"].removeprefix(root).lstrip("/")
                    age_s = (now - entry["LastModified"]).total_seconds()
                    yield Found(name=name, age_s=age_s)
        except (BotoCoreError, ClientError) as error:
            raise StorageUnavailable("The files cannot be listed right now.") from error

    @property
    def _client(self) -> Any:  # noqa: ANN401  boto3 has no types
        return self.connection.meta.client

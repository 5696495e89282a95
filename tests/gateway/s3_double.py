"""A very small S3: one bucket in memory, over real HTTP, for the requests that we send.

Source: Amazon S3 API reference (PutObject, GetObject, DeleteObject, ListObjectsV2), forms of
requests and answers as boto3 1.44 reads them.
"""

import base64
import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

BUCKET = "files"
_RANGE = re.compile(r"bytes=(\d+)-(\d+)")
_SIGNED = "AWS4-HMAC-SHA256 "


class Bucket(ThreadingHTTPServer):
    """What lies in the bucket, what was asked, and what to fail with."""

    daemon_threads = True

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, str, datetime]] = {}
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.failing = 0
        self.page = 1000
        super().__init__(("127.0.0.1", 0), _Request)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Let clients go as they like."""


class _Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Bucket

    def do_PUT(self) -> None:
        key = self._begin()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        told = self.headers.get("x-amz-checksum-sha256")
        if key is None:
            return
        if told != base64.b64encode(hashlib.sha256(body).digest()).decode():
            self._fail(400, "BadDigest")
            return
        self.server.objects[key] = (body, self.headers["Content-Type"], datetime.now(UTC))
        self._answer(200, b"")

    def do_GET(self) -> None:
        key = self._begin()
        if key is None:
            return
        query = parse_qs(urlsplit(self.path).query)
        found = self.server.objects.get(key)
        if "list-type" in query:
            self._list(query)
        elif found is None:
            self._fail(404, "NoSuchKey")
        else:
            asked = _RANGE.fullmatch(self.headers.get("Range", ""))
            body = found[0][int(asked[1]) : int(asked[2]) + 1] if asked else found[0]
            media_type = query.get("response-content-type", [found[1]])[0]
            self._answer(206 if asked else 200, body, media_type)

    def do_DELETE(self) -> None:
        key = self._begin()
        if key is not None:
            self.server.objects.pop(key, None)
            self._answer(204, b"")

    def _begin(self) -> str | None:
        """Note the request. Returns: its key; None if it was refused."""
        path = unquote(urlsplit(self.path).path).removeprefix(f"/{BUCKET}").lstrip("/")
        self.server.asked.append((self.command, path, dict(self.headers.items())))
        signed = self.headers.get("Authorization", "").startswith(_SIGNED)
        if not signed and "X-Amz-Signature" not in self.path:
            self._fail(403, "AccessDenied")
            return None
        if self.server.failing:
            self._fail(self.server.failing, "SlowDown")
            return None
        return path

    def _list(self, query: dict[str, list[str]]) -> None:
        prefix, after = query["prefix"][0], query.get("continuation-token", [""])[0]
        keys = sorted(key for key in self.server.objects if key.startswith(prefix) and key > after)
        shown, more = keys[: self.server.page], len(keys) > self.server.page
        entries = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(self.server.objects[key][0])}</Size>"
            f"<LastModified>{self.server.objects[key][2]:%Y-%m-%dT%H:%M:%S.000Z}</LastModified>"
            "</Contents>"
            for key in shown
        )
        token = f"<NextContinuationToken>{shown[-1]}</NextContinuationToken>" if more else ""
        body = (
            '<?xml version="1.0" encoding="UTF-8"?>'
            '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}{entries}</ListBucketResult>"
        )
        self._answer(200, body.encode(), "application/xml")

    def _fail(self, status: int, code: str) -> None:
        body = f"<Error><Code>{code}</Code><Message>no</Message></Error>"
        self._answer(status, body.encode(), "application/xml")

    def _answer(self, status: int, body: bytes, media_type: str = "") -> None:
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        if media_type:
            self.send_header("Content-Type", media_type)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def serving_s3() -> Iterator[Bucket]:
    """Have a bucket for as long as the block lasts."""
    with Bucket() as bucket:
        thread = threading.Thread(target=bucket.serve_forever, args=[0.01])
        thread.start()
        try:
            yield bucket
        finally:
            bucket.shutdown()
            thread.join()

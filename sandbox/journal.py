"""What was asked of the sandbox and what became of it, for tests: `GET /_sandbox/requests`.

Keys are shown as SHA-256 and their last four characters, never whole.
"""

import asyncio
import hashlib
import time
from collections import deque

from sandbox.messages import Headers, Json

CAPACITY = 10_000
KEPT_BODY_BYTES = 16_384
PATIENCE_S = 10.0
LOOK_AGAIN_S = 0.01

_SHOWN_HEADERS = frozenset(
    (
        *(b"content-type", b"content-length", b"transfer-encoding", b"accept", b"accept-encoding"),
        *(b"user-agent", b"x-request-id", b"idempotency-key", b"traceparent", b"x-sandbox-faults"),
        *(b"openai-organization", b"openai-project", b"anthropic-version", b"anthropic-beta"),
    )
)
_CREDENTIALS = frozenset(
    (b"authorization", b"x-api-key", b"xi-api-key", b"api-key", b"x-goog-api-key")
)


class Entry:
    """One request and its fate, kept raw and rendered when it is read: writing is cheap."""

    __slots__ = (
        *("method", "path", "query", "headers", "body", "body_bytes", "digest", "number"),
        *("received_at", "status", "bytes_sent", "events_sent", "finished_at", "left_at", "broken"),
    )

    def __init__(self, method: str, path: str, query: bytes, headers: Headers, number: int) -> None:
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.number = number
        self.received_at = time.time()
        self.body = b""
        self.body_bytes = 0
        self.digest = b""
        self.status = 0
        self.bytes_sent = 0
        self.events_sent = 0
        self.finished_at: float | None = None
        self.left_at: float | None = None
        self.broken = False

    def take_body(self, body: bytes, digest: bytes) -> None:
        """Keep the beginning of the body, and its length and digest."""
        self.body = body[:KEPT_BODY_BYTES]
        self.body_bytes = len(body)
        self.digest = digest

    def render(self) -> Json:
        """Show the entry; times are Unix seconds, `after_ms` counts from the request's arrival."""
        ended_at = self.left_at or self.finished_at
        after_ms = None if ended_at is None else round((ended_at - self.received_at) * 1000, 1)
        return {
            "number": self.number,
            "method": self.method,
            "path": self.path,
            "query": self.query.decode("latin-1"),
            "headers": _shown(self.headers),
            "body": self.body.decode("utf-8", "replace"),
            "body_bytes": self.body_bytes,
            "body_sha256": self.digest.hex(),
            "received_at": self.received_at,
            "status": self.status,
            "bytes_sent": self.bytes_sent,
            "events_sent": self.events_sent,
            "state": self._state(),
            "ended_at": ended_at,
            "after_ms": after_ms,
        }

    def _state(self) -> str:
        """`running`, `finished`, `client_left`, or `broken` by a fault that was asked for."""
        if self.broken:
            return "broken"
        if self.left_at is not None:
            return "client_left"
        return "running" if self.finished_at is None else "finished"


class Journal:
    """The last requests, oldest first."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=CAPACITY)
        self._count = 0

    def open(self, method: str, path: str, query: bytes, headers: Headers) -> Entry:
        """Begin the entry of a request."""
        entry = Entry(method, path, query, headers, self._count)
        self._count += 1
        self._entries.append(entry)
        return entry

    async def find(self, contains: str, *, at_least: int, settled: bool) -> list[Json]:
        """Show the entries whose path or kept body contains a text; all of them for "".

        Waits, at most `PATIENCE_S`, until there are `at_least` so many and, if `settled`, all of
        them have ended: a test then needs no sleep.
        """
        deadline = time.monotonic() + PATIENCE_S
        while True:
            found = self._containing(contains)
            ended = all(e.left_at or e.finished_at for e in found) or not settled
            if (ended and len(found) >= at_least) or time.monotonic() > deadline:
                return [e.render() for e in found]
            await asyncio.sleep(LOOK_AGAIN_S)

    def _containing(self, text: str) -> list[Entry]:
        wanted = text.encode()
        return [e for e in self._entries if wanted in e.body or text in e.path]

    def clear(self) -> None:
        """Forget every entry."""
        self._entries.clear()


def _shown(headers: Headers) -> Json:
    shown: Json = {}
    for name, value in headers:
        if name in _SHOWN_HEADERS:
            shown[name.decode("latin-1")] = value.decode("latin-1")
        elif name in _CREDENTIALS:
            secret = value.removeprefix(b"Bearer ")
            last_four = secret[-4:].decode("latin-1")
            fingerprint = hashlib.sha256(secret).hexdigest()
            shown[name.decode("latin-1")] = {"sha256": fingerprint, "last_four": last_four}
    return shown

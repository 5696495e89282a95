"""The places of the walk where a web process is killed, and the calls that die there.

docs/ledger.md says what becomes of a call at each. scene.py leads calls there.
"""

import contextlib
import http.client
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, get_args
from uuid import uuid4

import msgspec

Point = Literal[
    "hold-unsent",
    "hold-unanswered",
    "call-unsent",
    "call-unanswered",
    "answer-half",
    "settle-unsent",
    "settle-under-way",
    "settle-broken-off",
    "settle-unanswered",
    "answered",
]
Kind = Literal["plain", "stream", "keyed", "embedding", "byok", "speech"]
POINTS: Final[tuple[Point, ...]] = get_args(Point)
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
UNASKED: Final = frozenset(("hold-unsent", "hold-unanswered", "call-unsent"))
"""Points at which the provider has heard nothing."""
SETTLED: Final = frozenset(("settle-under-way", "settle-unanswered", "answered"))
"""Points after which the call is charged as if nothing had happened."""

_USER_KEY = "sk-torture-user"
_FAULTS: Final[Mapping[Kind, str]] = {
    "plain": "chunks=12",
    "stream": "chunks=320 chunk_delay_ms=1",
    "keyed": "chunks=12",
    "embedding": "latency_ms=1",
    "byok": "chunks=12",
    "speech": "latency_ms=1",
}
_PATHS: Final[Mapping[Kind, str]] = {"embedding": "/v1/embeddings", "speech": "/v1/audio/speech"}
_LONG_WORDS = "The tide went out, and nobody was there to see how far it went. " * 5
"""Some twenty seconds of sound: more tokens than a checkpoint has."""


@dataclass(slots=True, kw_only=True, eq=False)
class Probe:
    """One call that is to die at a point, and what its caller heard."""

    kind: Kind
    tag: str
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    whole: bool = False
    thread: threading.Thread | None = None

    @property
    def lanes(self) -> tuple[str, str]:
        """The connections that its hold and its settle go by."""
        own = self.kind == "byok"
        return ("studio-open", "studio-finish") if own else ("studio-hold", "studio-settle")

    def send(self, port: int, app_key: str) -> None:
        """Ask, in a thread of its own."""
        self.thread = threading.Thread(target=self.ask, args=(port, app_key), daemon=True)
        self.thread.start()

    def join(self, seconds: float) -> None:
        """Wait until the asking is over."""
        assert self.thread is not None
        self.thread.join(seconds)

    def ask(self, port: int, app_key: str) -> None:
        """Ask, and read what comes of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self.status, self.headers, self.body, self.whole = 0, {}, b"", False
        with (
            contextlib.closing(connection),
            contextlib.suppress(OSError, http.client.HTTPException),
        ):
            path = _PATHS.get(self.kind, "/v1/chat")
            connection.request("POST", path, self._body(), self._headers(app_key))
            response = connection.getresponse()
            self.status = response.status
            self.headers = {name.lower(): value for name, value in response.getheaders()}
            while data := response.read1():
                self.body += data
            self.whole = self._has_all()

    def _has_all(self) -> bool:
        if "content-length" in self.headers:
            return len(self.body) == int(self.headers["content-length"])
        if self.kind == "speech":
            return True  # it was read to its end, which a broken one has not
        return b"data: [DONE]" in self.body

    def _headers(self, app_key: str) -> dict[str, str]:
        headers = {"x-app-key": app_key, "x-user-id": self.tag, "content-type": "application/json"}
        if self.kind == "keyed":
            headers["idempotency-key"] = self.tag
        if self.kind == "speech":
            headers["cache-control"] = "no-store"
        if self.kind == "byok":
            headers["x-user-openai-key"] = _USER_KEY
        return headers

    def _body(self) -> bytes:
        text = f"torture:{self.tag}: tell me of the sea. [[sandbox {_FAULTS[self.kind]}]]"
        if self.kind == "embedding":
            return msgspec.json.encode({"kind": "embedding.default", "input": text})
        if self.kind == "speech":
            spoken = {"model": "gpt-4o-mini-tts", "input": text + _LONG_WORDS, "voice": "alloy"}
            return msgspec.json.encode(spoken)
        body: dict[str, object] = {
            "kind": "chat.default",
            "messages": [{"role": "user", "content": text}],
            "max_tokens": 400,
        }
        if self.kind == "stream":
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        return msgspec.json.encode(body)


def make_probes(kinds: Sequence[Kind]) -> list[Probe]:
    """Make a call of each kind. All tags are of one length, so that all cost the same."""
    return [Probe(kind=kind, tag=f"kill{uuid4().hex}") for kind in kinds]

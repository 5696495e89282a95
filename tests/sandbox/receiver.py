"""A receiver of webhooks: real HTTP, and a queue to wait at."""

import contextlib
import http.server
import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

PATIENCE_S = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message; header names are in lower case."""

    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """Where messages arrive, and the statuses to answer the first ones with."""

    url: str
    statuses: list[int]
    messages: "queue.Queue[Message]" = field(default_factory=queue.Queue)

    def next(self) -> Message:
        """Wait for the next message."""
        return self.messages.get(timeout=PATIENCE_S)


@contextlib.contextmanager
def receiving(*statuses: int) -> Iterator[Receiver]:
    """Receive, and answer the first messages with these statuses, others with 200."""
    receivers: list[Receiver] = []

    class Door(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # noqa: N802 - the base class's name
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            (receiver,) = receivers
            status = receiver.statuses.pop(0) if receiver.statuses else 200
            self.send_response(status)
            self.end_headers()
            receiver.messages.put(Message(headers=headers, body=body))

        def log_message(self, *_: Any) -> None:  # noqa: ANN401 - the base class's signature
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Door)
    url = f"http://127.0.0.1:{server.server_port}/hook?run=1"
    receivers.append(Receiver(url=url, statuses=list(statuses)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield receivers[0]
    finally:
        server.shutdown()
        server.server_close()

"""Gates on a process's connections, where what passes can be made to stand still.

A gate listens for one process and passes everything on to the server behind it. A stop names the
message it waits for. Once it stands there, nothing more passes on that connection until `open`, and
`fall` drops it: what was not passed on is then as if the process had never sent it, or never heard
it. So a process can be killed at an exact place of its work, and knows nothing of all this.

    message       how a stop knows it
    PostgreSQL's  lane (the connection's application_name), words in statements and parameters
    HTTP          words in the request

    side          what stands still there
    unsent        the message, before the server has it
    unanswered    the answer, when the server has done what was asked; no byte of it gets through
    half          the answer, when a part of it has got through (HTTP)
"""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

Side = Literal["unsent", "unanswered", "half"]
_REACHED_WITHIN_S = 30.0
_ENCRYPTION_REQUESTS = (80877103, 80877104)
"""Codes of SSLRequest and GSSENCRequest.

Source: PostgreSQL 18 documentation, 54.7 Message Formats.
"""
_STATEMENTS = (b"P", b"B", b"Q")
"""Parse, Bind and Query: the messages that carry a statement or its parameters."""
_READY = b"Z"
"""ReadyForQuery: the statement is over, and its transaction with it unless one was begun."""


class NotReached(Exception):
    """Nothing came to a stop in time."""


@dataclass(slots=True, kw_only=True, eq=False)
class Stop:
    """Where the next message stands still that comes by `lane` and has one of `marks` in it.

    With `after`, that was said on the connection before, since the last commit there. Of an answer
    in events `events` get through a stop at its half, of another one half its bytes.
    """

    side: Side
    lane: str | None = None
    marks: tuple[str, ...]
    after: str = ""
    events: int = 0
    _reached: threading.Event = field(default_factory=threading.Event)
    _over: threading.Event = field(default_factory=threading.Event)
    _dropped: bool = False
    taken: bool = False

    def wait(self) -> None:
        """Wait until something stands here. Raises: NotReached."""
        if not self._reached.wait(_REACHED_WITHIN_S):
            raise NotReached(f"{self.lane or 'connection'} with {self.marks} {self.side}")

    def open(self) -> None:
        """Let it go on."""
        self._over.set()

    def fall(self) -> None:
        """Drop it, and the connection."""
        self._dropped = True
        self._over.set()

    def stand(self) -> bool:
        """Stand still here. Returns: whether it goes on."""
        self._reached.set()
        self._over.wait()
        return not self._dropped

    def fits(self, lane: str, said: bytes, message: bytes) -> bool:
        """Tell whether this is the message that was waited for."""
        if self.taken or (self.lane is not None and self.lane != lane):
            return False
        marked = any(mark.encode() in message for mark in self.marks)
        return marked and self.after.encode() in said


class Gate:
    """A listening port whose connections lead to one server."""

    def __init__(self, port: int, relay: "_Relay") -> None:
        self._server = ("127.0.0.1", port)
        self._relay = relay
        self._stops: list[Stop] = []
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self, stop: Stop) -> Stop:
        """Wait for a message from now on."""
        with self._lock:
            self._stops.append(stop)
        return stop

    def fall(self) -> None:
        """Drop whatever stands at a stop, and forget all stops."""
        with self._lock:
            stops, self._stops = self._stops, []
        for stop in stops:
            stop.taken = True
            stop.fall()

    def close(self) -> None:
        """Accept nothing more."""
        self.fall()
        self._listener.close()

    def find(self, lane: str, said: bytes, message: bytes) -> Stop | None:
        """Give the stop that a message has come to, which is then its own."""
        with self._lock:
            for stop in self._stops:
                if stop.fits(lane, said, message):
                    stop.taken = True
                    return stop
        return None

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            server = socket.create_connection(self._server)
            with server:
                for end in (client, server):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with contextlib.suppress(OSError, EOFError):
                    self._relay(self, client, server)
                _hang_up(client, server)


_Relay = Callable[[Gate, socket.socket, socket.socket], None]


@dataclass(slots=True, eq=False)
class _Link:
    """One connection: the stop that its next answer comes to."""

    answer: Stop | None = None


def postgres_gate(port: int) -> Gate:
    """Open a gate to PostgreSQL."""
    return Gate(port, _relay_postgres)


def http_gate(port: int) -> Gate:
    """Open a gate to an HTTP server whose clients send bodies of known length."""
    return Gate(port, _relay_http)


def _relay_postgres(gate: Gate, client: socket.socket, server: socket.socket) -> None:
    lane = _relay_startup(client, server)
    link = _Link()
    _in_background(_relay_results, link, client, server)
    said = b""
    while True:
        kind, message = _read_message(client)
        if kind in _STATEMENTS:
            said += message
            stop = gate.find(lane, said, message)
            if stop is not None and stop.side == "unsent" and not stop.stand():
                return
            if stop is not None and stop.side == "unanswered":
                link.answer = stop
            if b"COMMIT" in message:
                said = b""
            said = said[-200_000:]
        server.sendall(message)


def _relay_startup(client: socket.socket, server: socket.socket) -> str:
    """Pass on what comes before the first message with a type. Returns: the application's name."""
    while True:
        head = _read(client, 8)
        length, code = struct.unpack("!ii", head)
        rest = _read(client, length - 8)
        server.sendall(head + rest)
        if code not in _ENCRYPTION_REQUESTS:
            words = rest.split(b"\0")
            names = dict(zip(words[::2], words[1::2], strict=False))
            return names.get(b"application_name", b"").decode()
        client.sendall(_read(server, 1))


def _relay_results(link: _Link, client: socket.socket, server: socket.socket) -> None:
    """Pass on what the server says; at a stop, only when it has said all."""
    kept = b""
    while True:
        kind, message = _read_message(server)
        if link.answer is None:
            client.sendall(message)
            continue
        kept += message
        if kind == _READY:
            if not link.answer.stand():
                return
            link.answer = None
            client.sendall(kept)
            kept = b""


def _read_message(source: socket.socket) -> tuple[bytes, bytes]:
    """Read one message. Returns: its type, and all of it."""
    head = _read(source, 5)
    return head[:1], head + _read(source, struct.unpack("!i", head[1:])[0] - 4)


def _relay_http(gate: Gate, client: socket.socket, server: socket.socket) -> None:
    link = _Link()
    _in_background(_relay_answers, link, client, server)
    while True:
        request = _read_request(client)
        stop = gate.find("", request, request)
        if stop is not None and stop.side == "unsent":
            if not stop.stand():
                return
            stop = None
        link.answer = stop
        server.sendall(request)


def _relay_answers(link: _Link, client: socket.socket, server: socket.socket) -> None:
    """Pass on what the server says; at a stop, as much of the answer as may pass."""
    answer = b""
    passed = 0
    while data := server.recv(65_536):
        stop = link.answer
        if stop is None:
            client.sendall(data)
            continue
        answer += data
        may_pass = _may_pass(stop, answer)
        whole = may_pass < len(answer) or stop.side == "unanswered"
        client.sendall(answer[passed:may_pass])
        passed = may_pass
        if whole:
            if not stop.stand():
                return
            link.answer = None
            client.sendall(answer[passed:])
            answer, passed = b"", 0
    client.shutdown(socket.SHUT_WR)


def _may_pass(stop: Stop, answer: bytes) -> int:
    """Say how much of an answer gets through a stop."""
    if stop.side == "unanswered":
        return 0
    head, found, body = answer.partition(b"\r\n\r\n")
    begun = len(head) + 4
    if not found:
        return len(answer)
    length = _length_of(head)
    if length is not None:
        return min(len(answer), begun + length // 2)
    end = 0
    for _ in range(stop.events):
        end = body.find(b"\n\n", end) + 2
        if end == 1:
            return len(answer)
    return begun + end


def _read_request(client: socket.socket) -> bytes:
    request = b""
    while b"\r\n\r\n" not in request:
        request += _received(client)
    head, _, body = request.partition(b"\r\n\r\n")
    missing = (_length_of(head) or 0) - len(body)
    return request + _read(client, max(0, missing))


def _length_of(head: bytes) -> int | None:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return int(value)
    return None


def _read(source: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = source.recv(count - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def _received(source: socket.socket) -> bytes:
    data = source.recv(65_536)
    if not data:
        raise EOFError
    return data


def _in_background(
    relay: Callable[[_Link, socket.socket, socket.socket], None],
    link: _Link,
    client: socket.socket,
    server: socket.socket,
) -> None:
    """Relay the other direction; when it ends, so does the connection."""

    def run() -> None:
        with contextlib.suppress(OSError, EOFError):
            relay(link, client, server)
        _hang_up(client, server)

    threading.Thread(target=run, daemon=True).start()


def _hang_up(*ends: socket.socket) -> None:
    """Tell both ends that it is over: closing alone says nothing while a thread still reads."""
    for end in ends:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)

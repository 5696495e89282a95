"""Reading server-sent events, whatever lies in them. Bounded memory, any line ends, any cuts.

Source: WHATWG HTML, 9.2.6 (interpreting an event stream).
"""

from msgspec import Struct

MAX_EVENT_BYTES = 1024 * 1024


class Event(Struct, frozen=True):
    """One event: its name, empty if it has none, and its data, lines joined by a line feed."""

    name: bytes
    data: bytes


class EventReader:
    """Cuts bytes into events; what comes does not depend on how the bytes were cut into reads.

    `overflow` is True once an event passed 1 MB; then nothing more is given.
    """

    def __init__(self) -> None:
        self.overflow = False
        self._tail = bytearray()
        self._held_return = False

    @property
    def is_inside_event(self) -> bool:
        """Whether what comes next may belong to what came before."""
        return self._held_return or len(self._tail) > 0

    def feed(self, data: bytes) -> list[Event]:
        """Take what was read; give the events that are complete. Comments and retries are dropped.

        An event without data is none.
        """
        if self.overflow:
            return []
        data = self._with_line_feeds(data)
        if not self._tail and data.endswith(b"\n\n"):
            return self._events(data[:-2])  # most reads end where an event does
        self._tail += data
        if b"\n" not in data or (end := self._tail.rfind(b"\n\n")) < 0:
            self._check(len(self._tail))
            return []
        whole = bytes(self._tail[:end])
        del self._tail[: end + 2]
        self._check(len(self._tail))
        return self._events(whole)

    def _events(self, whole: bytes) -> list[Event]:
        events = []
        for block in whole.split(b"\n\n"):
            plain = block.startswith(b"data: ") and b"\n" not in block
            event = Event(b"", block[6:]) if plain else _read(block)
            if event is None:
                continue
            if len(event.data) > MAX_EVENT_BYTES:
                self._check(len(event.data))
                break
            events.append(event)
        return events

    def _with_line_feeds(self, data: bytes) -> bytes:
        """Make all line ends LF; a CR at the very end waits for what follows it."""
        if not self._held_return and b"\r" not in data:
            return data
        if self._held_return:
            data = b"\r" + data
        self._held_return = data.endswith(b"\r")
        if self._held_return:
            data = data[:-1]
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _check(self, event_bytes: int) -> None:
        if event_bytes > MAX_EVENT_BYTES:
            self.overflow = True
            self._tail.clear()


def is_utf8(data: bytes) -> bool:
    """Tell whether bytes are what an event stream is made of: UTF-8."""
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _read(block: bytes) -> Event | None:
    """Read one event. Nearly all are a line of data, with or without a line of name before it."""
    name = b""
    if block.startswith(b"event: "):
        named, _, block = block.partition(b"\n")
        name = named[7:].strip()
    if block.startswith(b"data: ") and b"\n" not in block:
        return Event(name, block[6:])
    lines = []
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        if field == b"data":
            lines.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.strip()
    return Event(name, b"\n".join(lines)) if lines else None

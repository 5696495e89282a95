"""What a double receives and what it gives back."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from sandbox.faults import NO_FAULTS, Faults

Json: TypeAlias = dict[str, Any]
Headers: TypeAlias = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request to a double; `path` follows its name (`/v1/chat/completions`)."""

    method: str
    path: str
    headers: dict[bytes, bytes]
    body: bytes
    digest: bytes
    """SHA-256 of the body: what a double derives ids from."""
    number: int
    """How many requests came before: what a double derives the id of this exchange from."""
    due: Callable[[Faults], Faults]
    """What is left of the faults of a request once `times` is counted."""
    query: str = ""
    """What follows the `?`."""

    def header(self, name: bytes) -> str:
        """Read one header as text; empty when it is absent."""
        return self.headers.get(name, b"").decode("latin-1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer: a `body`, or the `events` of a stream, each without its closing blank line, or the
    `pieces` of a body that is made while it is sent, `pace_ms` apart.
    """

    status: int = 200
    headers: Headers = field(default_factory=list)
    body: bytes = b""
    events: Iterator[bytes] | None = None
    pieces: Iterator[bytes] | None = None
    pace_ms: int = 0
    error_event: bytes = b""
    """What the fault `error_event` puts into a stream, in the provider's own form."""
    faults: Faults = NO_FAULTS

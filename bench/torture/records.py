"""What the load is told to do, and what it writes down of each call. One JSON line per call, as it
ends.
"""

from pathlib import Path

import msgspec

ACKNOWLEDGED = "acknowledged"
"""The caller has its whole answer: for a stream, it saw `[DONE]` and no error before it."""
REFUSED = "refused"
"""A whole answer with another status than 200."""
BROKEN = "broken"
"""The connection ended before the answer did, or the stream ended with an error."""
LEFT = "left"
"""The caller itself went away in the middle of a stream."""
HUNG = "hung"
"""No answer within the caller's patience."""
UNSENT = "unsent"
"""Nobody accepted the connection."""


class LoadPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks what. `weights` gives the share of each kind of call; `patience_s` how long one
    answer is waited for.
    """

    ports: list[int]
    app_key: str
    callers: int
    seed: int
    name: str
    weights: dict[str, int]
    calls_file: str
    patience_s: float = 80.0


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request and its end. `tag` is in the prompt and in `x-user-id`, hence in journal, call
    and usage row.

    `charge_ucr` is what the answer said, None if it did not; `attempt` counts repeats under one
    Idempotency-Key.
    """

    tag: str
    kind: str
    end: str
    status: int = 0
    request_id: str = ""
    charge_ucr: int | None = None
    code: str = ""
    attempt: int = 1
    replayed: bool = False
    took_s: float = 0.0


def read_calls(path: Path) -> list[Call]:
    """Read what a load wrote."""
    decode = msgspec.json.Decoder(Call).decode
    return [decode(line) for line in path.read_bytes().splitlines()]

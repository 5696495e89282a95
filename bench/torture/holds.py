"""Far more callers at once than the wallet affords: exactly as many are let in as there is credit
for.

Every call asks for a stream that falls silent after its first event, so that who was let in stays
in and holds its credit until all others have been refused. Then everybody leaves, and the wallet
has all its credit again.
"""

import asyncio
import contextlib
import resource
from collections import Counter
from collections.abc import Sequence

import msgspec

_PATIENCE_S = 120.0
_PROMPT = "[[sandbox hang=1]] torture:holds: wait."


class Crowd(msgspec.Struct, frozen=True, kw_only=True):
    """How the callers fared: let in, refused with 402, and whatever else happened, by its name."""

    admitted: int
    refused: int
    others: dict[str, int]
    held_ucr: int


class Door:
    """Counts those who have their answer, and keeps those who were let in until all have."""

    def __init__(self, expected: int) -> None:
        self.answers: Counter[str] = Counter()
        self.held: set[str] = set()
        self.all_answered = asyncio.Event()
        self._expected = expected

    def note(self, status: str, held: str) -> None:
        """Count one answer."""
        self.answers[status] += 1
        if held:
            self.held.add(held)
        if self.answers.total() == self._expected:
            self.all_answered.set()


async def crowd(ports: Sequence[int], app_key: str, count: int) -> Crowd:
    """Let `count` callers ask at once, spread over the gateways at `ports`; wait for all answers,
    then leave.
    """
    allow_files(2 * count)
    door = Door(count)
    request = _request(app_key)
    async with asyncio.timeout(_PATIENCE_S):
        await asyncio.gather(*(_ask(ports[n % len(ports)], request, door) for n in range(count)))
    answers = door.answers
    return Crowd(
        admitted=answers.pop("200", 0),
        refused=answers.pop("402", 0),
        others=dict(answers),
        held_ucr=_one_amount(door.held),
    )


async def _ask(port: int, request: bytes, door: Door) -> None:
    status, held = "", ""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError as error:
        door.note(type(error).__name__, "")
        return
    try:
        writer.write(request)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            status = head[9:12]
            held = head.partition("x-credits-held: ")[2].partition("\r\n")[0]
        except (OSError, asyncio.IncompleteReadError) as error:
            status = type(error).__name__
        door.note(status, held)
        await door.all_answered.wait()
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def _request(app_key: str) -> bytes:
    body = msgspec.json.encode(
        {
            "kind": "chat.default",
            "messages": [{"role": "user", "content": _PROMPT}],
            "max_tokens": 1000,
            "stream": True,
        }
    )
    return (
        "POST /v1/chat HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n"
        f"authorization: Bearer {app_key}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    ).encode() + body


def _one_amount(held: set[str]) -> int:
    """Read what each of them held, in µcr: the same for all, as they asked the same; 0 if nobody
    was let in.
    """
    if not held:
        return 0
    (credits,) = held
    whole, _, places = credits.partition(".")
    return int(whole) * 1_000_000 + int(places.ljust(6, "0")[:6])


def allow_files(wanted: int) -> None:
    """Let this process, and those it starts from now on, open so many files, as far as we may."""
    wanted += 256  # what a process has open anyhow
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(wanted, hard)), hard))

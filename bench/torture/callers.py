"""The load: callers that ask, read the whole answer, and write down how it ended. `python -m
bench.torture.callers PLAN`.

Every call has a connection of its own, because what it is connected to may be killed at any time.
On SIGTERM the callers ask nothing new and finish what is under way.
"""

import asyncio
import contextlib
import random
import signal
import sys
import time
from decimal import Decimal
from pathlib import Path
from zlib import crc32

import msgspec
import uvloop

from bench.torture.records import ACKNOWLEDGED, BROKEN, HUNG, LEFT, REFUSED, UNSENT, Call, LoadPlan

_AFTER_TROUBLE_S = 0.05
_BETWEEN_REPEATS_S = 2.0
_REPEAT_FOR_S = 110.0
_FAULTS = {
    "plain": "latency_ms=60 chunks=12",
    "keyed": "latency_ms=60 chunks=12",
    "failing": "latency_ms=30 status=500",
    "stream": "latency_ms=20 chunks=24 chunk_delay_ms=25",
    "long": "latency_ms=20 chunks=160 chunk_delay_ms=25",
    "leaving": "latency_ms=20 chunks=40 chunk_delay_ms=25",
}
"""What each kind of call asks of the sandbox."""
_STREAMED = frozenset(("stream", "long", "leaving"))
_LEAVES_BEFORE_CHUNK = 30


class Answer(msgspec.Struct, kw_only=True):
    """What has come of an answer so far."""

    status: int = 0
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    body: bytes = b""


class Callers:
    """All callers of one load."""

    def __init__(self, plan: LoadPlan) -> None:
        self._plan = plan
        self._calls = Path(plan.calls_file).open("ab", buffering=0)  # noqa: SIM115  open for as long as we live
        self._stopping = asyncio.Event()
        self._repeats: set[asyncio.Task[None]] = set()

    def stop(self) -> None:
        """Ask nothing new."""
        self._stopping.set()

    async def run(self) -> None:
        """Ask until told to stop, then wait for what is under way."""
        await asyncio.gather(*(self._ask_on(number) for number in range(self._plan.callers)))
        if self._repeats:
            await asyncio.wait(self._repeats)
        self._calls.close()

    async def _ask_on(self, number: int) -> None:
        """Be one caller."""
        choose = random.Random(f"{self._plan.seed}/{number}")
        kinds, weights = list(self._plan.weights), list(self._plan.weights.values())
        asked = 0
        while not self._stopping.is_set():
            kind = choose.choices(kinds, weights)[0]
            asked += 1
            tag = f"{self._plan.name}-{number}-{asked}"
            call = await self._call(tag, kind, choose.choice(self._plan.ports))
            if kind == "keyed" and call.end != ACKNOWLEDGED:
                repeat = asyncio.ensure_future(self._repeat(tag, choose))
                self._repeats.add(repeat)
                repeat.add_done_callback(self._repeats.discard)
            if call.end in (BROKEN, REFUSED, UNSENT):
                await asyncio.sleep(_AFTER_TROUBLE_S)

    async def _repeat(self, tag: str, choose: random.Random) -> None:
        """Ask again under the same Idempotency-Key until there is an answer, as a careful client
        does.
        """
        end = time.monotonic() + _REPEAT_FOR_S
        attempt = 1
        while time.monotonic() < end:
            await asyncio.sleep(_BETWEEN_REPEATS_S)
            attempt += 1
            port = choose.choice(self._plan.ports)
            if (await self._call(tag, "keyed", port, attempt)).end == ACKNOWLEDGED:
                return

    async def _call(self, tag: str, kind: str, port: int, attempt: int = 1) -> Call:
        answer = Answer()
        begun = time.monotonic()
        try:
            async with asyncio.timeout(self._plan.patience_s):
                request = _request(self._plan.app_key, tag, kind)
                end = await _exchange(port, request, kind, answer, _leaves_after(tag, kind))
        except (OSError, asyncio.IncompleteReadError, EOFError):
            end = BROKEN
        except TimeoutError:
            end = HUNG
        call = Call(
            tag=tag,
            kind=kind,
            end=end,
            status=answer.status,
            request_id=answer.headers.get("x-request-id", ""),
            charge_ucr=_charge_ucr(answer) if end == ACKNOWLEDGED else None,
            code=_code(answer),
            attempt=attempt,
            replayed="idempotent-replayed" in answer.headers,
            took_s=round(time.monotonic() - begun, 3),
        )
        self._calls.write(msgspec.json.encode(call) + b"\n")
        return call


async def _exchange(
    port: int, request: bytes, kind: str, answer: Answer, leaves_after: int | None
) -> str:
    """Send one request and read its answer into `answer`. Returns: how it ended."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
    except OSError:
        return UNSENT
    try:
        writer.write(request)
        _read_head(await reader.readuntil(b"\r\n\r\n"), answer)
        length = answer.headers.get("content-length")
        if length is not None:
            answer.body = await reader.readexactly(int(length))
        elif await _read_chunks(reader, answer, leaves_after):
            return LEFT
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    if answer.status != 200:
        return REFUSED
    if kind in _STREAMED and (b"data: [DONE]" not in answer.body or b'"error":' in answer.body):
        return BROKEN
    return ACKNOWLEDGED


def _read_head(head: bytes, answer: Answer) -> None:
    status, *lines = head.decode("latin-1").split("\r\n")
    answer.status = int(status.split(" ", 2)[1])
    answer.headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }


def _leaves_after(tag: str, kind: str) -> int | None:
    """Say after how many chunks the caller goes away: the same each time for a tag."""
    return 1 + crc32(tag.encode()) % (_LEAVES_BEFORE_CHUNK - 1) if kind == "leaving" else None


async def _read_chunks(
    reader: asyncio.StreamReader, answer: Answer, leaves_after: int | None
) -> bool:
    """Read a chunked body. Returns: whether the caller left before its end."""
    chunks = 0
    while True:
        size = int(await reader.readuntil(b"\r\n"), 16)
        data = await reader.readexactly(size + 2)
        if size == 0:
            return False
        answer.body += data[:size]
        chunks += 1
        if chunks == leaves_after:
            return True


def _request(app_key: str, tag: str, kind: str) -> bytes:
    prompt = f"torture:{tag}: tell me of the sea. [[sandbox {_FAULTS[kind]}]]"
    body = msgspec.json.encode(
        {
            "kind": "chat.default",
            "messages": [{"role": "user", "content": prompt}],
            "max_tokens": 400,
            "stream": kind in _STREAMED,
            **({"stream_options": {"include_usage": True}} if kind in _STREAMED else {}),
        }
    )
    key = f"idempotency-key: {tag}\r\n" if kind == "keyed" else ""
    return (
        "POST /v1/chat HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n"
        f"authorization: Bearer {app_key}\r\ncontent-type: application/json\r\n"
        f"x-user-id: {tag}\r\n{key}content-length: {len(body)}\r\n\r\n"
    ).encode() + body


def _charge_ucr(answer: Answer) -> int | None:
    """Read what a call cost: a header of a plain answer, the usage chunk of a streamed one."""
    credits = answer.headers.get("x-credits-charged")
    if credits is None:
        for line in answer.body.splitlines():
            if line.startswith(b"data: {") and b'"usage":{' in line:
                credits = _charge_in_usage(line[6:])
    return None if credits is None else int(Decimal(credits) * 1_000_000)


def _charge_in_usage(event: bytes) -> str | None:
    usage = msgspec.json.decode(event).get("usage") or {}
    charged = usage.get("credits_charged")
    return None if charged is None else str(charged)


def _code(answer: Answer) -> str:
    """Read the code of a refusal, in whichever envelope it came."""
    if answer.status in (0, 200):
        return ""
    with contextlib.suppress(msgspec.DecodeError, AttributeError):
        body = msgspec.json.decode(answer.body)
        error = body.get("error")
        return str(error.get("code") if isinstance(error, dict) else body.get("code") or error)
    return answer.body[:80].decode("latin-1")


async def _main(plan: LoadPlan) -> None:
    callers = Callers(plan)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, callers.stop)
    await callers.run()


def main() -> None:
    """Run one plan, named by its file."""
    plan = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=LoadPlan)
    uvloop.run(_main(plan))


if __name__ == "__main__":
    main()

"""Holding, settling and keeping alive the calls of one process.

T1 (hold + call row) commits before anything is sent; T2 (settle + call row + usage) commits before
the last byte leaves. Both are repeated by id when the connection is lost: `open` on an own id then
means held, a settle that is not fresh means that it was settled before.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from typing import TypeVar

import msgspec
import psycopg

from gateway.batch import BatchClosed, Batcher
from gateway.errors import LedgerUnavailable, OutcomeUnknown
from gateway.lane import Lane, LaneDown, Row
from gateway.statements import (
    FINISH,
    FINISH_SOUND,
    HEARTBEAT,
    HOLD,
    OPEN,
    SETTLE,
    SETTLE_BUDGETED,
    SETTLE_SOUND,
    NewCall,
    Outcome,
    finish_parameters,
    heartbeat_parameters,
    hold_parameters,
    makes_sound,
    open_parameters,
    settle_parameters,
)

logger = logging.getLogger(__name__)

_HOLD_PATIENCE_S = 3
_SETTLE_PATIENCE_S = 60
_BEAT_PATIENCE_S = 5
_BEAT_AFTER_S = 2.0
_BEAT_AFTER_TOKENS = 256
_PLACE_EVERY_BEATS = 10
_CLOSING_PATIENCE_S = 5
_FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 4.0


_Call = TypeVar("_Call", NewCall, Outcome)


class HoldVerdict(msgspec.Struct, frozen=True):
    """`verdict` is the ledger's word (only `held` may be sent); `available_ucr` what is left after
    it.
    """

    verdict: str
    available_ucr: int


class SettleVerdict(msgspec.Struct, frozen=True):
    """`verdict` is the kind that won, `charged_ucr` what was charged in all, `available_ucr` what
    is left.
    """

    verdict: str | None
    fresh: bool
    charged_ucr: int
    available_ucr: int


class OpenCall(msgspec.Struct, frozen=True, kw_only=True):
    """A held call of this process.

    `relayed_tokens` tells how many output tokens the caller has got so far.
    """

    id: str
    workspace_id: int
    limiter_key: str
    born_s: float
    relayed_tokens: Callable[[], int]


class CallDesk:
    """The process's two batched lanes to the ledger, two for calls that cost no credits, and its
    open calls. `budgeted` are the workspaces that have spend caps per window (`world.py`).
    """

    def __init__(self, conninfo: str) -> None:
        self._hold_lane = Lane(conninfo, name="hold", patience_s=_HOLD_PATIENCE_S)
        self._settle_lane = Lane(conninfo, name="settle", patience_s=_SETTLE_PATIENCE_S)
        self._open_lane = Lane(conninfo, name="open", patience_s=_HOLD_PATIENCE_S)
        self._finish_lane = Lane(conninfo, name="finish", patience_s=_SETTLE_PATIENCE_S)
        self._beat_lane = Lane(conninfo, name="beat", patience_s=_BEAT_PATIENCE_S)
        self._holds: Batcher[NewCall, HoldVerdict] = Batcher(self._flush_holds, parts=_parts)
        self._settles: Batcher[Outcome, SettleVerdict] = Batcher(self._flush_settles, parts=_parts)
        self._opens: Batcher[NewCall, HoldVerdict] = Batcher(self._flush_opens, parts=_parts)
        self._finishes: Batcher[Outcome, SettleVerdict] = Batcher(
            self._flush_finishes, parts=_parts
        )
        self.budgeted: frozenset[int] = frozenset()
        self._open: dict[str, OpenCall] = {}
        self._none_open = asyncio.Event()
        self._checkpoints: dict[str, int] = {}
        self._beats = 0
        self._early_beat: asyncio.Task[object] | None = None

    async def hold(self, call: NewCall) -> HoldVerdict:
        """Hold credits and write the call row; a call by a user's own key only gets its row.

        After `held` the call may be sent, and must be settled.

        Raises: LedgerUnavailable (the hold may exist; then the resolver voids it);
        psycopg.errors.UniqueViolation when the Idempotency-Key is taken (nothing was written).
        """
        try:
            paid = call.billing == "credits"
            return await (self._holds if paid else self._opens).submit(call)
        except psycopg.errors.UniqueViolation:
            raise
        except (LaneDown, psycopg.Error, BatchClosed) as error:
            logger.warning("hold of call %s failed: %s", call.id, type(error).__name__)
            raise LedgerUnavailable("The ledger does not answer; nothing was charged.") from error

    async def settle(self, outcome: Outcome) -> SettleVerdict:
        """Settle a held call. It is settled even if the waiting task is cancelled meanwhile.

        Raises: OutcomeUnknown when the database stayed away; the resolver then settles it.
        """
        try:
            verdict = await self._settle_patiently(outcome)
        except (LaneDown, psycopg.Error, BatchClosed) as error:
            logger.exception("call %s could not be settled", outcome.id)
            raise OutcomeUnknown("The outcome could not be recorded yet.") from error
        finally:
            self.forget(outcome.id)
        if verdict.verdict != outcome.ledger_kind:
            logger.warning("call %s was settled late: %s", outcome.id, verdict.verdict)
        return verdict

    def watch(self, call: OpenCall) -> None:
        """Keep a held call alive from now on."""
        self._open[call.id] = call
        self._none_open.clear()

    def forget(self, call_id: str) -> None:
        """Stop keeping a call alive: it is settled, or another will settle it."""
        self._open.pop(call_id, None)
        self._checkpoints.pop(call_id, None)
        if not self._open:
            self._none_open.set()

    def progressed(self, call_id: str, relayed_tokens: int) -> None:
        """Write checkpoints at once when a call ran 256 tokens ahead of its last one."""
        if relayed_tokens - self._checkpoints.get(call_id, 0) < _BEAT_AFTER_TOKENS:
            return
        if self._early_beat is None or self._early_beat.done():
            self._early_beat = asyncio.ensure_future(self.beat(at_once=call_id))

    async def beat(self, *, at_once: str | None = None) -> list[tuple[str, str]]:
        """Extend hold, lease and checkpoint of every call older than two seconds (and of
        `at_once`).

        Returns: now and then, the (limiter key, request id) of those calls, whose places want
        extending too.
        """
        oldest = time.monotonic() - _BEAT_AFTER_S
        calls = [call for call in self._open.values() if call.born_s < oldest or call.id == at_once]
        if not calls:
            return []
        beats = [(call.id, call.workspace_id, call.relayed_tokens()) for call in calls]
        try:
            await self._beat_lane.run(HEARTBEAT, heartbeat_parameters(beats))
        except (LaneDown, psycopg.OperationalError):
            logger.warning("heartbeat of %d calls missed", len(beats))
            return []
        self._checkpoints.update({beat[0]: beat[2] for beat in beats if beat[0] in self._open})
        self._beats += 1
        if self._beats % _PLACE_EVERY_BEATS:
            return []
        return [(call.limiter_key, call.id) for call in calls]

    async def close(self) -> None:
        """Let calls that were just broken off be settled, then close the connections."""
        if self._open:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._none_open.wait(), _CLOSING_PATIENCE_S)
        for batcher in (self._holds, self._opens, self._settles, self._finishes):
            await batcher.close()
        for lane in (
            self._hold_lane,
            self._open_lane,
            self._settle_lane,
            self._finish_lane,
            self._beat_lane,
        ):
            await lane.close()

    async def _settle_patiently(self, outcome: Outcome) -> SettleVerdict:
        """Settle, again and again while somebody keeps the wallet locked or the disk is slow."""
        deadline = time.monotonic() + _SETTLE_PATIENCE_S
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                paid = outcome.billing == "credits"
                return await (self._settles if paid else self._finishes).submit(outcome)
            except psycopg.OperationalError:
                if time.monotonic() + pause_s > deadline:
                    raise
            await asyncio.sleep(pause_s)
            pause_s = min(_LONGEST_PAUSE_S, pause_s * 2)

    async def _flush_holds(self, calls: list[NewCall]) -> list[HoldVerdict]:
        return _held(*await self._hold_lane.run(HOLD, hold_parameters(calls)))

    async def _flush_opens(self, calls: list[NewCall]) -> list[HoldVerdict]:
        return _held(*await self._open_lane.run(OPEN, open_parameters(calls)))

    async def _flush_finishes(self, outcomes: list[Outcome]) -> list[SettleVerdict]:
        sound = makes_sound(outcomes)
        statement = FINISH_SOUND if sound else FINISH
        rows, _ = await self._finish_lane.run(statement, finish_parameters(outcomes, sound=sound))
        return [SettleVerdict(*row) for row in rows]

    async def _flush_settles(self, outcomes: list[Outcome]) -> list[SettleVerdict]:
        budgeted = self.budgeted and any([o.workspace_id in self.budgeted for o in outcomes])
        sound = makes_sound(outcomes)
        statement = SETTLE_SOUND if sound else SETTLE_BUDGETED if budgeted else SETTLE
        parameters = settle_parameters(outcomes, sound=sound)
        rows, _ = await self._settle_lane.run(statement, parameters)
        return [SettleVerdict(*row) for row in rows]


def _held(rows: list[Row], repeated: bool) -> list[HoldVerdict]:
    """Read the verdicts; a statement that went out twice may find its own first go (`open`)."""
    return [
        HoldVerdict("held" if repeated and row[0] == "open" else row[0], row[1]) for row in rows
    ]


def _parts(calls: list[_Call], error: Exception) -> list[list[_Call]]:
    """Say how to try a failed batch again: a bad item alone, a locked wallet's items together."""
    if len(calls) == 1:
        return []
    if isinstance(error, psycopg.IntegrityError | psycopg.DataError):
        return [[call] for call in calls]
    if isinstance(error, psycopg.OperationalError):
        wallets: dict[int, list[_Call]] = {}
        for call in calls:
            wallets.setdefault(call.workspace_id, []).append(call)
        return list(wallets.values()) if len(wallets) > 1 else []
    return []

"""The statements of the proxy path (sql/): arrays in, one transaction each, an answer per item.

hold       the ledger's hold and the call row             T1, before anything is sent
settle     the ledger's settle, the call row, the usage   T2, before the last byte leaves
           row and the key's spend
heartbeat  the hold's time, the lease, the checkpoint     every two seconds, for longer calls

Lock order is the ledger's: wallets first, everything else after. Each statement therefore joins its
writes to the ledger function's rows, so that the function has run before they take a lock.
docs/decisions/005 tells why it is so.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

_SQL = Path(__file__).resolve().parent / "sql"

LEASE_S = 20
HOLD_S = 75
"""A hold outlives its last heartbeat by this much; the resolver settles a dead call long before
(decision 2).
"""


def read_sql(name: str) -> str:
    """Read one of the gateway's statements."""
    return (_SQL / f"{name}.sql").read_text()


class NewCall(msgspec.Struct, frozen=True, kw_only=True):
    """One hold and one call row.

    Amounts in µcr, `input_estimate` in tokens, digests are SHA-256, ids uuids as text. `billing` is
    `credits`, or `byok` for a call by a user's own key, which holds and costs no credits.
    """

    id: str
    workspace_id: int
    hold_ucr: int
    price_version: int
    markup_bp: int
    app_key_id: int | None
    input_estimate: int
    app_id: str
    user_ref: str
    surface: str
    operation: str
    kind: str
    channel: str
    provider: str
    model: str
    idempotency_digest: bytes | None = None
    request_digest: bytes | None = None
    billing: str = "credits"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How one call ended: what the ledger, the call row and the usage row need.

    `ledger_kind` is usage or void; `state` a final state of `Call.State`. Tokens are counts, times
    milliseconds. `provider` and `model` are those of the attempt that won, or was the last.
    `attempt_log` is JSON, one object per attempt that failed before; None if none did.
    `counted_…_tokens` are our own counts beside the provider's, None where we did not count.
    `keep_answer` is False when the Idempotency-Key is to be released, so that a retry really
    retries. `character_count` and `media_ms` are of speech, `media_ms` also of transcriptions;
    None for every other call.
    """

    id: str
    workspace_id: int
    ledger_kind: str
    charge_ucr: int
    cost_ucr: int
    provider: str
    model: str
    state: str
    reason: str
    http_status: int
    input_tokens: int
    cached_input_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    usage_source: str
    latency_ms: int
    first_byte_ms: int | None
    billing: str = "credits"
    attempts: int = 1
    attempt_log: str | None = None
    counted_input_tokens: int | None = None
    counted_output_tokens: int | None = None
    capped: bool = False
    keep_answer: bool = False
    answer: bytes | None = None
    answer_media_type: str = ""
    character_count: int | None = None
    media_ms: int | None = None


def _with_verdicts(name: str, verdicts: str, counts: str = "") -> str:
    """Read a statement together with the part that decides, and the one that counts."""
    statement = read_sql(name).replace("/* verdicts */", read_sql(verdicts))
    return statement.replace("/* counts */", read_sql(counts) if counts else "")


HOLD = _with_verdicts("hold_calls", "hold_verdicts")

OPEN = _with_verdicts("hold_calls", "open_verdicts")

SETTLE = _with_verdicts("settle_calls", "settle_verdicts")

SETTLE_BUDGETED = _with_verdicts("settle_calls", "settle_verdicts", "count_budgets")
"""`SETTLE`, and count for the caps per window: for batches with a workspace that has some."""

FINISH = _with_verdicts("settle_calls", "finish_verdicts")


def _with_sound(statement: str) -> str:
    """Let a settle write characters and lengths too: two more arrays, which chats need not pay
    for.
    """
    names = ", character_count, media_ms"
    parts = {
        "/* made arrays */": ", %s::int[], %s::int[]",
        "/* made names */": names,
        "/* made values */": names.replace(" ", " i."),
    }
    for mark, part in parts.items():
        assert mark in statement, mark
        statement = statement.replace(mark, part)
    return statement


SETTLE_SOUND = _with_sound(SETTLE_BUDGETED)
"""For batches with a call that made sound."""

FINISH_SOUND = _with_sound(FINISH)

HEARTBEAT = read_sql("extend_calls")


def _array(values: Iterable[object]) -> str:
    """Write numbers and words of ours, of which some are missing, as an array literal: cheaper than
    adapting a list.
    """
    return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"


def _numbers(values: Iterable[int]) -> str:
    """Write numbers that are all there."""
    return "{" + ",".join(map(str, values)) + "}"


def _words(values: Iterable[str]) -> str:
    """Write ids and words of ours, in which nothing needs a quote."""
    return "{" + ",".join(values) + "}"


def _texts(values: Sequence[str]) -> str:
    """Write texts, callers' among them, as an array literal: each quoted, hence one element."""
    together = "".join(values)
    if '"' in together or "\\" in together:
        values = [_escaped(value) for value in values]
    return '{"' + '","'.join(values) + '"}'


def _binaries(values: Sequence[bytes | None]) -> str:
    """Write binary values, mostly missing, in PostgreSQL's hexadecimal form."""
    if values.count(None) == len(values):
        return _words(["NULL"] * len(values))
    return _array(['"\\\\x' + value.hex() + '"' if value is not None else None for value in values])


def _optional_texts(values: Sequence[str | None]) -> str:
    """Write texts of which most are missing."""
    if values.count(None) == len(values):
        return _words(["NULL"] * len(values))
    return _array(['"' + _escaped(value) + '"' if value is not None else None for value in values])


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


def hold_parameters(calls: Sequence[NewCall]) -> list[Any]:
    """Lay out `HOLD`'s parameters: what the ledger takes, then one array per column."""
    columns = _call_columns(calls)
    _, workspaces, ids, holds, price_versions, markups, *_ = columns
    seconds = _numbers([HOLD_S] * len(calls))
    return [workspaces, ids, holds, seconds, price_versions, markups, *columns]


def open_parameters(calls: Sequence[NewCall]) -> list[Any]:
    """Lay out `OPEN`'s parameters: the ids, then one array per column."""
    return [_words([call.id for call in calls]), *_call_columns(calls)]


def _call_columns(calls: Sequence[NewCall]) -> list[Any]:
    return [
        LEASE_S,
        _numbers([call.workspace_id for call in calls]),
        _words([call.id for call in calls]),
        _numbers([call.hold_ucr for call in calls]),
        _numbers([call.price_version for call in calls]),
        _numbers([call.markup_bp for call in calls]),
        _array([call.app_key_id for call in calls]),
        _numbers([call.input_estimate for call in calls]),
        _texts([call.app_id for call in calls]),
        _texts([call.user_ref for call in calls]),
        _texts([call.surface for call in calls]),
        _texts([call.operation for call in calls]),
        _texts([call.kind for call in calls]),
        _texts([call.channel for call in calls]),
        _texts([call.provider for call in calls]),
        _texts([call.model for call in calls]),
        _binaries([call.idempotency_digest for call in calls]),
        _binaries([call.request_digest for call in calls]),
        _words([call.billing for call in calls]),
    ]


def makes_sound(outcomes: Sequence[Outcome]) -> bool:
    """Tell whether one of these calls is of speech or of a transcription."""
    return any([o.character_count is not None or o.media_ms is not None for o in outcomes])


def settle_parameters(outcomes: Sequence[Outcome], *, sound: bool = False) -> list[Any]:
    """Lay out `SETTLE`'s parameters: what the ledger takes, then one array per column."""
    columns = _outcome_columns(outcomes)
    if sound:
        columns += _sound_columns(outcomes)
    ids, costs, *_ = columns
    return [
        _numbers([outcome.workspace_id for outcome in outcomes]),
        ids,
        _words([outcome.ledger_kind for outcome in outcomes]),
        _numbers([outcome.charge_ucr for outcome in outcomes]),
        costs,
        *columns,
    ]


def finish_parameters(outcomes: Sequence[Outcome], *, sound: bool = False) -> list[Any]:
    """Lay out `FINISH`'s parameters: the verdicts, then one array per column."""
    return [
        _words([outcome.ledger_kind for outcome in outcomes]),
        *_outcome_columns(outcomes),
        *(_sound_columns(outcomes) if sound else ()),
    ]


def _sound_columns(outcomes: Sequence[Outcome]) -> list[Any]:
    return [
        _array([outcome.character_count for outcome in outcomes]),
        _array([outcome.media_ms for outcome in outcomes]),
    ]


def _outcome_columns(outcomes: Sequence[Outcome]) -> list[Any]:
    return [
        _words([outcome.id for outcome in outcomes]),
        _numbers([outcome.cost_ucr for outcome in outcomes]),
        _words([outcome.state for outcome in outcomes]),
        _texts([outcome.reason for outcome in outcomes]),
        _numbers([outcome.http_status for outcome in outcomes]),
        _numbers([outcome.input_tokens for outcome in outcomes]),
        _numbers([outcome.cached_input_tokens for outcome in outcomes]),
        _numbers([outcome.cache_write_tokens for outcome in outcomes]),
        _numbers([outcome.output_tokens for outcome in outcomes]),
        _numbers([outcome.reasoning_tokens for outcome in outcomes]),
        _words([outcome.usage_source for outcome in outcomes]),
        _numbers([outcome.latency_ms for outcome in outcomes]),
        _array([outcome.first_byte_ms for outcome in outcomes]),
        _numbers([outcome.attempts for outcome in outcomes]),
        _array([outcome.capped for outcome in outcomes]),
        _array([outcome.keep_answer for outcome in outcomes]),
        _binaries([outcome.answer for outcome in outcomes]),
        _texts([outcome.answer_media_type for outcome in outcomes]),
        _texts([outcome.provider for outcome in outcomes]),
        _texts([outcome.model for outcome in outcomes]),
        _optional_texts([outcome.attempt_log for outcome in outcomes]),
        _array([outcome.counted_input_tokens for outcome in outcomes]),
        _array([outcome.counted_output_tokens for outcome in outcomes]),
    ]


def heartbeat_parameters(beats: Sequence[tuple[str, int, int]]) -> list[Any]:
    """Lay out `HEARTBEAT`'s parameters from (id, workspace, relayed tokens)."""
    ids = _array([beat[0] for beat in beats])
    return [
        _array([beat[1] for beat in beats]),
        ids,
        HOLD_S,
        LEASE_S,
        ids,
        _array([beat[2] for beat in beats]),
    ]

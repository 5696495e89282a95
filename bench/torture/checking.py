"""The questions asked of the database when the killing is over, and what was wrong with the
answers.
"""

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
import psycopg

from bench.torture.records import ACKNOWLEDGED, BROKEN, HUNG, LEFT, REFUSED, Call
from bench.torture.stage import Account, Stage

FREED_WITHIN_S = 90.0
_GIVE_UP_S = 180.0
_LIVES_S = 10.0
"""No call of the load takes longer: a hold that is older belongs to one that is dead."""
_TAG = re.compile(r"torture:([\w-]+)")

_OLDEST_HOLD = """
SELECT coalesce(max(extract(epoch FROM now() - c.started_at)), 0)::float8
FROM ledger.hold h LEFT JOIN gateway_call c ON c.id = h.id
"""
_RECORDED = """
SELECT u.request_id::text, count(*), min(u.status), min(u.charge_ucr),
       coalesce((SELECT sum(e.amount) FROM ledger.entry e
                 WHERE e.wallet_id = u.workspace_id AND e.id = u.request_id AND e.kind = 'usage'),
                0)::bigint
FROM usage u WHERE u.workspace_id = %s AND u.status <> 'refused'
GROUP BY u.workspace_id, u.request_id
"""
_CALLS_BY_TAG = """
SELECT user_ref, sum(attempts), count(*) FILTER (WHERE state = 'interrupted')
FROM gateway_call WHERE workspace_id = %s GROUP BY user_ref
"""
_CHARGED_TWICE = """
SELECT user_ref, count(*) FROM usage
WHERE workspace_id = %s AND charge_ucr > 0 GROUP BY user_ref HAVING count(*) > 1
"""
_LEFT_OVER = """
SELECT (SELECT count(*) FROM ledger.hold WHERE wallet_id = %(id)s),
       (SELECT count(*) FROM gateway_call WHERE workspace_id = %(id)s AND state = 'open'),
       (SELECT count(*) FROM gateway_call c WHERE workspace_id = %(id)s AND state <> 'open'
          AND 1 <> (SELECT count(*) FROM usage u WHERE u.request_id = c.id)),
       (SELECT count(*) FROM usage u WHERE workspace_id = %(id)s AND status <> 'refused'
          AND NOT EXISTS (SELECT FROM gateway_call c WHERE c.id = u.request_id))
"""
_MONEY = """
SELECT (SELECT coalesce(sum(amount), 0) FROM ledger.entry
          WHERE wallet_id = %(id)s AND kind IN ('promo', 'topup')),
       (SELECT coalesce(sum(amount), 0) FROM ledger.entry
          WHERE wallet_id = %(id)s AND kind = 'usage'),
       (SELECT coalesce(sum(charge_ucr), 0) FROM usage WHERE workspace_id = %(id)s),
       (SELECT coalesce(sum(remaining), 0) FROM ledger.lot WHERE wallet_id = %(id)s),
       (SELECT coalesce(sum(held), 0) FROM ledger.lot WHERE wallet_id = %(id)s),
       (SELECT owed FROM ledger.wallet WHERE id = %(id)s)
"""
_LEFT_OVER_NAMES = (
    "holds",
    "open calls",
    "closed calls without exactly one usage row",
    "usage rows without a call",
)


class Recorded(msgspec.Struct, frozen=True):
    """What usage table and ledger say of one call. Amounts in µcr."""

    rows: int
    status: str
    charge_ucr: int
    taken_ucr: int


class Findings(msgspec.Struct, kw_only=True):
    """What was found: acknowledged calls `lost` or `changed`, and whatever else is wrong."""

    lost: list[str] = msgspec.field(default_factory=list)
    changed: list[str] = msgspec.field(default_factory=list)
    violations: list[str] = msgspec.field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Nothing was wrong."""
        return not (self.lost or self.changed or self.violations)


def oldest_hold_s(stage: Stage) -> float | None:
    """Give the age of the oldest open hold in seconds, 0 for none, None while the database does not
    answer.
    """
    try:
        with stage.connect() as connection:
            row = connection.execute(_OLDEST_HOLD).fetchone()
    except psycopg.OperationalError:
        return None
    assert row is not None
    return float(row[0])


def wait_until_free(stage: Stage, ended: Callable[[], bool]) -> tuple[float, float]:
    """Wait until the load has ended and no hold is open, or give up.

    Returns: after how many seconds the last stranded hold was gone, and the age of the oldest hold
    seen meanwhile.
    """
    begun = time.monotonic()
    freed_s = oldest = 0.0
    while (waited_s := time.monotonic() - begun) < _GIVE_UP_S:
        age = oldest_hold_s(stage)
        oldest = max(oldest, age or 0.0)
        if age == 0 and ended():
            return freed_s, oldest
        if age is None or age > _LIVES_S:
            freed_s = waited_s
        time.sleep(0.25)
    return waited_s, oldest


def check(
    stage: Stage, account: Account, calls: Sequence[Call], journal: Sequence[dict[str, Any]]
) -> Findings:
    """Compare what callers were told, what the provider was asked, and what is written down."""
    findings = Findings()
    with stage.connect() as connection:
        rows = connection.execute(_RECORDED, (account.workspace_id,)).fetchall()
        recorded = {row[0]: Recorded(*row[1:]) for row in rows}
        for call in calls:
            _check_call(call, recorded.get(call.request_id), findings)
        _check_dispatch(connection, account, calls, journal, findings)
        _check_money(connection, account, findings)
    findings.violations += _reconcile(stage)
    return findings


def broken_calls(calls: Iterable[Call]) -> list[str]:
    """Name the calls that a gateway accepted, began to answer or not, and did not answer whole."""
    return [
        f"{call.tag} ({call.request_id or 'no head'}): {call.kind} broken off, {call.took_s} s"
        for call in calls
        if call.end == BROKEN
    ]


def _check_call(call: Call, found: Recorded | None, findings: Findings) -> None:
    """An acknowledged call is written down once, as it was told; a failed one costs nothing."""
    name = f"{call.tag} ({call.request_id})"
    if call.end == HUNG:
        findings.violations.append(f"{name}: no answer for {call.took_s} s")
    if call.replayed or not call.request_id:
        return
    if call.end == ACKNOWLEDGED:
        _check_acknowledged(call, name, found, findings)
    elif call.end == REFUSED and call.kind == "failing" and found is not None and found.charge_ucr:
        findings.violations.append(f"{name}: failed upstream and cost {found.charge_ucr}")
    elif call.end == LEFT and (found is None or found.rows != 1):
        findings.violations.append(f"{name}: the caller left, recorded as {found}")


def _check_acknowledged(call: Call, name: str, found: Recorded | None, findings: Findings) -> None:
    if found is None:
        findings.lost.append(f"{name}: acknowledged, no usage row")
    elif (found.rows, found.status) != (1, "succeeded") or found.taken_ucr != found.charge_ucr:
        findings.changed.append(f"{name}: acknowledged, recorded as {found}")
    elif call.charge_ucr != found.charge_ucr:
        findings.changed.append(f"{name}: told {call.charge_ucr}, charged {found.charge_ucr}")


def _check_dispatch(
    connection: psycopg.Connection[tuple[Any, ...]],
    account: Account,
    calls: Iterable[Call],
    journal: Sequence[dict[str, Any]],
    findings: Findings,
) -> None:
    """No provider call without a committed hold and its place among the attempts on record, and one
    charge at most per request of a caller.

    Attempts are written down when a call ends: of one whose process died the second, after a
    refusal by the provider, is on nobody's record.
    """
    own = {call.tag for call in calls}
    refused = {call.tag for call in calls if call.kind == "failing"}
    sent = Counter(match.group(1) for entry in journal if (match := _TAG.search(entry["body"])))
    rows = connection.execute(_CALLS_BY_TAG, (account.workspace_id,)).fetchall()
    held = {str(t): int(sent) + (lost if t in refused else 0) for t, sent, lost in rows}
    for tag, count in sent.items():
        if tag in own and count > held.get(tag, 0):
            findings.violations.append(
                f"{tag}: {count} provider calls, {held.get(tag, 0)} on record"
            )
    charged_twice = connection.execute(_CHARGED_TWICE, (account.workspace_id,)).fetchall()
    for tag, count in charged_twice if own else ():
        findings.violations.append(f"{tag}: charged {count} times")


def _check_money(
    connection: psycopg.Connection[tuple[Any, ...]], account: Account, findings: Findings
) -> None:
    """Wallet = grants - charges, nothing held or owed, every call closed with one usage row."""
    parameters = {"id": account.workspace_id}
    left_over = connection.execute(_LEFT_OVER, parameters).fetchone()
    if left_over != (0, 0, 0, 0):
        counts = dict(zip(_LEFT_OVER_NAMES, left_over or (), strict=True))
        findings.violations.append(f"left over: {counts}")
    money = connection.execute(_MONEY, parameters).fetchone()
    assert money is not None
    granted, taken, charged, remaining, held, owed = (int(value) for value in money)
    expected = (account.granted_ucr, granted - taken, 0, 0, taken)
    if (granted, remaining, held, owed, charged) != expected:
        findings.violations.append(
            f"money: granted {granted}, taken {taken}, charged {charged}, remaining {remaining}, "
            f"held {held}, owed {owed}"
        )


def _reconcile(stage: Stage) -> list[str]:
    done = stage.python("-m", "django", "reconcile")
    if done.returncode == 0:
        return []
    return [f"reconcile: {line}" for line in (done.stdout + done.stderr).splitlines()[-10:]]

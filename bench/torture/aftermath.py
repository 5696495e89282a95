"""What the books say of calls whose process was killed at a point, against what they must say."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from bench.torture.points import SETTLED, UNASKED, Kind, Point, Probe, make_probes
from bench.torture.scene import CHECKPOINT_TOKENS, Scene

_TAG = re.compile(r"torture:(\w+)")
_CALLS = """
SELECT c.state, c.billing, c.checkpoint_tokens,
       (SELECT count(*) FROM ledger.hold h WHERE h.wallet_id = c.workspace_id AND h.id = c.id),
       ARRAY(SELECT e.kind FROM ledger.entry e
             WHERE e.wallet_id = c.workspace_id AND e.id = c.id AND e.seq = 0),
       (SELECT coalesce(sum(e.amount), 0)::bigint FROM ledger.entry e
        WHERE e.wallet_id = c.workspace_id AND e.id = c.id AND e.kind = 'usage'),
       u.rows, u.status, u.reason, u.charge_ucr, u.output_tokens
FROM gateway_call c
LEFT JOIN LATERAL (
  SELECT count(*) AS rows, min(status) AS status, min(reason) AS reason,
         coalesce(sum(charge_ucr), 0)::bigint AS charge_ucr, max(output_tokens) AS output_tokens
  FROM usage WHERE workspace_id = c.workspace_id AND request_id = c.id) u ON true
WHERE c.workspace_id = %s AND c.user_ref = %s ORDER BY c.started_at, c.id
"""
_VIOLATIONS = """
SELECT 'guards', g::text FROM ledger.ledger_guard_violations g
UNION ALL SELECT 'ledger', l::text FROM ledger.ledger_violations l
UNION ALL SELECT 'usage', u::text FROM usage_violations u
"""


class Recorded(msgspec.Struct, frozen=True, array_like=True):
    """One call as call row, ledger and usage know it. Charges in µcr."""

    state: str
    billing: str
    checkpoint_tokens: int
    holds: int
    entry_kinds: list[str]
    taken_ucr: int
    usage_rows: int
    status: str | None
    reason: str | None
    charge_ucr: int
    output_tokens: int | None


def recorded(scene: Scene, probe: Probe) -> list[Recorded]:
    """Read all calls that were made for a probe, the oldest first."""
    rows = scene.rows(_CALLS, scene.account.workspace_id, probe.tag)
    return [Recorded(*row) for row in rows]


def full_charges(scene: Scene, kinds: Sequence[Kind], port: int) -> dict[Kind, int]:
    """Ask once of each kind of a gateway that lives. Returns: what it costs, in µcr."""
    charges: dict[Kind, int] = {}
    for probe in make_probes(kinds):
        probe.ask(port, scene.account.app_key)
        [call] = recorded(scene, probe)
        assert probe.whole, f"{probe.kind}: {probe.status} {probe.body[:200]!r}"
        charges[probe.kind] = call.charge_ucr
    return charges


def count_asked(journal: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """Count what reached the provider, by tag."""
    return Counter(m.group(1) for entry in journal if (m := _TAG.search(str(entry["body"]))))


def check_probe(
    scene: Scene, point: Point, probe: Probe, *, asked: int, full_ucr: int
) -> list[str]:
    """Say what is wrong with a probe after its call was resolved and before anybody asked again."""
    calls = recorded(scene, probe)
    wrong: list[str] = []
    if asked != (point not in UNASKED):
        wrong.append(f"the provider was asked {asked} times")
    if probe.whole != (point == "answered"):
        wrong.append(f"the caller heard {probe.status}, {len(probe.body)} bytes")
    if point == "hold-unsent":
        wrong += [f"recorded as {call}" for call in calls]
    elif len(calls) != 1:
        wrong.append(f"{len(calls)} calls")
    else:
        expected = _expected(point, probe, calls[0], full_ucr)
        wrong += [f"{calls[0]}, not {expected}"] if calls[0] != expected else []
        wrong += _check_checkpoint(point, probe, calls[0])
    return [f"{point}, {probe.kind}, {probe.tag}: {text}" for text in wrong]


def check_retried(scene: Scene, point: Point, probe: Probe, *, full_ucr: int) -> list[str]:
    """Say what is wrong after the caller asked once more under its Idempotency-Key."""
    replayed = "idempotent-replayed" in probe.headers
    charges = [call.taken_ucr for call in recorded(scene, probe) if call.taken_ucr]
    told = (probe.status, probe.whole, replayed, charges)
    expected = (200, True, point in SETTLED, [full_ucr])
    return [f"{point}, retried {probe.tag}: {told}, not {expected}"] if told != expected else []


def read_violations(scene: Scene) -> list[str]:
    """Ask the views that `reconcile` asks."""
    return [f"{source}: {text}" for source, text in scene.rows(_VIOLATIONS)]


def _expected(point: Point, probe: Probe, call: Recorded, full_ucr: int) -> Recorded:
    """Give what must stand there. Charges of a checkpoint are the resolver's own, and held against
    the ledger alone.
    """
    paid = probe.kind != "byok"
    if point in SETTLED:
        state, reason, kind, charge = "succeeded", "", "usage", full_ucr
        tokens = call.output_tokens
    else:
        state, reason = "interrupted", "process_lost"
        tokens = call.checkpoint_tokens
        kind, charge = ("usage", max(1, call.charge_ucr)) if tokens else ("void", 0)
    return Recorded(
        state=state,
        billing="credits" if paid else "byok",
        checkpoint_tokens=call.checkpoint_tokens,
        holds=0,
        entry_kinds=[kind] if paid else [],
        taken_ucr=charge if paid else 0,
        usage_rows=1,
        status=state,
        reason=reason,
        charge_ucr=charge if paid else 0,
        output_tokens=tokens,
    )


def _check_checkpoint(point: Point, probe: Probe, call: Recorded) -> list[str]:
    """In the middle of a stream what was delivered is known to within 256 tokens."""
    if point != "answer-half" or probe.kind != "stream":
        return []
    delivered = probe.body.count(b'"content":')
    if CHECKPOINT_TOKENS <= call.checkpoint_tokens <= delivered:
        return []
    return [f"{delivered} events delivered, checkpoint {call.checkpoint_tokens}"]

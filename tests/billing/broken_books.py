"""Books that do not add up: what is done to them by hand, and what must be found then."""

# ruff: noqa: S608  our own words

from typing import Final, LiteralString

ENTRY: Final = (
    "INSERT INTO ledger.entry (wallet_id, id, seq, kind, debit, credit, lot_id, amount) VALUES "
)
LEDGER: Final[list[tuple[LiteralString, set[str]]]] = [
    (
        "UPDATE ledger.lot SET remaining = remaining - 1 WHERE wallet_id = %(wallet)s",
        {"lot_remaining"},
    ),
    (
        "UPDATE ledger.lot SET granted = granted + 1 WHERE wallet_id = %(wallet)s",
        {"lot_grant"},
    ),
    ("UPDATE ledger.lot SET held = held - 1 WHERE wallet_id = %(wallet)s", {"lot_held"}),
    ("UPDATE ledger.wallet SET owed = 1 WHERE id = %(wallet)s", {"wallet_owed"}),
    ("DELETE FROM ledger.hold WHERE wallet_id = %(wallet)s", {"lot_held"}),
    ("UPDATE ledger.hold SET seq = 1 WHERE wallet_id = %(wallet)s", {"hold_gap"}),
    (
        "UPDATE ledger.hold SET lot_id = -lot_id WHERE wallet_id = %(wallet)s",
        {"lot_held", "hold_lot"},
    ),
    (
        "INSERT INTO ledger.lot (wallet_id, kind, paid, granted, remaining, live)"
        " VALUES (%(wallet)s, 'promo', false, 9, 9, true)",
        {"lot_grant", "lot_remaining"},
    ),
    (
        ENTRY + "(%(wallet)s, uuidv7(), 1, 'usage', 'wallet', 'revenue', NULL, 0)",
        {"group_gap", "group_kinds"},
    ),
    (
        ENTRY + "(%(wallet)s, uuidv7(), 0, 'usage', 'receivable', 'revenue', NULL, 3)",
        {"wallet_owed"},
    ),
    (
        ENTRY + "(%(wallet)s, uuidv7(), 0, 'usage', 'wallet', 'revenue', -1, 3)",
        {"entry_lot"},
    ),
    (ENTRY + "(-1, uuidv7(), 0, 'usage', 'wallet', 'revenue', NULL, 0)", {"no_wallet"}),
    (
        "INSERT INTO ledger.entry (wallet_id, id, seq, kind, debit, credit, amount)"
        " SELECT wallet_id, id, 0, 'void', 'wallet', 'wallet', 0 FROM ledger.hold"
        " WHERE wallet_id = %(wallet)s",
        {"open_and_resolved"},
    ),
    (
        "INSERT INTO ledger.entry (wallet_id, id, seq, kind, debit, credit, lot_id, amount)"
        " SELECT wallet_id, id, 1, 'refund', 'revenue', 'wallet', lot_id, 6 FROM ledger.entry"
        " WHERE wallet_id = %(wallet)s AND kind = 'usage'",
        {"lot_grant", "lot_remaining", "refunds", "refund_of_given_credit"},
    ),
    (
        "INSERT INTO ledger.entry (wallet_id, id, seq, kind, debit, credit, lot_id, amount)"
        " SELECT wallet_id, id, 1, 'payout', 'wallet', 'cash', lot_id, 101 FROM ledger.entry"
        " WHERE wallet_id = %(wallet)s AND kind = 'promo'",
        {"group_kinds", "lot_remaining", "payouts"},
    ),
    (
        "INSERT INTO ledger.entry (wallet_id, id, seq, kind, debit, credit, lot_id, amount)"
        " SELECT wallet_id, id, 1, 'reinstatement', 'cash', 'wallet', lot_id, 1"
        " FROM ledger.entry WHERE wallet_id = %(wallet)s AND kind = 'promo'",
        {"group_kinds", "lot_grant", "lot_remaining", "reinstatements"},
    ),
    (
        "WITH l AS (INSERT INTO ledger.lot (wallet_id, kind, paid, granted, remaining, live)"
        " VALUES (%(wallet)s, 'refund', true, 2, 2, true) RETURNING *)"
        " INSERT INTO ledger.entry (wallet_id, id, seq, kind, debit, credit, lot_id, amount)"
        " SELECT e.wallet_id, e.id, 1, 'refund', 'revenue', 'wallet', l.id, 2"
        " FROM ledger.entry e, l WHERE e.wallet_id = %(wallet)s AND e.kind = 'usage'",
        {"refund_of_given_credit"},
    ),
    ("UPDATE ledger.wallet SET frozen = true WHERE id = %(wallet)s", {"wallet_frozen"}),
    (
        "UPDATE ledger.lot SET expires_at = now() - interval '2 hours'"
        " WHERE wallet_id = %(wallet)s",
        {"lot_expired"},
    ),
]
"""In a wallet with a lot of 100 given, an open hold of 60 and a settled call of 5: what
`ledger_violations` finds there.
"""

_OF_CALL = "request_id = (SELECT max(request_id::text)::uuid FROM usage WHERE charge_ucr = 60)"
USAGE: Final[list[tuple[LiteralString, str]]] = [
    (f"DELETE FROM usage WHERE {_OF_CALL}", "usage entry without a usage row"),
    (f"UPDATE usage SET charge_ucr = 61 WHERE {_OF_CALL}", "usage row and ledger differ"),
    (
        f"UPDATE usage SET request_id = uuidv7() WHERE {_OF_CALL}",
        "usage row with a charge the ledger does not know",
    ),
    ("DELETE FROM ledger.correction", "usage row and ledger differ"),
    ("UPDATE ledger.correction SET amount = 19", "usage row and ledger differ"),
    (
        "UPDATE ledger.correction SET at = now() - interval '11 minutes'",
        "refund that usage does not know",
    ),
    ("DELETE FROM gateway_call WHERE state = 'open'", "hold without a call"),
    (
        "UPDATE ledger.hold SET expires_at = now() - interval '91 seconds'",
        "hold that nobody released",
    ),
    (
        "WITH h AS (DELETE FROM ledger.hold) UPDATE gateway_call"
        " SET lease_until = now() - interval '91 seconds' WHERE state = 'open'",
        "open call without a hold",
    ),
    (
        "UPDATE gateway_call SET state = 'succeeded' WHERE state = 'open'",
        "settled call whose hold is still open",
    ),
    (
        "UPDATE gateway_call SET workspace_id = -1 WHERE state = 'failed'",
        "settled call that the ledger does not know",
    ),
    (
        "DELETE FROM usage WHERE status = 'failed'",
        "finished call without exactly one usage row",
    ),
    (
        f"UPDATE usage SET markup_bp = 0 WHERE {_OF_CALL}",
        "call charged by another price than it was held by",
    ),
    (
        f"UPDATE usage SET price_version = 2 WHERE {_OF_CALL}",
        "call charged by another price than it was held by",
    ),
    (f"UPDATE usage SET status = 'failed' WHERE {_OF_CALL}", "failed call that was charged"),
    (
        f"UPDATE usage SET billing = 'byok', charge_ucr = 0 WHERE {_OF_CALL}",
        "call by a key of the user in the ledger",
    ),
    (f"UPDATE usage SET output_tokens = -1 WHERE {_OF_CALL}", "usage below zero"),
]
"""With a charge of 60, one of 50 partly refunded, a failed call and an open one: what
`usage_violations` finds, besides others.
"""

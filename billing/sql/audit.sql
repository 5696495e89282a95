-- What accountants and checks read; it replaces posting.sql and violations.sql, as migration 0004 made them.

-- Two signed legs per entry: the sum over all is 0, the sum over account `wallet` is all balances. `paid` is the lot's,
-- so that cash-backed and given credit are told apart (NULL: the entry touches no lot).
CREATE OR REPLACE VIEW ledger.ledger_posting AS
SELECT e.wallet_id, e.id, e.seq, e.kind, e.at, leg.account, leg.amount, l.paid
FROM ledger.entry e
LEFT JOIN ledger.lot l ON l.id = e.lot_id
CROSS JOIN LATERAL (VALUES (e.debit, -e.amount), (e.credit, e.amount)) leg (account, amount);

-- Empty, or something is wrong. Reads all entries: for tests, and for the nightly check.
CREATE OR REPLACE VIEW ledger.ledger_violations AS
WITH /* file: all_entries */,
/* file: ledger_checks */;

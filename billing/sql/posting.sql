-- Two signed legs per entry, for accountants: the sum over all is 0, the sum over account `wallet` is all balances.
CREATE OR REPLACE VIEW ledger.ledger_posting AS
SELECT e.wallet_id, e.id, e.seq, e.kind, e.at, leg.account, leg.amount
FROM ledger.entry e
CROSS JOIN LATERAL (VALUES (e.debit, -e.amount), (e.credit, e.amount)) leg (account, amount);

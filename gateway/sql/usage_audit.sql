-- Empty, or something is wrong between usage, calls and the ledger; it replaces usage_violations.sql, as migration 0003
-- made it. What usage says was charged, less what waits in the outbox of refunds, equals what the ledger took less what
-- it gave back, call by call. docs/ledger.md says which finding disproves which promise.
CREATE OR REPLACE VIEW usage_violations AS
WITH /* file: all_calls */,
/* file: usage_checks */;

-- Empty, or something is wrong between usage, calls and the ledger; it replaces usage_audit.sql, which knew no retired
-- months. docs/ledger.md says which finding disproves which promise.
CREATE OR REPLACE VIEW usage_violations AS
WITH /* file: kept_calls */,
/* file: usage_checks */;

-- Settle in the ledger: which kind won, whether now, what was charged in all and what is left, per call.
SELECT n, verdict, fresh, charged, available
FROM ledger.ledger_settle(%s::bigint[], %s::uuid[], %s::text[], %s::bigint[], %s::bigint[])

-- Hold in the ledger: verdict and what is left, per call.
SELECT n, verdict, available
FROM ledger.ledger_hold(%s::bigint[], %s::uuid[], %s::bigint[], %s::int[], %s::int[], %s::int[])

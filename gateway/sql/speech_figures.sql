-- What a workspace has of the speech API right now: calls under way, sounds kept. Open calls that hold credits are found
-- through their holds, which are few; those by users' own keys among the last five minutes' (claim_dead_calls.sql).
-- Parameters: workspace_id.
SELECT
  (SELECT count(*) FROM gateway_call c
   WHERE c.workspace_id = %(workspace_id)s AND c.surface = 'speech' AND c.state = 'open'
     AND (c.id IN (SELECT h.id FROM ledger.hold h WHERE h.wallet_id = %(workspace_id)s AND h.seq = 0)
          OR c.id IN (SELECT o.id FROM gateway_call o
                      WHERE o.billing = 'byok' AND o.id >= (SELECT uuidv7(interval '-5 minutes'))))),
  (SELECT count(*) FROM gateway_spokentext WHERE workspace_id = %(workspace_id)s)

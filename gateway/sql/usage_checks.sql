-- What must agree between usage, calls and the ledger, a row for each that does not. docs/ledger.md says which finding
-- disproves which promise. What it looks at comes first, by the same names: all calls (all_calls.sql), or those that
-- changed (recent_calls.sql). Holds and the outbox of refunds are always all.
recorded AS (
  SELECT workspace_id, request_id, sum(charge_ucr) AS charged
  FROM usages WHERE billing = 'credits' GROUP BY workspace_id, request_id
), taken AS (
  SELECT wallet_id, id, sum(amount) AS charged
  FROM (SELECT wallet_id, id, CASE kind WHEN 'usage' THEN amount ELSE -amount END AS amount
        FROM entries WHERE kind IN ('usage', 'refund')
        UNION ALL
        SELECT wallet_id, call_id, amount FROM ledger.correction) m
  GROUP BY wallet_id, id
)
SELECT CASE WHEN r.request_id IS NULL THEN 'usage entry without a usage row'
            WHEN t.id IS NULL THEN 'usage row with a charge the ledger does not know'
            ELSE 'usage row and ledger differ' END AS violation,
       coalesce(r.workspace_id, t.wallet_id) AS workspace_id, coalesce(r.request_id, t.id) AS request_id,
       r.charged AS recorded_ucr, t.charged AS taken_ucr
FROM recorded r FULL JOIN taken t ON t.wallet_id = r.workspace_id AND t.id = r.request_id
WHERE r.request_id IS NULL OR coalesce(r.charged, 0) <> coalesce(t.charged, 0)
UNION ALL
SELECT 'open call without a hold', c.workspace_id, c.id, NULL, c.hold_ucr
FROM calls c
WHERE c.state = 'open' AND c.billing = 'credits' AND c.lease_until < now() - interval '90 seconds'
  AND NOT EXISTS (SELECT FROM ledger.hold h WHERE h.wallet_id = c.workspace_id AND h.id = c.id)
UNION ALL
SELECT 'hold that nobody released', h.wallet_id, h.id, NULL, h.amount
FROM ledger.hold h WHERE h.expires_at < now() - interval '90 seconds'
UNION ALL
SELECT 'hold without a call', h.wallet_id, h.id, NULL, h.amount
FROM ledger.hold h WHERE NOT EXISTS (SELECT FROM calls c WHERE c.id = h.id AND c.workspace_id = h.wallet_id)
UNION ALL
SELECT 'settled call whose hold is still open', c.workspace_id, c.id, NULL, c.hold_ucr
FROM calls c JOIN ledger.hold h ON h.wallet_id = c.workspace_id AND h.id = c.id
WHERE c.state <> 'open'
UNION ALL
SELECT 'settled call that the ledger does not know', c.workspace_id, c.id, NULL, c.hold_ucr
FROM calls c
WHERE c.state <> 'open' AND c.billing = 'credits'
  AND NOT EXISTS (SELECT FROM entries e WHERE e.wallet_id = c.workspace_id AND e.id = c.id AND e.seq = 0)
UNION ALL
SELECT 'finished call without exactly one usage row', c.workspace_id, c.id, count(u.request_id), 1
FROM calls c LEFT JOIN usages u ON u.request_id = c.id AND u.workspace_id = c.workspace_id AND u.request_count > 0
WHERE c.state <> 'open'
GROUP BY c.workspace_id, c.id HAVING count(u.request_id) <> 1
UNION ALL
SELECT 'call charged by another price than it was held by', u.workspace_id, u.request_id, u.charge_ucr, e.amount
FROM usages u JOIN entries e ON e.wallet_id = u.workspace_id AND e.id = u.request_id AND e.seq = 0
WHERE u.request_count > 0 AND u.billing = 'credits' AND e.kind = 'usage'
  AND (u.price_version, u.markup_bp) IS DISTINCT FROM (e.price_version, e.markup_bp)
UNION ALL
SELECT 'failed call that was charged', u.workspace_id, u.request_id, u.charge_ucr, NULL
FROM usages u WHERE u.status = 'failed' AND u.charge_ucr > 0
UNION ALL
SELECT 'call by a key of the user in the ledger', u.workspace_id, u.request_id, u.charge_ucr, NULL
FROM usages u
WHERE u.billing <> 'credits' AND u.request_count > 0 AND u.status <> 'refused'
  AND (EXISTS (SELECT FROM entries e WHERE e.wallet_id = u.workspace_id AND e.id = u.request_id)
       OR EXISTS (SELECT FROM ledger.hold h WHERE h.wallet_id = u.workspace_id AND h.id = u.request_id))
UNION ALL
SELECT 'usage below zero', u.workspace_id, u.request_id, u.charge_ucr, NULL
FROM usages u
WHERE LEAST(u.input_tokens, u.cached_input_tokens, u.cache_write_tokens, u.output_tokens, u.reasoning_tokens,
            u.item_count, u.character_count, u.media_ms, u.attempts) < 0
UNION ALL
SELECT 'refund that usage does not know', o.wallet_id, o.call_id, NULL, o.amount
FROM ledger.correction o WHERE o.at < now() - interval '10 minutes'

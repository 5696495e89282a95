-- What must hold of jobs; `jobs` before it says of which (all_jobs.sql, recent_jobs.sql). A job's call row is kept for a
-- week, its hold until its end, its entry for ever.
final AS (
  SELECT * FROM jobs WHERE state IN ('succeeded', 'failed', 'canceled', 'expired')
), open AS (
  SELECT * FROM jobs WHERE state IN ('queued', 'running')
), taken AS (
  SELECT e.wallet_id, e.id, sum(e.amount)::bigint AS charged
  FROM jobs j JOIN ledger.entry e ON e.wallet_id = j.workspace_id AND e.id = j.id
  WHERE e.kind = 'usage' GROUP BY e.wallet_id, e.id
)
SELECT 'job that ended with its call open' AS violation, j.workspace_id, j.id AS job_id, j.state AS detail
FROM final j JOIN gateway_call c ON c.id = j.id WHERE c.state = 'open'
UNION ALL
SELECT 'open job whose call has ended', j.workspace_id, j.id, c.state
FROM open j JOIN gateway_call c ON c.id = j.id WHERE c.state <> 'open' AND j.deadline_at > now() - interval '2 minutes'
UNION ALL
SELECT 'job that ended with its hold open', j.workspace_id, j.id, j.state
FROM final j JOIN ledger.hold h ON h.wallet_id = j.workspace_id AND h.id = j.id AND h.seq = 0
UNION ALL
SELECT 'open job without a hold', j.workspace_id, j.id, j.state
FROM open j
WHERE j.billing = 'credits' AND j.deadline_at > now() - interval '2 minutes'
  AND NOT EXISTS (SELECT FROM ledger.hold h WHERE h.wallet_id = j.workspace_id AND h.id = j.id)
UNION ALL
SELECT 'job by a key of the user with a hold or an entry', j.workspace_id, j.id, j.billing
FROM jobs j
WHERE j.billing <> 'credits'
  AND (EXISTS (SELECT FROM ledger.hold h WHERE h.wallet_id = j.workspace_id AND h.id = j.id)
       OR EXISTS (SELECT FROM ledger.entry e WHERE e.wallet_id = j.workspace_id AND e.id = j.id))
UNION ALL
SELECT 'open job past its deadline', j.workspace_id, j.id, j.deadline_at::text
FROM open j WHERE j.deadline_at < now() - interval '2 minutes'
UNION ALL
SELECT 'job that ended with a run open', j.workspace_id, j.id, r.number || ' ' || r.state
FROM final j JOIN gateway_jobrun r ON r.job_id = j.id
WHERE r.state IN ('queued', 'submitting', 'unknown', 'running', 'storing')
UNION ALL
SELECT 'open job without an open run', j.workspace_id, j.id, j.state
FROM open j
WHERE NOT EXISTS (SELECT FROM gateway_jobrun r
                  WHERE r.job_id = j.id AND r.state IN ('queued', 'submitting', 'unknown', 'running', 'storing'))
UNION ALL
SELECT 'job whose runs are not all of it', j.workspace_id, j.id, sum(r.item_count) || ' of ' || j.item_count
FROM jobs j JOIN gateway_jobrun r ON r.job_id = j.id
GROUP BY j.workspace_id, j.id, j.item_count HAVING sum(r.item_count) <> j.item_count
UNION ALL
SELECT 'job that succeeded without a file', j.workspace_id, j.id, j.made_count::text
FROM final j WHERE j.state = 'succeeded' AND (j.made_count = 0 OR jsonb_array_length(j.result) <> j.made_count)
UNION ALL
SELECT 'job whose file is not ours', j.workspace_id, j.id, f->>'asset_id'
FROM final j, jsonb_array_elements(j.result) f
WHERE j.finished_at > now() - interval '1 day'
  AND NOT EXISTS (SELECT FROM gateway_asset a
                  WHERE a.id = (f->>'asset_id')::uuid AND a.workspace_id = j.workspace_id AND a.job_id = j.id)
UNION ALL
SELECT 'job and ledger differ', j.workspace_id, j.id, j.charge_ucr || ' shown, ' || COALESCE(t.charged, 0) || ' taken'
FROM final j LEFT JOIN taken t ON t.wallet_id = j.workspace_id AND t.id = j.id
WHERE j.charge_ucr <> COALESCE(t.charged, 0)

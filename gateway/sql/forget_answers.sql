-- Drop stored answers a day after their call. Ids sort by time, so their range is an index condition.
-- Parameter: most rows to change.
UPDATE gateway_call SET answer = NULL, idempotency_digest = NULL
WHERE id IN (
  SELECT id FROM gateway_call
  WHERE id >= (SELECT uuidv7(interval '-8 days')) AND id < (SELECT uuidv7(interval '-24 hours'))
    AND idempotency_digest IS NOT NULL AND state <> 'open'
  LIMIT %s)

-- Drop call rows a week after their call; the usage row stays. Ids sort by time, so their range is an index condition.
-- Parameter: most rows to drop.
DELETE FROM gateway_call
WHERE id IN (
  SELECT id FROM gateway_call
  WHERE id < (SELECT uuidv7(interval '-7 days')) AND state <> 'open'
  ORDER BY id LIMIT %s)

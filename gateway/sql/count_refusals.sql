-- One usage row per minute, workspace, key and reason; parameters are arrays of gateway/refusals.py's rows.
INSERT INTO usage (request_id, started_at, workspace_id, app_key_id, app_id, surface, operation, kind, channel, status,
                   reason, billing, request_count, attempts, http_status, usage_source)
SELECT id, to_timestamp(minute), workspace_id, app_key_id, app_id, surface, operation, '', '', 'refused',
       reason, 'none', count, 0, http_status, 'none'
FROM unnest(%s::uuid[], %s::float8[], %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[],
            %s::int[], %s::int[])
  AS i(id, minute, workspace_id, app_key_id, app_id, surface, operation, reason, http_status, count)

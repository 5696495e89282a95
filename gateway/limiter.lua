-- One round trip for a batch of callers: release what ended, then for each caller look up its copy, count its request,
-- and take one of its concurrent places. Times are Redis's own, in microseconds.
--
-- ARGV[1]: msgpack of {releases, extensions, asks}; releases and extensions are flat lists of limiter key, request id;
--   an ask is {request id, digest, record, limiter key, limit, window_us, concurrency}, where record
--     'cached' = use the copy under the digest, '' = limits are given but nothing is to be copied,
--     anything else = keep this record as the copy (a caller just read from PostgreSQL).
-- Returns msgpack of one answer per ask: {state, record, remaining, full_at_us, retry_us}
--   state 'missing' (no copy), 'ok', 'rate', 'concurrency'.
local PLACE_US = 60 * 1000000          -- a place nobody extended is free again after this
local COPY_MS = 4000                   -- a revoked key's copy lives no longer (revocation is effective within 5 s)
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local batch = cmsgpack.unpack(ARGV[1])
local releases, extensions = batch[1], batch[2]

for n = 1, #releases, 2 do
  redis.call('ZREM', 'open:' .. releases[n], releases[n + 1])
end
for n = 1, #extensions, 2 do
  redis.call('ZADD', 'open:' .. extensions[n], 'XX', string.format('%.0f', now + PLACE_US), extensions[n + 1])
end

local function admit(request, key, limit, window, concurrency)
  local open = 'open:' .. key
  local interval = window / limit
  local due = tonumber(redis.call('GET', 'rate:' .. key) or 0)
  if due < now then due = now end
  local spent = due - now + interval
  if spent > window + 1 then
    return 'rate', 0, due, spent - window
  end
  redis.call('ZREMRANGEBYSCORE', open, '-inf', string.format('%.0f', now))
  if redis.call('ZCARD', open) >= concurrency then
    return 'concurrency', math.floor((window - (due - now)) / interval), due, 1000000
  end
  redis.call('ZADD', open, string.format('%.0f', now + PLACE_US), request)
  redis.call('PEXPIRE', open, 120000)
  redis.call('SET', 'rate:' .. key, string.format('%.0f', due + interval), 'PX', math.ceil(spent / 1000) + 1000)
  return 'ok', math.floor((window + 1 - spent) / interval), due + interval, 0
end

local answers = {}
for n, ask in ipairs(batch[3]) do
  local request, digest, record, key, limit, window, concurrency = unpack(ask)
  local known = true
  if record == 'cached' then
    local copy = redis.call('HMGET', 'caller:' .. digest, 'record', 'key', 'limit', 'window', 'concurrency')
    if copy[1] then
      record, key = copy[1], copy[2]
      limit, window, concurrency = tonumber(copy[3]), tonumber(copy[4]), tonumber(copy[5])
    else
      known = false
    end
  elseif record ~= '' then
    redis.call('HSET', 'caller:' .. digest, 'record', record, 'key', key, 'limit', limit, 'window', window,
               'concurrency', concurrency)
    redis.call('PEXPIRE', 'caller:' .. digest, COPY_MS)
  end
  if known then
    local state, remaining, full_at, retry = admit(request, key, limit, window, concurrency)
    answers[n] = {state, record, remaining, math.ceil(full_at), math.ceil(retry)}
  else
    answers[n] = {'missing', '', 0, 0, 0}
  end
end
return cmsgpack.pack(answers)

-- What the processes tell each other about providers: each tells what it saw since it last asked, and hears what all
-- of them know. Times are Redis's own, in milliseconds; every key lives for a bounded time.
--
-- ARGV[1]: msgpack of a list of {name, calls, failures, verdict, for_ms, wants_probe, rests}
--   verdict '' = nothing new, 'open' = leave it alone for for_ms, 'close' = it answers again;
--   wants_probe = somebody was turned away there; rests is a flat list of model, milliseconds.
-- Returns msgpack of one answer each: {state, remaining_ms, rests}
--   state 'closed', 'open', or 'probe': open, its time is over, and this process alone may try it once.
local WINDOW_S, FEWEST_CALLS, OPEN_MS, PROBE_MS, KEEP_MS = 10, 20, 5000, 5000, 60000
local time = redis.call('TIME')
local second = tonumber(time[1])
local now = second * 1000 + math.floor(tonumber(time[2]) / 1000)

local function text(number)
  return string.format('%.0f', number)
end

local function open(key, for_ms)
  redis.call('SET', key, text(now + for_ms), 'PX', text(for_ms + KEEP_MS))
end

local function half_failed(counts)
  local calls, failures = 0, 0
  local fields = redis.call('HGETALL', counts)
  for n = 1, #fields, 2 do
    if tonumber(string.sub(fields[n], 2)) <= second - WINDOW_S then
      redis.call('HDEL', counts, fields[n])
    elseif string.sub(fields[n], 1, 1) == 'c' then
      calls = calls + tonumber(fields[n + 1])
    else
      failures = failures + tonumber(fields[n + 1])
    end
  end
  return calls >= FEWEST_CALLS and failures * 2 >= calls
end

local function resting(key, told)
  for n = 1, #told, 2 do
    redis.call('ZADD', key, 'GT', text(now + told[n + 1]), told[n])
    redis.call('PEXPIRE', key, 120000)
  end
  redis.call('ZREMRANGEBYSCORE', key, '-inf', text(now))
  local found = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
  for n = 2, #found, 2 do
    found[n] = tonumber(found[n]) - now
  end
  return found
end

local answers = {}
for n, item in ipairs(cmsgpack.unpack(ARGV[1])) do
  local name, calls, failures, verdict, for_ms, wants_probe, rests = unpack(item)
  local key, counts, probe = 'breaker:open:' .. name, 'breaker:counts:' .. name, 'breaker:probe:' .. name
  if verdict == 'close' then
    redis.call('DEL', key, counts, probe)
  elseif verdict == 'open' then
    open(key, for_ms)
  elseif calls > 0 then
    redis.call('HINCRBY', counts, 'c' .. text(second), calls)
    redis.call('HINCRBY', counts, 'f' .. text(second), failures)
    redis.call('PEXPIRE', counts, 20000)
    if failures > 0 and redis.call('EXISTS', key) == 0 and half_failed(counts) then
      open(key, OPEN_MS)
    end
  end
  local state, remaining, till = 'closed', 0, redis.call('GET', key)
  if till then
    state, remaining = 'open', math.max(0, tonumber(till) - now)
    if remaining == 0 and wants_probe and redis.call('SET', probe, '1', 'NX', 'PX', PROBE_MS) then
      state = 'probe'
    end
  end
  answers[n] = {state, remaining, resting('breaker:rests:' .. name, rests)}
end
return cmsgpack.pack(answers)

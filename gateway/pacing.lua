-- One round trip for a call that a provider is to be asked for: book the first moment at which every limit of the
-- provider's key has room, behind those who came before. Times are Redis's own, in microseconds.
--
-- Each limit is a list of the bookings in its window ("time:cost", the earliest first) and their sum. A booking is at
-- `most` within any window, not only on average: its time is that of the booking which must have left the window.
--
-- ARGV[1]: msgpack of {name, patience_us, given_back_us, limits}; limits are lists of {label, most, window_us, cost}
--   given_back_us 0 = book; else the booking of that time is given back, as long as it is the last one.
-- Returns msgpack of {booked_at_us, wait_us}; booked_at_us 0 = not booked: it would take longer than the patience.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local name, patience, given_back, limits = unpack(cmsgpack.unpack(ARGV[1]))
local MERGED = 3600                    -- finer than this a window's bookings are not kept, if there are so many

local function text(number)
  return string.format('%.0f', number)
end

local function read(entry)
  local at, cost = string.match(entry, '(%d+):(%d+)')
  return tonumber(at), tonumber(cost)
end

local function forget_passed(list, sum, window)
  local head = redis.call('LINDEX', list, 0)
  while head do
    local at, cost = read(head)
    if at > now - window then return end
    redis.call('LPOP', list)
    redis.call('DECRBY', sum, text(cost))
    head = redis.call('LINDEX', list, 0)
  end
  redis.call('DEL', sum)               -- whatever it says: nothing is booked
end

local function first_fit(list, sum, most, window, cost)
  local over, at, first = tonumber(redis.call('GET', sum) or 0) + cost - most, 0, 0
  while over > 0 do
    local entries = redis.call('LRANGE', list, first, first + 63)
    if #entries == 0 then return at end
    for _, entry in ipairs(entries) do
      local began, used = read(entry)
      over, at = over - used, began + window
      if over <= 0 then return at end
    end
    first = first + 64
  end
  return at
end

local function book(list, sum, most, window, cost, at)
  local tail = redis.call('LINDEX', list, -1)
  local before, used = 0, 0
  if tail then before, used = read(tail) end
  if tail and most > MERGED and at - before < window / MERGED then
    redis.call('LSET', list, -1, text(at) .. ':' .. text(used + cost))
  else
    redis.call('RPUSH', list, text(at) .. ':' .. text(cost))
  end
  redis.call('INCRBY', sum, text(cost))
  local life = text(math.ceil((at - now + window) / 1000) + 1000)
  redis.call('PEXPIRE', list, life)
  redis.call('PEXPIRE', sum, life)
end

local function give_back(list, sum, cost)
  local tail = redis.call('LINDEX', list, -1)
  if not tail then return end
  local at, used = read(tail)
  if at ~= given_back then return end
  if used > cost then
    redis.call('LSET', list, -1, text(at) .. ':' .. text(used - cost))
  else
    redis.call('RPOP', list)
  end
  redis.call('DECRBY', sum, text(cost))
end

local at = now
for _, limit in ipairs(limits) do
  local label, most, window, cost = unpack(limit)
  cost = math.min(cost, most)
  local list, sum = 'pace:' .. name .. ':' .. label, 'pace:' .. name .. ':' .. label .. ':sum'
  if given_back > 0 then
    give_back(list, sum, cost)
  else
    forget_passed(list, sum, window)
    local tail = redis.call('LINDEX', list, -1)
    if tail then at = math.max(at, (read(tail))) end
    at = math.max(at, first_fit(list, sum, most, window, cost))
  end
end
if given_back > 0 or at - now > patience then
  return cmsgpack.pack({0, at - now})
end
for _, limit in ipairs(limits) do
  local label, most, window, cost = unpack(limit)
  local list, sum = 'pace:' .. name .. ':' .. label, 'pace:' .. name .. ':' .. label .. ':sum'
  book(list, sum, most, window, math.min(cost, most), at)
end
return cmsgpack.pack({at, at - now})

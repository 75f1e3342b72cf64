#!lua flags=allow-oom
-- Moves messages into the place of one consumer: delayed ones that are due first, then the head of the list.
-- KEYS: list, taken, delayed. ARGV: most messages, uid of the consumer, number of the next id, time in ms, most bytes.
-- Returns: ms until the next delayed one is due (-1: none), length of the list, messages in place, {{field, entry}, ...}.
for i, wanted in ipairs({ 'list', 'hash', 'zset' }) do
  local found = redis.call('TYPE', KEYS[i]).ok
  if found ~= 'none' and found ~= wanted then
    return redis.error_reply('WRONGTYPE the key `' .. KEYS[i] .. '` holds a ' .. found .. ', not a ' .. wanted .. ': rename or delete it')
  end
end
local list, taken, delayed = KEYS[1], KEYS[2], KEYS[3]
local most, uid, number, first, most_bytes = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local got, bytes = {}, 0

-- Of one width, so that entries of equal score stay in order.
local function fresh()
  local id = string.format('%s-%012d', uid, number)
  number = number + 1
  return id
end

for _, entry in ipairs(redis.call('ZRANGEBYSCORE', delayed, '-inf', now, 'LIMIT', 0, most)) do
  local field = string.match(entry, '^{"id":"([^"\\]+)"') or fresh()
  if redis.call('HSETNX', taken, field, entry) == 1 then
    redis.call('ZREM', delayed, entry)
    got[#got + 1] = { field, entry }
    bytes = bytes + #entry
  else
    -- Somebody made a copy: one after the other.
    redis.call('ZADD', delayed, now + 1000, entry)
  end
  if bytes >= most_bytes then break end
end
while #got < most and bytes < most_bytes do
  local body = redis.call('LINDEX', list, 0)
  if not body then break end
  local field = fresh()
  local entry = '{"id":"' .. field .. '","attempt":1,"first":' .. first .. '}\n' .. body
  redis.call('HSET', taken, field, entry)
  redis.call('LPOP', list)
  got[#got + 1] = { field, entry }
  bytes = bytes + #entry
end

local wait = -1
local next_due = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')[2]
if next_due then wait = math.max(0, math.ceil(tonumber(next_due) - now)) end
return { wait, redis.call('LLEN', list), redis.call('HLEN', taken), got }

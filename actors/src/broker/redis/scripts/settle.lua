#!lua flags=allow-oom
-- Applies a batch of settlements.
-- KEYS: list, taken, delayed, dead. ARGV, four for each: outcome, field, what is written, delay in ms.
-- Returns for each: 1 applied, 0 the message is not there.
local places = { ['return'] = 1, again = 3, retry = 3, dead = 4 }
local types = { 'list', 'hash', 'zset', 'list' }
local used = { [2] = true }
for i = 1, #ARGV, 4 do
  local place = places[ARGV[i]]
  if place then used[place] = true end
end
for i, wanted in ipairs(types) do
  local found = redis.call('TYPE', KEYS[i]).ok
  if used[i] and found ~= 'none' and found ~= wanted then
    return redis.error_reply('WRONGTYPE the key `' .. KEYS[i] .. '` holds a ' .. found .. ', not a ' .. wanted .. ': rename or delete it')
  end
end
local list, taken, delayed, dead = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local applied = {}
for i = 1, #ARGV, 4 do
  local outcome, field, written = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if redis.call('HEXISTS', taken, field) == 0 then
    applied[#applied + 1] = 0
  else
    if outcome == 'retry' then
      redis.call('ZADD', delayed, now + tonumber(ARGV[i + 3]), written)
    elseif outcome == 'again' then
      redis.call('ZADD', delayed, 0, written)
    elseif outcome == 'dead' then
      redis.call('RPUSH', dead, written)
    elseif outcome == 'return' then
      redis.call('LPUSH', list, written)
    end
    redis.call('HDEL', taken, field)
    applied[#applied + 1] = 1
  end
end
return applied

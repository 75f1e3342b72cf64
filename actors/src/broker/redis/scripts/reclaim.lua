#!lua flags=allow-oom
-- Takes a place from a consumer that is dead, a part at a time: puts what was read before among the delayed, and reads on.
-- KEYS: leases, taken, delayed. ARGV: consumer, counter that stands still, most messages, most bytes, then three for each that
-- was read before: field, entry, delay in ms. Returns how many of those were moved, {field, value, ...}: none when nothing is left.
local leases, taken, delayed, consumer = KEYS[1], KEYS[2], KEYS[3], ARGV[1]
for i, wanted in ipairs({ 'hash', 'hash', 'zset' }) do
  local found = redis.call('TYPE', KEYS[i]).ok
  if found ~= 'none' and found ~= wanted then
    return redis.error_reply('WRONGTYPE the key `' .. KEYS[i] .. '` holds a ' .. found .. ', not a ' .. wanted .. ': rename or delete it')
  end
end
-- Below zero: its owner, should it come back, takes nothing more until it has entered anew.
local counter = redis.call('HGET', leases, consumer)
if counter ~= ARGV[2] then return { -1, {} } end
if counter ~= '-1' then redis.call('HSET', leases, consumer, '-1') end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local moved = {}
for i = 5, #ARGV, 3 do
  if redis.call('HEXISTS', taken, ARGV[i]) == 1 then
    local delay = tonumber(ARGV[i + 2])
    redis.call('ZADD', delayed, delay > 0 and now + delay or 0, ARGV[i + 1])
    redis.call('HDEL', taken, ARGV[i])
    moved[#moved + 1] = ARGV[i]
  end
end
local keys, found, bytes = redis.call('HKEYS', taken), {}, 0
table.sort(keys)
for i = 1, math.min(#keys, tonumber(ARGV[3])) do
  local value = redis.call('HGET', taken, keys[i])
  found[2 * i - 1], found[2 * i] = keys[i], value
  bytes = bytes + #value
  if bytes >= tonumber(ARGV[4]) then break end
end
if #found == 0 then redis.call('HDEL', leases, consumer) end
return { #moved, found }

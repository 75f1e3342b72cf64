#!lua flags=allow-oom
-- Checks the keys of a queue and the format of what we keep beside the list, and enters a consumer among those that live.
-- KEYS: list, taken, delayed, dead, meta, leases, seen. ARGV: format, format to take over (once its places are entered), consumer.
-- Returns 1, the format found: the consumer is entered only if it is ours.
for i, wanted in ipairs({ 'list', 'hash', 'zset', 'list', 'hash', 'hash', 'zset' }) do
  local found = redis.call('TYPE', KEYS[i]).ok
  if found ~= 'none' and found ~= wanted then
    return redis.error_reply('WRONGTYPE the key `' .. KEYS[i] .. '` holds a ' .. found .. ', not a ' .. wanted .. ': rename or delete it')
  end
end
local format = redis.call('HGET', KEYS[5], 'format') or ARGV[1]
if format == ARGV[2] then format = ARGV[1] end
if format == ARGV[1] then
  redis.call('HSET', KEYS[5], 'format', format)
  -- No counter that this consumer ever had: whoever has seen one of those stand still must not take this one for it.
  local time = redis.call('TIME')
  redis.call('HSET', KEYS[6], ARGV[3], time[1] .. string.format('%06d', time[2]))
end
return { 1, format }

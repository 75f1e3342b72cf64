#!lua flags=allow-oom
-- Checks the keys of a queue, and marks the format of what we keep beside the list.
-- KEYS: list, delayed, dead, meta. ARGV: format. Returns 1, the format found.
for i, wanted in ipairs({ 'list', 'zset', 'list', 'hash' }) do
  local found = redis.call('TYPE', KEYS[i]).ok
  if found ~= 'none' and found ~= wanted then
    return redis.error_reply('WRONGTYPE the key `' .. KEYS[i] .. '` holds a ' .. found .. ', not a ' .. wanted .. ': rename or delete it')
  end
end
redis.call('HSETNX', KEYS[4], 'format', ARGV[1])
return { 1, redis.call('HGET', KEYS[4], 'format') }

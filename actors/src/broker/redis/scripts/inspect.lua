#!lua flags=no-writes
-- Counts. KEYS: list, delayed, dead, meta, then any number of taken. ARGV: reasons.
-- Returns: waiting, in flight, delayed, dead, and of each reason how many are counted as dead.
local taken = 0
for i = 5, #KEYS do taken = taken + redis.call('HLEN', KEYS[i]) end
local counts = { redis.call('LLEN', KEYS[1]), taken, redis.call('ZCARD', KEYS[2]), redis.call('LLEN', KEYS[3]) }
for i = 1, #ARGV do counts[4 + i] = tonumber(redis.call('HGET', KEYS[4], 'dead:' .. ARGV[i]) or 0) end
return counts

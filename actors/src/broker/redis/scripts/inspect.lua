#!lua flags=no-writes
-- Counts. KEYS: list, delayed, dead, then any number of taken. Returns: waiting, in flight, delayed, dead.
local taken = 0
for i = 4, #KEYS do taken = taken + redis.call('HLEN', KEYS[i]) end
return { redis.call('LLEN', KEYS[1]), taken, redis.call('ZCARD', KEYS[2]), redis.call('LLEN', KEYS[3]) }

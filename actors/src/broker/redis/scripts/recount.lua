#!lua flags=allow-oom
-- Sets the counts of dead letters, if there are still as many as were counted.
-- KEYS: dead, meta. ARGV: dead letters, then two for each reason: reason, how many.
if redis.call('LLEN', KEYS[1]) ~= tonumber(ARGV[1]) then return 0 end
for i = 2, #ARGV, 2 do redis.call('HSET', KEYS[2], 'dead:' .. ARGV[i], ARGV[i + 1]) end
return 1

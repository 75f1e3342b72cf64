#!lua flags=allow-oom
-- Takes a consumer off the list, if its place is empty: from then on it can take nothing more.
-- KEYS: leases, taken. ARGV: consumer. Returns 1, or 0 when there is something in the place.
if redis.call('HLEN', KEYS[2]) > 0 then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
return 1

#!lua flags=no-writes
-- The consumers of a queue. KEYS: leases. Returns 1, {consumer, ...}.
return { 1, redis.call('HKEYS', KEYS[1]) }

#!lua flags=allow-oom
-- Enters a place without an owner, so that it is watched like the places of all others. KEYS: leases. ARGV: consumer.
return redis.call('HSETNX', KEYS[1], ARGV[1], '-1')

#!lua flags=no-writes
-- Dead letters. KEYS: dead. ARGV: first, last. Returns how many there are in all, {letter, ...}.
return { redis.call('LLEN', KEYS[1]), redis.call('LRANGE', KEYS[1], ARGV[1], ARGV[2]) }

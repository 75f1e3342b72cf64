#!lua flags=no-writes
-- The oldest dead letters. KEYS: dead. ARGV: first, last. Returns: how many, {letter, ...} .
local letters = redis.call('LRANGE', KEYS[1], ARGV[1], ARGV[2])
return { #letters, letters }

#!lua flags=allow-oom
-- Deletes the oldest dead letters. KEYS: dead. ARGV: how many. Returns: how many, {letter, ...} .
local letters = redis.call('LRANGE', KEYS[1], 0, ARGV[1] - 1)
redis.call('LTRIM', KEYS[1], #letters, -1)
return { #letters, letters }

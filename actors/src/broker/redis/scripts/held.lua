#!lua flags=no-writes
-- What is in the place of one consumer: after the answer to a take was lost.
-- KEYS: taken. Returns 1, {field, value, ...}.
return { 1, redis.call('HGETALL', KEYS[1]) }

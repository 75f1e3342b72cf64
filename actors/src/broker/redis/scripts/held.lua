#!lua flags=no-writes
-- What is in the place of one consumer: after the answer to a take was lost.
-- KEYS: taken. Returns: how many, {{field, entry}, ...}.
local pairs_of = redis.call('HGETALL', KEYS[1])
local held = {}
for i = 1, #pairs_of, 2 do held[#held + 1] = { pairs_of[i], pairs_of[i + 1] } end
return { #held, held }

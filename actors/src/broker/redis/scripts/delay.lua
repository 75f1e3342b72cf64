#!lua
-- Sends messages with a delay. KEYS: delayed. ARGV, two for each: delay in ms, entry. Returns how many.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for i = 1, #ARGV, 2 do redis.call('ZADD', KEYS[1], now + tonumber(ARGV[i]), ARGV[i + 1]) end
return #ARGV / 2

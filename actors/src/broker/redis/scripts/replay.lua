#!lua flags=allow-oom
-- Puts dead letters back, due at once and in order, as long as they are still the oldest: another replay may be at work.
-- KEYS: delayed, dead. ARGV, two for each: the letter as it was read, its new entry. Returns how many.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000) - 1
for i = 1, #ARGV, 2 do
  if redis.call('LINDEX', KEYS[2], 0) ~= ARGV[i] then return (i - 1) / 2 end
  redis.call('ZADD', KEYS[1], now + i / 2048, ARGV[i + 1])
  redis.call('LPOP', KEYS[2])
end
return #ARGV / 2

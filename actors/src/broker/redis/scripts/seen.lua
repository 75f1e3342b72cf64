#!lua flags=no-writes
-- Which keys are remembered. KEYS: seen. ARGV: keys. Returns 1 or 0 for each.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local known = {}
for i = 1, #ARGV do
  local ends = redis.call('ZSCORE', KEYS[1], ARGV[i])
  known[i] = ends and tonumber(ends) > now and 1 or 0
end
return known

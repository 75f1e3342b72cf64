#!lua flags=allow-oom
-- Raises the counters of our consumers, and shows all.
-- KEYS: leases. ARGV: our consumers. Returns 1, {consumer, counter, ...}.
local all = redis.call('HGETALL', KEYS[1])
local counters = {}
for i = 1, #all, 2 do counters[all[i]] = tonumber(all[i + 1]) end
for i = 1, #ARGV do
  -- One that is missing or below zero was taken for dead: its owner finds out at its next turn.
  if (counters[ARGV[i]] or -1) >= 0 then redis.call('HINCRBY', KEYS[1], ARGV[i], 1) end
end
return { 1, all }

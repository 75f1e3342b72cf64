#!lua flags=allow-oom
-- Takes dead letters out, as long as they stand where they were read: somebody else may be at it. Those that come with
-- an entry are put back, due at once and in order: each a part of a millisecond after the one before.
-- KEYS: dead, meta, delayed. ARGV: what stands for a letter that is taken out, how many were taken out before, then four for each: index, the letter as it was
-- read, its reason, its new entry ('': none). Returns how many.
local dead, meta, delayed = KEYS[1], KEYS[2], KEYS[3]
for i, wanted in ipairs({ 'list', 'hash', 'zset' }) do
  local found = redis.call('TYPE', KEYS[i]).ok
  if found ~= 'none' and found ~= wanted then
    return redis.error_reply('WRONGTYPE the key `' .. KEYS[i] .. '` holds a ' .. found .. ', not a ' .. wanted .. ': rename or delete it')
  end
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000) - 1000
-- Those at the head are cut off together; for one further back something else stands until all are removed.
local taken, at_head = 0, 0
for i = 3, #ARGV, 4 do
  local index, letter, reason, entry = tonumber(ARGV[i]), ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  if redis.call('LINDEX', dead, index) ~= letter then break end
  if entry ~= '' then redis.call('ZADD', delayed, now + (ARGV[2] + taken) / 1024, entry) end
  if index == at_head then
    at_head = at_head + 1
  else
    redis.call('LSET', dead, index, ARGV[1])
  end
  if redis.call('HINCRBY', meta, 'dead:' .. reason, -1) < 0 then redis.call('HSET', meta, 'dead:' .. reason, 0) end
  taken = taken + 1
end
if at_head > 0 then redis.call('LTRIM', dead, at_head, -1) end
if taken > at_head then redis.call('LREM', dead, taken - at_head, ARGV[1]) end
return taken

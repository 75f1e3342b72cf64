#!lua flags=allow-oom
-- One turn of a consumer: settles what it has finished with, then takes: delayed messages that are due, and the head of the list.
-- Each key is read before anything is written, so that a key of another type stops what needs it, and nothing else.
-- KEYS: list, taken, delayed, dead, meta, leases, seen, then list and delayed of each queue that is sent to.
-- ARGV: consumer, how many it may have (0: take none), most messages, most bytes, stamp of the take, how many it has,
--   most keys to remember, fields to acknowledge (19 bytes each), then the other settlements, each of them:
--   ack, field, key to remember, for how long in ms ('': not), how many to send, and of each: which queue, delay in ms, what;
--   retry, field, entry, delay in ms; again, field, entry; return, field, body; dead, field, letter, reason.
-- Returns: 1 if the lease lives, 1 if there may be more, ms until the next delayed one is due (-1: none), messages in place,
--   keys forgotten early, what was wrong, acknowledgements that came too late, the other settlements (1 applied,
--   2 remembered already, 0 too late, -1 not now), delayed entries, bodies.
local list, taken, delayed, dead, meta, leases, seen = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local wrong = ''

local function read(command, key, ...)
  local reply = redis.pcall(command, key, ...)
  if type(reply) == 'table' and reply.err then
    wrong = 'WRONGTYPE the key `' .. key .. '` holds a ' .. redis.call('TYPE', key).ok .. ': rename or delete it'
    return nil
  end
  return reply
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local in_place = read('HLEN', taken)
if not in_place then return redis.error_reply(wrong) end
local lease = tonumber(read('HGET', leases, ARGV[1]) or nil)
local alive = lease and lease >= 0

-- Plain acknowledgements: all with one command. Where the place is as its owner knows it, none can be late.
local late, fields = {}, {}
for i = 1, #ARGV[8] / 19 do fields[i] = string.sub(ARGV[8], 19 * i - 18, 19 * i) end
if #fields > 0 then
  if in_place ~= tonumber(ARGV[6]) then
    local there, keys = {}, redis.call('HKEYS', taken)
    for i = 1, #keys do there[keys[i]] = true end
    for i = 1, #fields do
      if not there[fields[i]] then late[#late + 1] = i - 1 end
    end
  end
  in_place = in_place - redis.call('HDEL', taken, unpack(fields))
end

-- The others: what is written goes to its new place before the old one is left.
local sound = {}
local function usable(command, key, ...)
  if sound[key] == nil then sound[key] = read(command, key, ...) ~= nil end
  return sound[key]
end

local at, settled, pruned, forgotten = 9, {}, false, 0
local function next_argument()
  at = at + 1
  return ARGV[at - 1]
end

local function remember(key, window)
  if not pruned then
    pruned = true
    local old = redis.call('ZRANGEBYSCORE', seen, '-inf', now, 'LIMIT', 0, 1000)
    if #old > 0 then redis.call('ZREM', seen, unpack(old)) end
  end
  local known = redis.call('ZSCORE', seen, key)
  if known and tonumber(known) > now then return false end
  redis.call('ZADD', seen, now + window, key)
  local surplus = redis.call('ZCARD', seen) - tonumber(ARGV[7])
  if surplus > 0 then forgotten = forgotten + redis.call('ZREMRANGEBYRANK', seen, 0, surplus - 1) end
  if redis.call('PTTL', seen) < window then redis.call('PEXPIRE', seen, window) end
  return true
end

local function acknowledge(field)
  local key, window, ready, out = next_argument(), next_argument(), true, {}
  if window ~= '' then ready = usable('ZCARD', seen) end
  for i = 1, tonumber(next_argument()) do
    local place, delay, what = 6 + 2 * next_argument(), tonumber(next_argument()), next_argument()
    if delay > 0 then
      ready = usable('ZCARD', KEYS[place + 1]) and ready
      out[i] = { 'ZADD', KEYS[place + 1], now + delay, what }
    else
      ready = usable('LLEN', KEYS[place]) and ready
      out[i] = { 'RPUSH', KEYS[place], what }
    end
  end
  return ready, function()
    if window ~= '' and not remember(key, tonumber(window)) then return 2 end
    for i = 1, #out do redis.call(unpack(out[i])) end
    return 1
  end
end

local ways = {
  ack = acknowledge,
  retry = function()
    local entry, delay = next_argument(), tonumber(next_argument())
    return usable('ZCARD', delayed), function() redis.call('ZADD', delayed, now + delay, entry) return 1 end
  end,
  again = function()
    local entry = next_argument()
    return usable('ZCARD', delayed), function() redis.call('ZADD', delayed, 0, entry) return 1 end
  end,
  ['return'] = function()
    local body = next_argument()
    return usable('LLEN', list), function() redis.call('LPUSH', list, body) return 1 end
  end,
  dead = function()
    local letter, reason = next_argument(), next_argument()
    return usable('LLEN', dead) and usable('HLEN', meta), function()
      redis.call('RPUSH', dead, letter)
      redis.call('HINCRBY', meta, 'dead:' .. reason, 1)
      return 1
    end
  end,
}
while at <= #ARGV do
  local way, field = ways[next_argument()], next_argument()
  local ready, apply = way(field)
  local result = 0
  if redis.call('HEXISTS', taken, field) == 1 then
    result = -1
    if ready then
      result = apply()
      in_place = in_place - redis.call('HDEL', taken, field)
    end
  end
  settled[#settled + 1] = result
end

-- The take. Who has lost the lease has lost the place, and takes no more into it.
local room = math.min(tonumber(ARGV[2]) - in_place, tonumber(ARGV[3]))
local entries, bodies, more, wait = {}, {}, 0, -1
if alive and room > 0 then
  local most_bytes, stamp, got, bytes, largest = tonumber(ARGV[4]), ARGV[5], 0, 0, 1
  -- Reads on in chunks, as large as what was read so far allows.
  local function collect(into, chunk_of)
    local chunk = 8
    while got < room and bytes < most_bytes do
      local wanted = math.min(chunk, room - got)
      local some = chunk_of(#into, wanted)
      if not some then return end
      for i = 1, #some do
        local one = some[i]
        into[#into + 1] = one
        bytes = bytes + #one
        if #one > largest then largest = #one end
      end
      got = got + #some
      if #some < wanted then return end
      chunk = math.max(1, math.floor((most_bytes - bytes) / largest))
    end
    more = 1
  end
  collect(entries, function(from, count) return read('ZRANGEBYSCORE', delayed, '-inf', now, 'LIMIT', from, count) end)
  if more == 0 then
    collect(bodies, function(from, count) return read('LRANGE', list, from, from + count - 1) end)
  end
  if got > 0 then
    local pairs_of, last = {}, 999
    for i = 1, #entries do
      last = last + 1
      pairs_of[2 * i - 1] = '=' .. stamp .. last
      pairs_of[2 * i] = entries[i]
    end
    local base = 2 * #entries
    for i = 1, #bodies do
      last = last + 1
      pairs_of[base + 2 * i - 1] = '+' .. stamp .. last
      pairs_of[base + 2 * i] = bodies[i]
    end
    redis.call('HSET', taken, unpack(pairs_of))
    if #entries > 0 then redis.call('ZREM', delayed, unpack(entries)) end
    if #bodies > 0 then redis.call('LTRIM', list, #bodies, -1) end
    in_place = in_place + got
  end
  if more == 0 then
    local first = read('ZRANGE', delayed, 0, 0, 'WITHSCORES')
    if first and first[2] then wait = math.max(0, math.ceil(tonumber(first[2]) - now)) end
  end
end
return { alive and 1 or 0, more, wait, in_place, forgotten, wrong, late, settled, entries, bodies }

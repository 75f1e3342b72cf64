#!lua flags=allow-oom
-- One turn of a consumer: settles what it has finished with, then takes: delayed messages that are due, and the head of the list.
-- Each key is read before anything is written, so that a key of another type stops what needs it, and nothing else.
-- KEYS: list, taken, delayed, dead, meta, leases, seen, then list and delayed of each queue that is sent to.
-- ARGV: consumer, how many it may have (0: take none), most messages, most bytes, stamp of the take, 1 if it is sure to have all,
--   most keys to remember, fields to acknowledge (19 bytes each), then the other settlements, each of them:
--   ack, field, key to remember, for how long in ms ('': not), how many to send, and of each: which queue, delay in ms, what;
--   retry, field, entry, delay in ms; again, field, entry; return, field; dead, field, letter, reason.
-- Returns: 1 if the lease lives, 1 if there may be more, ms until the next delayed one is due (-1: none), messages in place,
--   keys forgotten early, what was wrong, acknowledgements that came too late, the other settlements (1 applied,
--   2 remembered already, 0 too late, -1 not now), delayed entries, bodies.
local list, taken, delayed, dead, meta, leases, seen = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local call, pcall, sub = redis.call, redis.pcall, string.sub
local wrong = ''

local function unfit(key)
  wrong = 'WRONGTYPE the key `' .. key .. '` holds a ' .. call('TYPE', key).ok .. ': rename or delete it'
end

-- The numbers of messages within a take: to cut one out takes less than half as long as to write it.
local numbers = '10001001100210031004100510061007100810091010101110121013101410151016101710181019102010211022102310241025102610271028102910301031' ..
  '10321033103410351036103710381039104010411042104310441045104610471048104910501051105210531054105510561057105810591060106110621063' ..
  '10641065106610671068106910701071107210731074107510761077107810791080108110821083108410851086108710881089109010911092109310941095' ..
  '10961097109810991100110111021103110411051106110711081109111011111112111311141115111611171118111911201121112211231124112511261127' ..
  '11281129113011311132113311341135113611371138113911401141114211431144114511461147114811491150115111521153115411551156115711581159' ..
  '11601161116211631164116511661167116811691170117111721173117411751176117711781179118011811182118311841185118611871188118911901191' ..
  '11921193119411951196119711981199120012011202120312041205120612071208120912101211121212131214121512161217121812191220122112221223' ..
  '12241225122612271228122912301231123212331234123512361237123812391240124112421243124412451246124712481249125012511252125312541255'
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local in_place = pcall('HLEN', taken)
if type(in_place) == 'table' then
  unfit(taken)
  return redis.error_reply(wrong)
end
local alive = pcall('HGET', leases, ARGV[1])
if type(alive) == 'table' then unfit(leases) end
alive = type(alive) == 'string' and string.sub(alive, 1, 1) ~= '-'

-- Plain acknowledgements: all with one command, after a look at what is there if any of them may be late.
local acks, late, settled, forgotten = ARGV[8], {}, {}, 0
if acks ~= '' then
  local fields, to = {}, 0
  for i = 1, #acks / 19 do
    fields[i] = sub(acks, to + 1, to + 19)
    to = to + 19
  end
  if ARGV[6] ~= '1' or not alive or in_place < #fields then
    local there, keys = {}, call('HKEYS', taken)
    for i = 1, #keys do there[keys[i]] = true end
    for i = 1, #fields do
      if not there[fields[i]] then late[#late + 1] = i - 1 end
    end
  end
  local removed = call('HDEL', taken, unpack(fields))
  in_place = in_place - removed
  -- Somebody has removed single messages by hand: how many is known, and not which.
  for i = #late + 1, #fields - removed do late[i] = i - 1 end
end

-- The others: what is written goes to its new place before the old one is left.
if #ARGV > 8 then
  local sound = {}
  local function usable(command, key)
    if sound[key] == nil then
      local reply = pcall(command, key)
      sound[key] = type(reply) ~= 'table'
      if not sound[key] then unfit(key) end
    end
    return sound[key]
  end

  local at = 9
  local function next_argument()
    at = at + 1
    return ARGV[at - 1]
  end

  local pruned = false
  local function remember(key, window)
    if not pruned then
      pruned = true
      local old = call('ZRANGEBYSCORE', seen, '-inf', now, 'LIMIT', 0, 1000)
      if #old > 0 then call('ZREM', seen, unpack(old)) end
    end
    local known = call('ZSCORE', seen, key)
    if known and tonumber(known) > now then return false end
    call('ZADD', seen, now + window, key)
    local surplus = call('ZCARD', seen) - tonumber(ARGV[7])
    if surplus > 0 then forgotten = forgotten + call('ZREMRANGEBYRANK', seen, 0, surplus - 1) end
    if call('PTTL', seen) < window then call('PEXPIRE', seen, window) end
    return true
  end

  -- Each reads its arguments, and returns whether its keys can be used, and what is to be done then.
  local ways = {
    ack = function()
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
        for i = 1, #out do call(unpack(out[i])) end
        return 1
      end
    end,
    retry = function()
      local entry, delay = next_argument(), tonumber(next_argument())
      return usable('ZCARD', delayed), function() call('ZADD', delayed, now + delay, entry) return 1 end
    end,
    again = function()
      local entry = next_argument()
      return usable('ZCARD', delayed), function() call('ZADD', delayed, 0, entry) return 1 end
    end,
    ['return'] = function(field)
      return usable('LLEN', list), function()
        -- The body is here already; behind the line of a header if the message was delayed.
        local body = call('HGET', taken, field)
        if sub(field, 1, 1) ~= '+' then body = sub(body, (string.find(body, '\n', 1, true) or 0) + 1) end
        call('LPUSH', list, body)
        return 1
      end
    end,
    dead = function()
      local letter, reason = next_argument(), next_argument()
      return usable('LLEN', dead) and usable('HLEN', meta), function()
        call('RPUSH', dead, letter)
        call('HINCRBY', meta, 'dead:' .. reason, 1)
        return 1
      end
    end,
  }
  while at <= #ARGV do
    local way, field = ways[next_argument()], next_argument()
    local ready, apply = way(field)
    local result = 0
    if call('HEXISTS', taken, field) == 1 then
      result = -1
      if ready then
        result = apply()
        in_place = in_place - call('HDEL', taken, field)
      end
    end
    settled[#settled + 1] = result
  end
end

-- The take. Who has lost the lease has lost the place, and takes no more into it.
local room = math.min(tonumber(ARGV[2]) - in_place, tonumber(ARGV[3]))
local entries, bodies, more, wait = {}, {}, 0, -1
if alive and room > 0 then
  local most_bytes, stamp, pairs_of, got, bytes, largest, full = tonumber(ARGV[4]), ARGV[5], {}, 0, 0, 1, false
  -- First what is due, then the list: read on in chunks, each as large as what was read so far allows.
  for source = 1, 2 do
    local into, from, mark, chunk = entries, 0, '=' .. stamp, 8
    if source == 2 then into, mark = bodies, '+' .. stamp end
    while not full do
      local wanted, some = math.min(chunk, room - got), nil
      if source == 1 then
        some = pcall('ZRANGEBYSCORE', delayed, '-inf', now, 'LIMIT', from, wanted)
        if some.err then unfit(delayed) break end
      else
        some = pcall('LRANGE', list, from, from + wanted - 1)
        if some.err then unfit(list) break end
      end
      local found, at = #some, 2 * got
      for i = 1, found do
        local one = some[i]
        local size = #one
        into[from + i] = one
        pairs_of[at + 1] = mark .. sub(numbers, 2 * at + 1, 2 * at + 4)
        pairs_of[at + 2] = one
        at = at + 2
        bytes = bytes + size
        if size > largest then largest = size end
        if bytes >= most_bytes then found = i break end
      end
      got, from = got + found, from + found
      full = got >= room or bytes >= most_bytes
      if found < wanted then break end
      chunk = math.max(1, math.floor((most_bytes - bytes) / largest))
    end
  end
  if full then more = 1 end
  if got > 0 then
    call('HSET', taken, unpack(pairs_of))
    if #entries > 0 then call('ZREM', delayed, unpack(entries)) end
    if #bodies > 0 then call('LTRIM', list, #bodies, -1) end
    in_place = in_place + got
  end
  if more == 0 then
    local first = pcall('ZRANGE', delayed, 0, 0, 'WITHSCORES')
    if first[2] then wait = math.max(0, math.ceil(tonumber(first[2]) - now)) end
  end
end
return { alive and 1 or 0, more, wait, in_place, forgotten, wrong, late, settled, entries, bodies }

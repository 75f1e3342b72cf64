#!lua flags=no-writes
-- What is in the place of one consumer, a part at a time: after the answer to a take was lost.
-- KEYS: taken. ARGV: the last field of the part before ('' for the first part), most bytes.
-- Returns 1 if there is more, {field, value, ...}.
local fields, found, bytes = redis.call('HKEYS', KEYS[1]), {}, 0
table.sort(fields)
for i = 1, #fields do
  if fields[i] > ARGV[1] then
    if bytes >= tonumber(ARGV[2]) then return { 1, found } end
    local value = redis.call('HGET', KEYS[1], fields[i])
    found[#found + 1], found[#found + 2] = fields[i], value
    bytes = bytes + #value
  end
end
return { 0, found }

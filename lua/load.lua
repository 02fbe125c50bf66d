-- Reads fields of several hashes of one partition at one moment.
--
-- A transaction would do the same, and a server refuses its commands when
-- memory is full.
--
-- Keys:
--   1    the partition's head
--   2..  the hashes
-- Arguments:
--   For each hash how many of its fields, followed by the fields.
-- Returns:
--   For each hash a list of values, nothing in place of one that is missing.
-- Errors:
--   BROKEN the partition was left half written.

local function load(keys, args)
  local mark = redis.call('HGET', keys[1], 'broken')
  if mark then
    return broken(mark)
  end
  local found, at = {}, 1
  for key = 2, #keys do
    local values, last = {}, at + tonumber(args[at])
    for first = at + 1, last, CHUNK do
      for _, value in ipairs(redis.call('HMGET', keys[key], unpack(args, first, math.min(first + CHUNK - 1, last)))) do
        values[#values + 1] = value
      end
    end
    found[#found + 1] = values
    at = last + 1
  end
  return found
end

redis.register_function({ function_name = LIBRARY .. '_load', callback = load, flags = { 'no-writes' } })

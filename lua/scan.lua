-- Reads a window of a sorted set together with the records it points to.
--
-- Keys:
--   1    the partition's head
--   2    the sorted set
--   3    the hash that holds the records
-- Arguments:
--   1    lower bound, 2 upper bound, as ZRANGEBYLEX takes them
--   3    the most entries
--   4    how many bytes at the end of a member name the record
-- Returns:
--   Member, record, member, record, ...; nothing in place of a record that is
--   missing.
-- Errors:
--   BROKEN the partition was left half written.

local function scan(keys, args)
  local mark = redis.call('HGET', keys[1], 'broken')
  if mark then
    return broken(mark)
  end
  local members = redis.call('ZRANGEBYLEX', keys[2], args[1], args[2], 'LIMIT', '0', args[3])
  local tail = -tonumber(args[4])
  local found = {}
  for first = 1, #members, CHUNK do
    local ids = {}
    for at = first, math.min(first + CHUNK - 1, #members) do
      ids[#ids + 1] = string.sub(members[at], tail)
    end
    for offset, record in ipairs(redis.call('HMGET', keys[3], unpack(ids))) do
      found[#found + 1] = members[first + offset - 1]
      found[#found + 1] = record
    end
  end
  return found
end

redis.register_function({ function_name = LIBRARY .. '_scan', callback = scan, flags = { 'no-writes' } })

-- Finds every index entry of one execution by reading all of them, for the
-- checker: an entry that should not be there is found too.
--
-- Keys:
--   1    the partition's index
-- Arguments:
--   1    the execution's id, with which every member ends
-- Returns:
--   The members.

local function find(keys, args)
  local found, first = {}, 0
  local size = redis.call('ZCARD', keys[1])
  while first < size do
    for _, member in ipairs(redis.call('ZRANGE', keys[1], first, first + CHUNK - 1)) do
      if string.sub(member, -16) == args[1] then
        found[#found + 1] = member
      end
    end
    first = first + CHUNK
  end
  return found
end

redis.register_function({ function_name = LIBRARY .. '_find', callback = find, flags = { 'no-writes' } })

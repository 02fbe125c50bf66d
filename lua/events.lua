-- Reads a page of events. An entry of the stream is named by its last event and
-- holds those of one commit, so that how many entries a page needs shows while
-- they are read.
--
-- Keys:
--   1    the partition's head
--   2    its events
-- Arguments:
--   1    lower bound of the entries, as XRANGE takes it
--   2    the most events, at least 1
-- Returns:
--   Entries as XRANGE gives them: whole, so that the last one may go beyond
--   the most.
-- Errors:
--   BROKEN the partition was left half written.

local function events(keys, args)
  local mark = redis.call('HGET', keys[1], 'broken')
  if mark then
    return broken(mark)
  end
  local from, left, found = args[1], tonumber(args[2]), {}
  local events_per_entry = 1
  while left > 0 do
    -- The first look is short: it tells how long entries are.
    local asked = math.max(1, math.ceil(left / events_per_entry))
    if #found == 0 then
      asked = math.min(asked, 16)
    end
    local entries = redis.call('XRANGE', keys[2], from, '+', 'COUNT', asked)
    local read = 0
    for _, entry in ipairs(entries) do
      found[#found + 1] = entry
      read = read + #entry[2] / 2
    end
    if #entries < asked then
      break
    end
    left = left - read
    events_per_entry = math.max(1, read / #entries)
    from = '(' .. entries[#entries][1]
  end
  return found
end

redis.register_function({ function_name = LIBRARY .. '_events', callback = events, flags = { 'no-writes' } })

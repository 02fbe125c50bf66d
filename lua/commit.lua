-- Applies one partition's change set behind its head, all of it or nothing.
--
-- Keys:
--   1    the partition's head
--   2    its executions
--   3..  the other keys that the change set writes, all of one partition
-- Arguments:
--   1    ownership epoch, 2 nonce, 3 seq as the writer believes them
--   4    seq afterwards
--   5    partition time
--   6    number of the first event, 7 of the last one; empty without events
--   8    how many executions are created, followed by their ids
--   ...  how many executions must exist, followed by their ids
--   ...  groups to the end: command, number of its key, number of arguments,
--        arguments. Commands are HSET, HDEL, ZADD, ZREM and XADD; arguments
--        of XADD are one entry's id and the letter e and an event, repeated.
-- Returns:
--   1 when it was applied, 0 when the head differs.
-- Errors, nothing having been written:
--   SHAPE the arguments do not add up, EXISTS n: the nth created execution is
--   there already, MISSING n: the nth that must exist is not, EVENT the event numbers are
--   taken, BROKEN an earlier call was left half done.
-- Errors, something having been written:
--   HALFDONE a write failed after another one. The head carries the mark
--   `broken` from then on, and nothing is written to the partition any more.

-- How many arguments belong together, and how many come before them.
local WIDTH = { HSET = 2, HDEL = 1, ZADD = 2, ZREM = 1, XADD = 2 }
local BEFORE = { HSET = 0, HDEL = 0, ZADD = 0, ZREM = 0, XADD = 1 }

-- Where the groups begin, or why the executions do not allow the write. One
-- read of all of them costs less than a question for each.
local function check_executions(keys, args)
  local at = 8
  for _, created in ipairs({ true, false }) do
    local count = number(args[at])
    if not count or at + count > #args then
      return nil, 'SHAPE the list of executions is too short'
    end
    local last = at + count
    for first = at + 1, last, CHUNK do
      local found = call('HMGET', keys[2], spread(args, first, least(first + CHUNK - 1, last)))
      for offset, record in ipairs(found) do
        if created == (record ~= false) then
          return nil, (created and 'EXISTS ' or 'MISSING ') .. (first + offset - 1 - at)
        end
      end
    end
    at = last + 1
  end
  return at
end

-- Why the groups cannot be written, if they cannot.
local function check_groups(keys, args, at)
  local size = #args
  while at <= size do
    local width, before, count = WIDTH[args[at]], BEFORE[args[at]], number(args[at + 2])
    if not width or not keys[number(args[at + 1])] or not count then
      return 'SHAPE group at argument ' .. at
    end
    -- What stands before the rest would be missing from a second command.
    local whole = before == 0 or count <= CHUNK
    if count < before + width or (count - before) % width ~= 0 or at + 2 + count > size or not whole then
      return 'SHAPE length of the group at argument ' .. at
    end
    at = at + 3 + count
  end
  return nil
end

local function write(keys, args, groups)
  local at, size = groups, #args
  while at <= size do
    local command, key, last = args[at], keys[number(args[at + 1])], at + 2 + number(args[at + 2])
    for first = at + 3, last, CHUNK do
      call(command, key, spread(args, first, least(first + CHUNK - 1, last)))
    end
    at = last + 1
  end
end

local function commit(keys, args)
  find_globals()
  local head = call('HMGET', keys[1], 'epoch', 'nonce', 'seq', 'broken', 'time', 'event')
  if head[4] then
    return broken(head[4])
  end
  if head[1] ~= args[1] or head[2] ~= args[2] or head[3] ~= args[3] then
    return 0
  end
  if args[6] ~= '' and not greater(args[6], head[6]) then
    return redis.error_reply('EVENT ' .. args[6] .. ' exists, the last one is ' .. head[6])
  end
  local groups, obstacle = check_executions(keys, args)
  obstacle = obstacle or check_groups(keys, args, groups)
  if obstacle then
    return redis.error_reply(obstacle)
  end
  local time = greater(args[5], head[5]) and args[5] or head[5]
  local event = args[7] ~= '' and args[7] or head[6]
  call('HSET', keys[1], 'seq', args[4], 'time', time, 'event', event)
  local done, failure = pcall(write, keys, args, groups)
  if done then
    return 1
  end
  local text = type(failure) == 'table' and failure.err or tostring(failure)
  call('HSET', keys[1], 'broken', text)
  return redis.error_reply('HALFDONE ' .. text)
end

-- The server refuses this one when memory is full, before it begins.
redis.register_function({ function_name = LIBRARY .. '_commit', callback = commit })

-- Lists the groups that have ready executions, jumping from one to the next.
-- With a length it also reads the first members of each.
--
-- Keys:
--   1    the partition's index
-- Arguments:
--   1    lower bound, 2 upper bound, as ZRANGEBYLEX takes them
--   3    the most groups
--   4    the most members of each group, or 0 for the names of the groups
-- Returns:
--   The names in order, or the members, those of one group after another.
--
-- A member is a group's name, a zero byte, 8 bytes of rank and 16 of id.

local function groups(keys, args)
  local from, found, most = args[1], {}, tonumber(args[4])
  for _ = 1, tonumber(args[3]) do
    local member = redis.call('ZRANGEBYLEX', keys[1], from, args[2], 'LIMIT', '0', '1')[1]
    if not member then
      break
    end
    local name = string.sub(member, 1, -26)
    if most == 0 then
      found[#found + 1] = name
    else
      local last = '(' .. name .. '\1'
      for _, each in ipairs(redis.call('ZRANGEBYLEX', keys[1], '[' .. name .. '\0', last, 'LIMIT', '0', args[4])) do
        found[#found + 1] = each
      end
    end
    -- No name goes on with a zero byte, so this is beyond the group's end and
    -- not beyond the beginning of the next one.
    from = '[' .. name .. '\1'
  end
  return found
end

redis.register_function({ function_name = LIBRARY .. '_groups', callback = groups, flags = { 'no-writes' } })

-- Takes a partition by compare-and-set on the owner that was seen.
--
-- Keys:
--   1    the partition's head
-- Arguments:
--   1    owner and 2 epoch as they were seen; empty when there were none
--   3    new owner, 4 new epoch, 5 new nonce
-- Returns:
--   Partition time as decimal text, or nothing when the owner or the epoch is
--   another one by now.
--
-- The head under which something was last written is kept as `previous_*`, so
-- that an owner which lost an answer finds out whether its commit landed, also
-- after several takeovers in a row.

local function take(keys, args)
  local head = redis.call('HMGET', keys[1], 'owner', 'epoch', 'nonce', 'seq', 'time')
  if (head[1] or '') ~= args[1] or (head[2] or '') ~= args[2] then
    return false
  end
  local time = head[5] or '0'
  if head[4] and head[4] ~= '0' then
    redis.call('HSET', keys[1], 'previous_epoch', head[2], 'previous_nonce', head[3], 'previous_seq', head[4])
  end
  redis.call('HSET', keys[1], 'owner', args[3], 'epoch', args[4], 'nonce', args[5], 'seq', '0', 'event', '0',
    'time', time)
  return time
end

redis.register_function({ function_name = LIBRARY .. '_take', callback = take, flags = { 'allow-oom' } })

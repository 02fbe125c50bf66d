-- Marks a node as dead whose lease has lapsed, or that is known to be gone.
--
-- Keys:
--   1    the nodes
-- Arguments:
--   1    node, 2 now or empty for the server's clock
--   3    1 when the caller knows that the node is gone, else 0
-- Returns:
--   1 when the node is dead afterwards, 0 otherwise. A node that nobody knows
--   is as dead as can be.

local function bury(keys, args)
  local now = clock(args[2])
  local expires_at, dead = node_entry(keys[1], args[1])
  if not expires_at or dead then
    return 1
  end
  if args[3] ~= '1' and expires_at > now then
    return 0
  end
  put_node(keys[1], args[1], expires_at, true)
  return 1
end

redis.register_function({ function_name = LIBRARY .. '_bury', callback = bury, flags = { 'allow-oom' } })

-- Renews a node's lease that has not lapsed.
--
-- Keys:
--   1    the nodes
-- Arguments:
--   1    node, 2 now or empty for the server's clock, 3 ttl in ms
-- Returns:
--   Now as decimal text, or nothing when the lease had lapsed or the node is
--   unknown or buried.

local function heartbeat(keys, args)
  local now = clock(args[2])
  local expires_at, dead = node_entry(keys[1], args[1])
  if not expires_at or dead or expires_at <= now then
    return false
  end
  put_node(keys[1], args[1], now + tonumber(args[3]), false)
  return decimal(now)
end

redis.register_function({ function_name = LIBRARY .. '_heartbeat', callback = heartbeat, flags = { 'allow-oom' } })

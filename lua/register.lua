-- Adds a live node and forgets those long dead. An identity that was used
-- before stays as it is, so that nobody comes back from the dead.
--
-- Keys:
--   1    the nodes
-- Arguments:
--   1    node, 2 now or empty for the server's clock, 3 ttl in ms
--   4    after how many ms a dead node is forgotten
-- Returns:
--   1

local function register(keys, args)
  local now = clock(args[2])
  if not redis.call('HGET', keys[1], args[1]) then
    put_node(keys[1], args[1], now + tonumber(args[3]), false)
  end
  for _, node in ipairs(redis.call('HKEYS', keys[1])) do
    local expires_at, dead = node_entry(keys[1], node)
    if dead and expires_at < now - tonumber(args[4]) then
      redis.call('HDEL', keys[1], node)
    end
  end
  return 1
end

redis.register_function({ function_name = LIBRARY .. '_register', callback = register, flags = { 'allow-oom' } })

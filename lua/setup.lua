-- Notes once what the store is set up for.
--
-- Keys:
--   1    the store's description
-- Arguments:
--   Field, value, field, value, ...
-- Returns:
--   1 when it was noted, 0 when the store was set up before.

local function setup(keys, args)
  if redis.call('EXISTS', keys[1]) == 1 then
    return 0
  end
  redis.call('HSET', keys[1], unpack(args))
  return 1
end

redis.register_function({ function_name = LIBRARY .. '_setup', callback = setup })

-- Applies a change set that adds no work, so that running work can end when
-- memory is full: the same as `commit`, and not refused for want of memory.
--
-- Keys, arguments, returns, errors: as `commit`.

redis.register_function({ function_name = LIBRARY .. '_commit_finishing', callback = commit, flags = { 'allow-oom' } })

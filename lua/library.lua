-- What the functions share. Opens the library; the line before it, written by
-- the bundler, defines LIBRARY, the name every function begins with.
--
-- Numbers of 64 bits are decimal text throughout: a number of this language
-- is a double and exact only up to 53 bits. Texts are compared for equality
-- only, since their order depends on the server's locale.

-- What the commit needs of the language and the server. A global is looked up
-- through several tables each time it is named, and while the library is
-- loaded there are none: the first call finds them.
local call, number, spread, least

local function find_globals()
  if not call then
    call, number, spread, least = redis.call, tonumber, unpack, math.min
  end
end

-- The most arguments one command is given. The language unpacks some 8000.
local CHUNK = 4000

-- Whether one decimal number without a sign is greater than another.
local function greater_unsigned(one, two)
  if #one ~= #two then
    return #one > #two
  end
  -- Halves of at most ten digits are exact as numbers.
  local high_one, high_two = tonumber(string.sub(one, 1, -11)) or 0, tonumber(string.sub(two, 1, -11)) or 0
  if high_one ~= high_two then
    return high_one > high_two
  end
  return tonumber(string.sub(one, -10)) > tonumber(string.sub(two, -10))
end

-- Whether one decimal number, perhaps negative, is greater than another. For
-- callers that have looked for the globals.
local function greater(one, two)
  -- A double is exact up to fifteen digits.
  if #one < 16 and #two < 16 then
    return number(one) > number(two)
  end
  local minus_one, minus_two = string.sub(one, 1, 1) == '-', string.sub(two, 1, 1) == '-'
  if minus_one ~= minus_two then
    return minus_two
  end
  if minus_one then
    return greater_unsigned(string.sub(two, 2), string.sub(one, 2))
  end
  return greater_unsigned(one, two)
end

-- Milliseconds since the epoch: what the caller says, or the server's clock.
local function clock(given)
  if given ~= '' then
    return tonumber(given)
  end
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- A whole number as decimal text.
local function decimal(number)
  return string.format('%.0f', number)
end

-- A node's entry: when its lease lapses, and whether it was buried.
local function node_entry(key, node)
  local text = redis.call('HGET', key, node)
  if not text then
    return nil
  end
  local expires_at, dead = string.match(text, '^(-?%d+) ([01])$')
  return tonumber(expires_at), dead == '1'
end

local function put_node(key, node, expires_at, dead)
  redis.call('HSET', key, node, decimal(expires_at) .. (dead and ' 1' or ' 0'))
end

-- The refusal of a partition that was left half written.
local function broken(text)
  return redis.error_reply('BROKEN ' .. text)
end

-- Put entries of one queue into its due set, and wake a worker if the head became earlier.
-- KEYS: due zset, wake list, queues set, wake-all list
-- ARGV: queue name, then score (due_ms * 256 + 100 - priority) and id (hex) in turn
-- Returns: how many ids were not there before
local function head()
  local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
  return tonumber(first[2])
end

local function push(list)
  if redis.call('LLEN', list) == 0 then
    redis.call('RPUSH', list, '1')
  end
end

local before = head()
local added = 0
for first = 2, #ARGV, 2000 do
  local last = math.min(first + 1999, #ARGV)
  added = added + redis.call('ZADD', KEYS[1], unpack(ARGV, first, last))
end
if redis.call('SADD', KEYS[3], ARGV[1]) == 1 then
  push(KEYS[4])
end
local after = head()
if after and (not before or after < before) then
  push(KEYS[2])
end
return added

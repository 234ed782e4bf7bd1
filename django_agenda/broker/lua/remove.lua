-- Take ids out of one queue, wherever they wait.
-- KEYS: due zset, ready zset
-- ARGV: ids (hex)
-- Returns: how many were there
local removed = 0
for first = 1, #ARGV, 4000 do
  local last = math.min(first + 3999, #ARGV)
  removed = removed + redis.call('ZREM', KEYS[1], unpack(ARGV, first, last))
  removed = removed + redis.call('ZREM', KEYS[2], unpack(ARGV, first, last))
end
return removed

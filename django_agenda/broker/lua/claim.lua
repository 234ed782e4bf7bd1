-- Pop what is due, most urgent first, and a little of what soon will be; a pop is final.
-- KEYS: for each queue: due zset, ready zset, wake list; last the set of paused queues
-- ARGV: limit of due ids, limit of others, how far ahead these may be (ms), names of the queues
-- Returns: now (us), 1 if due ids were left behind, due_ms of the next one or -1, then ids
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local room, ahead, reach = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local due_by, soon_by = string.format('(%.0f', (now + 1) * 256), string.format('(%.0f', (now + reach + 1) * 256)
local ids, more, next_due, served = {}, 0, -1, {}
for q = 1, #KEYS - 1, 3 do
  if redis.call('SISMEMBER', KEYS[#KEYS], ARGV[(q + 11) / 3]) == 0 then served[#served + 1] = q end
end
local share = math.max(1, math.floor(room / math.max(1, #served)))

local function take(key, count)
  local popped = count > 0 and redis.call('ZPOPMIN', key, count) or {}
  for i = 1, #popped, 2 do
    ids[#ids + 1] = popped[i]
  end
  return #popped / 2
end

-- Scores sort by due time; under backlog the order must be priority first, then due time.
local function promote(due, ready, count)
  local popped = count > 0 and redis.call('ZPOPMIN', due, count) or {}
  for i = 1, #popped, 2 do
    local score = tonumber(popped[i + 1])
    local rank = score % 256
    local ordered = rank * 4398046511104 + (score - rank) / 256
    redis.call('ZADD', ready, string.format('%.0f', ordered), popped[i])
  end
end

local function serve(due, ready, limit)
  local overdue = redis.call('ZCOUNT', due, '-inf', due_by)
  if overdue <= limit and redis.call('ZCARD', ready) == 0 then
    return take(due, overdue)
  end
  promote(due, ready, math.min(overdue, 2000))
  return take(ready, limit)
end

-- Each queue its share first, so that none starves the others; then whoever has more.
for _, q in ipairs(served) do
  room = room - serve(KEYS[q], KEYS[q + 1], math.min(share, room))
end
for _, q in ipairs(served) do
  local due, ready, wake = KEYS[q], KEYS[q + 1], KEYS[q + 2]
  if room > 0 and #served > 1 then room = room - serve(due, ready, room) end
  if redis.call('ZCOUNT', due, '-inf', due_by) + redis.call('ZCARD', ready) > 0 then
    more = 1
    if redis.call('LLEN', wake) == 0 then redis.call('RPUSH', wake, '1') end
  elseif ahead > 0 then
    ahead = ahead - take(due, math.min(ahead, redis.call('ZCOUNT', due, '-inf', soon_by)))
  end
  local head = redis.call('ZRANGE', due, 0, 0, 'WITHSCORES')[2]
  local due_ms = head and math.floor(tonumber(head) / 256) or -1
  if due_ms >= 0 and (next_due < 0 or due_ms < next_due) then next_due = due_ms end
end
return {string.format('%.0f', tonumber(time[1]) * 1000000 + tonumber(time[2])), more, next_due, unpack(ids)}

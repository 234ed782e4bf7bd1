-- Pop what is due, most urgent first, and a little of what soon will be; a pop is final.
-- KEYS: for each queue: due zset, ready zset, wake list
-- ARGV: limit of due ids, limit of ids that are not due yet, how far ahead these may be (ms)
-- Returns: now (us), 1 if due ids were left behind, due_ms of the next one or -1, then ids
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local room, ahead, reach = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local ids, more, next_due = {}, 0, -1

local function take(key, count)
  local popped = redis.call('ZPOPMIN', key, count)
  for i = 1, #popped, 2 do
    ids[#ids + 1] = popped[i]
  end
  return #popped / 2
end

-- Scores sort by due time; under backlog the order must be priority first, then due time.
local function promote(due, ready, count)
  local popped = redis.call('ZPOPMIN', due, count)
  for i = 1, #popped, 2 do
    local score = tonumber(popped[i + 1])
    local rank = score % 256
    local ordered = rank * 4398046511104 + (score - rank) / 256
    redis.call('ZADD', ready, string.format('%.0f', ordered), popped[i])
  end
end

for q = 1, #KEYS, 3 do
  local due, ready, wake = KEYS[q], KEYS[q + 1], KEYS[q + 2]
  local limit = string.format('(%.0f', (now + 1) * 256)
  local overdue = redis.call('ZCOUNT', due, '-inf', limit)
  local waiting = redis.call('ZCARD', ready)
  if waiting == 0 and overdue <= room then
    if overdue > 0 then room = room - take(due, overdue) end
  else
    if overdue > 0 then promote(due, ready, math.min(overdue, 2000)) end
    if room > 0 then room = room - take(ready, room) end
    if redis.call('ZCARD', ready) > 0 or overdue > 2000 then
      more = 1
      if redis.call('LLEN', wake) == 0 then redis.call('RPUSH', wake, '1') end
    end
  end
  if more == 0 and ahead > 0 then
    limit = string.format('(%.0f', (now + reach + 1) * 256)
    local soon = math.min(ahead, redis.call('ZCOUNT', due, '-inf', limit))
    if soon > 0 then ahead = ahead - take(due, soon) end
  end
  local head = redis.call('ZRANGE', due, 0, 0, 'WITHSCORES')[2]
  local due_ms = head and math.floor(tonumber(head) / 256) or -1
  if due_ms >= 0 and (next_due < 0 or due_ms < next_due) then next_due = due_ms end
end
return {string.format('%.0f', tonumber(time[1]) * 1000000 + tonumber(time[2])), more, next_due, unpack(ids)}

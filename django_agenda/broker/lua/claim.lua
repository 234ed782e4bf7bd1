-- Pop what is due, most urgent first, and a little of what soon will be; a pop is final.
-- KEYS: for each queue: due zset, ready zset, wake list; last the set of paused queues
-- ARGV: limit of due ids, limit of others, how far ahead these may be (ms), names of the queues
-- Returns: now (us), 1 if due ids were left behind, due_ms of the next one or -1, then ids
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local room, ahead, reach = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local due_by, soon_by, next_score = (now + 1) * 256, (now + reach + 1) * 256, math.huge
local is_paused = #KEYS > 1 and redis.call('SMISMEMBER', KEYS[#KEYS], unpack(ARGV, 4))
local ids, more, served = {}, 0, {}
for q = 1, #KEYS - 1, 3 do
  if is_paused[(q + 2) / 3] == 0 then served[#served + 1] = {KEYS[q], KEYS[q + 1], KEYS[q + 2]} end
end

local function first_score(due) return tonumber(redis.call('ZRANGE', due, 0, 0, 'WITHSCORES')[2]) or math.huge end
local function due_before(due, score) return redis.call('ZCOUNT', due, '-inf', string.format('(%.0f', score)) end
local function pop(key, count) return count > 0 and redis.call('ZPOPMIN', key, count) or {} end

local function take(key, count)
  local popped = pop(key, count)
  for i = 1, #popped, 2 do ids[#ids + 1] = popped[i] end
  return #popped / 2
end

-- Scores sort by due time; under backlog the order must be priority first, then due time.
local function serve(due, ready, limit)
  local overdue = due_before(due, due_by)
  if overdue <= limit and redis.call('ZCARD', ready) == 0 then return take(due, overdue) end
  local popped = pop(due, math.min(overdue, 2000))
  for i = 1, #popped, 2 do
    local rank = tonumber(popped[i + 1]) % 256
    local ordered = rank * 4398046511104 + (tonumber(popped[i + 1]) - rank) / 256
    redis.call('ZADD', ready, string.format('%.0f', ordered), popped[i])
  end
  return take(ready, limit)
end

-- Each queue its share first, so that none starves the others; then whoever has more.
local share = math.max(1, math.floor(room / math.max(1, #served)))
for _, queue in ipairs(served) do
  queue.is_due = first_score(queue[1]) < due_by or redis.call('ZCARD', queue[2]) > 0
  if queue.is_due then room = room - serve(queue[1], queue[2], math.min(share, room)) end
end
for _, queue in ipairs(served) do
  local due, ready, wake = unpack(queue)
  if queue.is_due and room > 0 and #served > 1 then room = room - serve(due, ready, room) end
  local head = first_score(due)
  if queue.is_due and (head < due_by or redis.call('ZCARD', ready) > 0) then
    more = 1
    if redis.call('LLEN', wake) == 0 then redis.call('RPUSH', wake, '1') end
  elseif ahead > 0 and head < soon_by then
    ahead = ahead - take(due, math.min(ahead, due_before(due, soon_by)))
    head = first_score(due)
  end
  next_score = math.min(next_score, head)
end
local next_due = next_score < math.huge and math.floor(next_score / 256) or -1
return {string.format('%.0f', tonumber(time[1]) * 1000000 + tonumber(time[2])), more, next_due, unpack(ids)}

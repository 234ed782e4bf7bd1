-- Wake one worker of a queue, unless a token waits already.
-- KEYS: wake list
-- ARGV: none
-- Returns: how many tokens wait
if redis.call('LLEN', KEYS[1]) == 0 then
  redis.call('RPUSH', KEYS[1], '1')
end
return redis.call('LLEN', KEYS[1])

-- Turn the note that a refill is under way into the mark of this server, unless it was lost.
-- KEYS: filled string
-- ARGV: the note, the mark
-- Returns: 1 if the mark was set, 0 if the server has forgotten the note meanwhile
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2])
return 1

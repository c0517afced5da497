"""What the Redis server itself does with bindings, in Lua, each as one step (docs/LOCATION.md has the keys).

`KEYS`: the shard's state (a hash), its log (a stream), and for PUT the users' keys.
"""

from typing import Final

SCHEMA: Final = 1
"""Of keys and values; a server with a later one is left alone."""

_HEAD = """
local state = redis.call('HMGET', KEYS[1], 'schema', 'version', 'last')
if state[1] and state[1] ~= ARGV[1] then return redis.error_reply('SCHEMA ' .. state[1]) end
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local function write(entry, length, version)
  local id = redis.call('XADD', KEYS[2], 'MAXLEN', '~', length, '*', unpack(entry))
  redis.call('HSET', KEYS[1], 'schema', ARGV[1], 'version', string.format('%.0f', version), 'last', id)
  return id
end
"""

PUT: Final = (
    _HEAD
    + """
local version = math.max(tonumber(state[2] or '0'), time[1] * 1000000 + time[2])
local answer, entry = {time[1], time[2]}, {'by', ARGV[2]}
for place = 3, #KEYS do
  local at = 4 + (place - 3) * 4
  local found = redis.pcall('GET', KEYS[place])
  local known, until_ms, is_foreign = '0', '0', type(found) == 'table'
  if type(found) == 'string' then
    known, until_ms = string.match(found, '^(%d+):(%d+):')
    is_foreign = not known
  end
  known, until_ms = known or '0', until_ms or '0'
  if known == ARGV[at + 1] or (is_foreign and ARGV[at + 1] == '0') then
    version = version + 1
    local ends_ms = math.max(now_ms + ARGV[at + 2], tonumber(until_ms))
    local value = string.format('%.0f:%.0f:', version, ends_ms) .. ARGV[at + 3]
    redis.call('SET', KEYS[place], value, 'PX', math.max(1, ends_ms - now_ms))
    entry[#entry + 1], entry[#entry + 2] = ARGV[at], value
    answer[#answer + 1] = version
  elseif known == '0' then
    answer[#answer + 1] = ''
  else
    answer[#answer + 1] = found
  end
end
if #entry > 2 then write(entry, ARGV[3], version) end
return answer
"""
)
"""ARGV: schema, writer, length of the log, and for each user: name, version, what is left of it in ms, record.

Returns the server's time, and for each user its new version (a number), or what is there instead (a text; '': nothing).
"""

FOLLOW: Final = (
    _HEAD
    + """
local last = ARGV[3]
if last == '' then
  if not state[3] then state[3] = write({'by', ''}, 1000, tonumber(state[2] or '0')) end
  return {time[1], time[2], state[3]}
end
if state[3] == last then return {time[1], time[2], last} end
local entries = redis.call('XRANGE', KEYS[2], last, '+', 'COUNT', ARGV[4])
if not entries[1] or entries[1][1] ~= last then return {time[1], time[2], ''} end
local answer = {time[1], time[2], entries[#entries][1]}
for place = 2, #entries do
  local fields = entries[place][2]
  if fields[2] ~= ARGV[2] then
    for at = 3, #fields do answer[#answer + 1] = fields[at] end
  end
end
return answer
"""
)
"""ARGV: schema, writer, the entry that was read last ('': none yet), most entries.

Returns the server's time, the last entry now ('': the one read last is gone), and names and values of what others have
changed.
"""

/**
 * The functions that Redis runs on builds. Each is one atomic step, and every step may be repeated and may come in any
 * order: a higher attempt replaces a lower one, and finished is final.
 *
 * One string a build: `r <attempt> <seq> <started> <deadline> <digest>[ <replaced attempt> <its seq>]…\n<facts>` while it
 * runs, `f <attempt> <seq> <finished> <reason>[ <replaced attempt> <its seq>]…` after; times are ms in base 36. Beside it one
 * bit a start in its source's status list (1: runs), and, while it runs, one member of the set `checks`, scored with when
 * somebody has to look whether it should end.
 */
export const LIBRARY = `#!lua name=mayfly
local LIST_BITS = 65536
local LIFE_BYTES = 128
local MOST_REPLACED = 8
local SPACES = '${' '.repeat(128)}'

local function head(key)
  local value = redis.call('GET', key)
  if not value then return nil end
  local state, attempt, seq = string.match(value, '^(%a) (%d+) (%d+)')
  local digest, rest = string.match(value, '^r %d+ %d+ %w+ %w+ (%S+)([^\\n]*)\\n')
  if state == 'f' then rest = string.match(value, '^f %d+ %d+ %w+ %S+(.*)$') end
  return state, tonumber(attempt), tonumber(seq), digest, value, rest or ''
end

-- Gives what a record says of the lives that it replaced, the last ones, with one more: each attempt and the seq of its start.
local function with_replaced(lives, attempt, seq)
  local all = lives .. string.format(' %d %d', attempt, seq)
  local _, count = string.gsub(all, ' %d+ %d+', '')
  if count > MOST_REPLACED then all = string.gsub(all, '^ %d+ %d+', '') end
  return all
end

local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function bit_of(lists, seq)
  return lists .. string.format('%d', math.floor(seq / LIST_BITS)), seq % LIST_BITS
end

local function clear_bit(lists, seq)
  if not seq or seq == 0 then return end
  local list, bit = bit_of(lists, seq)
  if redis.call('EXISTS', list) == 1 then redis.call('SETBIT', list, bit, 0) end
end

-- args: attempt, seq, started, deadline, digest, facts, until when its status list is kept (ms), how long until the first
-- check (ms), member
local function set_running(keys, args, lives)
  local facts = lives .. '\\n' .. args[6]
  local value = table.concat({'r', args[1], args[2], args[3], args[4], args[5]}, ' ') .. facts
  redis.call('SET', keys[1], value)
  local list, bit = bit_of(keys[3], tonumber(args[2]))
  redis.call('SETBIT', list, bit, 1)
  if redis.call('PEXPIREAT', list, args[7], 'NX') == 0 then redis.call('PEXPIREAT', list, args[7], 'GT') end
  local check = math.min(tonumber(args[4], 36), now() + tonumber(args[8]))
  redis.call('ZADD', keys[2], string.format('%.0f', check), args[9])
end

-- KEYS: build, checks, beginning of the names of the status lists. ARGS: see set_running.
-- Gives the outcome, and the lives of lower attempts that were replaced while they ran, by this start, when it was first
-- told, or before it: whoever replaced one may have stopped before it said so. Of a start that is superseded this is its own
-- life, which may have run in a Redis whose data is lost, and since when it is that a higher attempt runs or has ended.
local function build_start(keys, args)
  local state, attempt, seq, digest, value, lives = head(keys[1])
  local asked, asked_seq = tonumber(args[1]), tonumber(args[2])
  if not state or asked > attempt then
    lives = lives or ''
    if state == 'r' then
      clear_bit(keys[3], seq)
      lives = with_replaced(lives, attempt, seq)
    end
    set_running(keys, args, lives)
    return {'running', lives}
  end
  if asked < attempt then
    local since = string.match(value, '^%a %d+ %d+ (%w+)')
    return {'superseded', string.format(' %d %d', asked, asked_seq), since}
  end
  if state == 'f' then
    if seq == 0 or asked_seq < seq then
      local text = string.gsub(value, '^f (%d+) %d+', 'f %1 ' .. args[2])
      redis.call('SET', keys[1], text)
    end
    return {'finished', ''}
  end
  if digest == args[5] then
    if asked_seq < seq then
      clear_bit(keys[3], seq)
      set_running(keys, args, lives)
    end
    return {'repeated', lives}
  end
  if asked_seq > seq then return {'conflict', ''} end
  return {'conflict-first', ''}
end

-- KEYS: build, checks, beginning of the names of the status lists. ARGS: attempt, finished, reason, member.
-- Gives the outcome, seq of the start (0: not seen), and the lives of lower attempts that were replaced, as a start does.
local function build_finish(keys, args)
  local state, attempt, seq, _, _, lives = head(keys[1])
  lives = lives or ''
  local asked = tonumber(args[1])
  if state and asked < attempt then return {'superseded', 0, ''} end
  if state == 'f' and asked == attempt then return {'repeated', seq, lives} end
  if state == 'r' then
    clear_bit(keys[3], seq)
    redis.call('ZREM', keys[2], args[4])
  end
  local own = 0
  if state and asked == attempt then
    own = seq
  elseif state == 'r' then
    lives = with_replaced(lives, attempt, seq)
  end
  local life = 'f ' .. args[1] .. ' ' .. string.format('%d', own)
  local value = table.concat({life, args[2], args[3]}, ' ') .. lives
  redis.call('SET', keys[1], value)
  return {'finished', own, lives}
end

-- KEYS: checks, then of each build its own and the beginning of the names of its status lists. ARGS: as many for each build.
-- Gives what \`act\` gives for each; of one that cannot be recorded, which keeps no other from it, \`failed\` and why.
local function each(keys, args, act)
  local results = {}
  local count = (#keys - 1) / 2
  local width = #args / count
  for index = 1, count do
    local own = {}
    for at = 1, width do own[at] = args[(index - 1) * width + at] end
    local done, result = pcall(act, {keys[2 * index], keys[1], keys[2 * index + 1]}, own)
    if not done then result = {'failed', type(result) == 'table' and result.err or result} end
    results[index] = result
  end
  return results
end

local function builds_start(keys, args) return each(keys, args, build_start) end
local function builds_finish(keys, args) return each(keys, args, build_finish) end

-- KEYS: mark, builds. Gives the server's time, and the mark and the builds, as of one moment.
local function builds_read(keys)
  local time = redis.call('TIME')
  local values = {}
  for index = 1, #keys do values[index] = redis.call('GET', keys[index]) end
  return {time[1], time[2], values}
end

-- KEYS: mark, builds. The same of the lives of builds, without their facts: of each as many bytes, whether it runs or not.
local function lives_read(keys)
  local time = redis.call('TIME')
  local values = {redis.call('GET', keys[1])}
  for index = 2, #keys do
    local line = redis.call('GETRANGE', keys[index], 0, LIFE_BYTES - 1)
    values[index] = string.sub(line .. SPACES, 1, LIFE_BYTES)
  end
  return {time[1], time[2], values}
end

-- KEYS: mark, rebuilding. ARGS: owner, stream, run id, and the rest of the mark. Writes the mark: over one of the same
-- stream and process, or as the owner who has rebuilt. Where the data was lost meanwhile neither is there. Says whether it did.
local function mark_write(keys, args)
  local owner = redis.call('GET', keys[2])
  if owner and owner ~= args[1] then return 0 end
  local mark = redis.call('GET', keys[1])
  local same = args[2] .. ' ' .. args[3] .. ' '
  if owner ~= args[1] and (not mark or string.sub(mark, 1, #same) ~= same) then return 0 end
  redis.call('SET', keys[1], table.concat(args, ' ', 2))
  return 1
end

-- KEYS: rebuilding. ARGS: owner, for how much longer it has the right (ms; 0 gives it back). Says whether it was the owner's.
local function rebuild_renew(keys, args)
  if redis.call('GET', keys[1]) ~= args[1] then return 0 end
  if args[2] == '0' then redis.call('UNLINK', keys[1])
  else redis.call('SET', keys[1], args[1], 'PX', args[2]) end
  return 1
end

-- KEYS: checks. ARGS: how many at most, for how long they are ours (ms). Gives the members that are due and the time;
-- nobody else is given them meanwhile, and should we not see to them somebody will be later.
local function checks_due(keys, args)
  local time = now()
  local due = redis.call('ZRANGE', keys[1], '-inf', string.format('%.0f', time), 'BYSCORE', 'LIMIT', 0, args[1])
  for _, member in ipairs(due) do
    redis.call('ZADD', keys[1], 'XX', string.format('%.0f', time + tonumber(args[2])), member)
  end
  return {due, string.format('%.0f', time)}
end

-- KEYS: checks, builds. ARGS: how long until the next check (ms), members. Puts off the checks of builds that run.
local function builds_beat(keys, args)
  local time = now()
  local beaten = 0
  for index = 2, #keys do
    local value = redis.call('GETRANGE', keys[index], 0, 80)
    local deadline = string.match(value, '^r %d+ %d+ %w+ (%w+)')
    if deadline then
      local at = math.min(tonumber(deadline, 36), time + tonumber(args[1]))
      redis.call('ZADD', keys[1], string.format('%.0f', at), args[index])
      beaten = beaten + 1
    end
  end
  return beaten
end

-- KEYS: builds. ARGS: how long a build is remembered after its end or its deadline (ms). Forgets those that are older;
-- gives how many. A time to live of each key would take more than a fifth of what a finished build takes.
local function builds_forget(keys, args)
  local before = now() - tonumber(args[1])
  local forgotten = 0
  for _, key in ipairs(keys) do
    local value = redis.call('GETRANGE', key, 0, 80)
    local at = string.match(value, '^f %d+ %d+ (%w+)') or string.match(value, '^r %d+ %d+ %w+ (%w+)')
    if at and tonumber(at, 36) < before then
      redis.call('UNLINK', key)
      forgotten = forgotten + 1
    end
  end
  return forgotten
end

redis.register_function('builds_start', builds_start)
redis.register_function('builds_finish', builds_finish)
redis.register_function{function_name='builds_read', callback=builds_read, flags={'no-writes'}}
redis.register_function{function_name='lives_read', callback=lives_read, flags={'no-writes'}}
redis.register_function('mark_write', mark_write)
redis.register_function('rebuild_renew', rebuild_renew)
redis.register_function('checks_due', checks_due)
redis.register_function('builds_beat', builds_beat)
redis.register_function('builds_forget', builds_forget)
`;

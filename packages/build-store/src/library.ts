/**
 * The functions that Redis runs on builds. Each is one atomic step, and every step may be repeated and may come in any
 * order: a higher attempt replaces a lower one, and finished is final.
 *
 * One string a build: `r <attempt> <seq> <started> <deadline> <digest>\n<facts>` while it runs,
 * `f <attempt> <seq> <finished> <reason>` after.
 */
export const LIBRARY = `#!lua name=mayfly
local function head(key)
  local value = redis.call('GET', key)
  if not value then return nil end
  local state, attempt, seq = string.match(value, '^(%a) (%d+) (%d+)')
  local digest = string.match(value, '^r %d+ %d+ %d+ %d+ (%S+)\\n')
  return state, tonumber(attempt), tonumber(seq), digest, value
end

local function running(args)
  return 'r ' .. args[1] .. ' ' .. args[2] .. ' ' .. args[3] .. ' ' .. args[4] .. ' ' .. args[5] .. '\\n' .. args[6]
end

-- KEYS: build. ARGS: attempt, seq, started, deadline, digest, facts, expires.
-- Gives the outcome, and the start that was there before: its attempt and seq.
local function build_start(keys, args)
  local state, attempt, seq, digest, value = head(keys[1])
  local asked, asked_seq = tonumber(args[1]), tonumber(args[2])
  if not state or asked > attempt then
    redis.call('SET', keys[1], running(args), 'PXAT', args[7])
    if state == 'r' then return {'running', attempt, seq} end
    return {'running', 0, 0}
  end
  if asked < attempt then return {'superseded', attempt, seq} end
  if state == 'f' then
    if seq == 0 or asked_seq < seq then
      local text = string.gsub(value, '^f (%d+) %d+', 'f %1 ' .. args[2])
      redis.call('SET', keys[1], text, 'KEEPTTL')
    end
    return {'finished', attempt, asked_seq}
  end
  if digest == args[5] then
    if asked_seq < seq then redis.call('SET', keys[1], running(args), 'PXAT', args[7]) end
    return {'repeated', attempt, math.min(seq, asked_seq)}
  end
  if asked_seq > seq then return {'conflict', attempt, seq} end
  return {'conflict-first', attempt, seq}
end

-- KEYS: build. ARGS: attempt, finished, reason, expires. Gives the outcome, attempt, seq of the start (0: not seen).
local function build_finish(keys, args)
  local state, attempt, seq = head(keys[1])
  local asked = tonumber(args[1])
  if not state or asked > attempt then
    redis.call('SET', keys[1], 'f ' .. args[1] .. ' 0 ' .. args[2] .. ' ' .. args[3], 'PXAT', args[4])
    if state == 'r' then return {'finished', asked, 0, attempt, seq} end
    return {'finished', asked, 0, 0, 0}
  end
  if asked < attempt then return {'superseded', asked, 0, 0, 0} end
  if state == 'f' then return {'repeated', attempt, seq, 0, 0} end
  redis.call('SET', keys[1], 'f ' .. args[1] .. ' ' .. seq .. ' ' .. args[2] .. ' ' .. args[3], 'PXAT', args[4])
  return {'finished', attempt, seq, 0, 0}
end

-- KEYS: mark, build. Gives the mark, the build and the server's time, as of one moment.
local function build_read(keys)
  local time = redis.call('TIME')
  return {redis.call('GET', keys[1]), redis.call('GET', keys[2]), time[1], time[2]}
end

-- KEYS: mark, rebuilding. ARGS: owner, stream, run id, floor of starts, floor of ends, first seq.
-- Writes the mark with the server's time, unless another owner is rebuilding. Says whether it did.
local function mark_write(keys, args)
  local owner = redis.call('GET', keys[2])
  if owner and owner ~= args[1] then return 0 end
  local time = redis.call('TIME')
  local at = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
  redis.call('SET', keys[1], table.concat(args, ' ', 2) .. ' ' .. at)
  return 1
end

redis.register_function('build_start', build_start)
redis.register_function('build_finish', build_finish)
redis.register_function{function_name='build_read', callback=build_read, flags={'no-writes'}}
redis.register_function('mark_write', mark_write)
`;

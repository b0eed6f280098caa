/**
 * Jobs that are kept in the main line for the workers: as many as run, so that each worker finds its next one there, within
 * these bounds. A newcomer starts behind them, so a longer line would make it wait; with fewer than the least one, workers of
 * short jobs find it empty and sleep (docs/decisions/0022-groups.md has the figures).
 */
const AHEAD_MIN = 20;
const AHEAD_MAX = 1000;

/** Groups that one pump lets back in whose windows have opened: the rest follow with the next. */
const OPENED_MAX = 100;

/**
 * Lua function `groupsOf(base)`: the lines of the groups of one queue, and the one way from there into the main line. What it
 * returns has
 *
 *   join(field, id)   puts a job into its group's line; `field` is what its record has under `group`: priority, colon, name
 *   leave(field, id)  takes it out of there; returns 1 or 0
 *   claim(field, id)  lets a job that a worker has taken go at once, where it is its group's turn; returns whether
 *   release(id)       takes its slot from a job that has ended, waits for its time or is gone; nothing otherwise
 *   enter(name)       lets a group take turns again, where it has jobs in line
 *   pump()            moves the next jobs into the main line; returns ms until the next window opens, or -1
 *
 * Stride scheduling: of the groups with jobs in line, the one that has had least for its weight goes next. `turns` has them
 * by what they have had, in virtual time, which stands (`time`) where the group stood that went last. A group without jobs, or
 * without room, loses its turn when it comes. If it is back before the others have caught up, it stands where it stood
 * (`ahead`); else at the present time, so nobody saves up turns by being idle.
 *
 * A job that was let go has a slot. Caps count slots, in the step that gives one. A window of starts begins with the first
 * one, and counts them as they are let go.
 *
 * Keys, behind the queue's prefix: `grouped` all jobs in lines, by order; `groups` names by jobs in line; and behind `group:`
 * `line:<name>` jobs by priority and order, `slots` (id → name), `running` (name → slots), `turns`, `ahead`, `opens` (names by
 * when their windows open), `window:<name>` starts in the window, `limits` (name, or '' for all others → weight, concurrency,
 * starts, ms; 0 for none), `state` (order, time, and what the limits are).
 */
export const GROUP_FUNCTIONS = `
local function groupsOf(base)
  local call, at = redis.call, base .. 'group:'
  local slots, running, turns, ahead, opens, state = at .. 'slots', at .. 'running', at .. 'turns', at .. 'ahead', at .. 'opens', at .. 'state'
  local grouped, groups = base .. 'grouped', base .. 'groups'
  local self, known, time = {}, {}, nil

  local function parts(field)
    local priority, name = string.match(field, '^(%d+):(.*)$')
    return name, tonumber(priority)
  end

  local function clock()
    local now = call('TIME')
    return now[1] * 1000 + math.floor(now[2] / 1000)
  end

  local function limitsOf(name)
    if not known[name] then
      local text = call('HGET', at .. 'limits', name) or call('HGET', at .. 'limits', '') or '1 0 0 0'
      local weight, concurrency, max, perMs = string.match(text, '^(%d+) (%d+) (%d+) (%d+)$')
      known[name] = {weight = tonumber(weight), concurrency = tonumber(concurrency), max = tonumber(max), perMs = tonumber(perMs)}
    end
    return known[name]
  end

  local function present()
    time = time or tonumber(call('HGET', state, 'time') or 0)
    return time
  end

  -- For a group that takes no turns: where it would stand if it did.
  local function place(name)
    return math.max(present(), tonumber(call('ZSCORE', ahead, name) or 0))
  end

  local function takeTurns(name)
    if call('ZSCORE', turns, name) then return end
    call('ZADD', turns, place(name), name)
    call('ZREM', ahead, name)
  end

  local function rest(name, stands)
    call('ZREM', turns, name)
    if stands > present() then call('ZADD', ahead, stands, name) end
  end

  local function hasRoom(name)
    local limits, window = limitsOf(name), at .. 'window:' .. name
    if limits.concurrency > 0 and tonumber(call('HGET', running, name) or 0) >= limits.concurrency then return false end
    if limits.max == 0 or tonumber(call('GET', window) or 0) < limits.max then return true end
    -- The limit may have been changed since the window began: its length may have been an hour.
    local left = math.min(call('PTTL', window), limits.perMs)
    call('PEXPIRE', window, left)
    call('ZADD', opens, clock() + left, name)
    return false
  end

  -- Returns where the group stands then.
  local function letGo(name, id, stands)
    local limits, window = limitsOf(name), at .. 'window:' .. name
    -- One that ended and was retried may not have given its slot back yet.
    if call('HSET', slots, id, name) == 1 then call('HINCRBY', running, name, 1) end
    if limits.max > 0 and call('INCR', window) == 1 then call('PEXPIRE', window, limits.perMs) end
    time = math.max(stands, present())
    return stands + 1 / limits.weight
  end

  local function settle()
    call('HSET', state, 'time', time)
    call('ZREMRANGEBYSCORE', ahead, '-inf', time)
  end

  local function drop(name, id)
    call('ZREM', grouped, id)
    if tonumber(call('ZINCRBY', groups, -1, name)) <= 0 then call('ZREM', groups, name) end
  end

  function self.enter(name)
    if call('ZSCORE', groups, name) then takeTurns(name) end
  end

  function self.join(field, id)
    local name, priority = parts(field)
    local order = call('HINCRBY', state, 'order', 1)
    -- As the engine scores priorities; the low half begins again after four billion jobs.
    call('ZADD', at .. 'line:' .. name, priority * 0x100000000 + order % 0x100000000, id)
    call('ZADD', grouped, order, id)
    call('ZINCRBY', groups, 1, name)
    takeTurns(name)
  end

  function self.leave(field, id)
    local name = parts(field)
    local left = call('ZREM', at .. 'line:' .. name, id)
    if left == 1 then drop(name, id) end
    return left
  end

  -- It goes neither before those of its own group that waited longer, nor before a group that has had less.
  function self.claim(field, id)
    local name = parts(field)
    if call('HEXISTS', slots, id) == 1 then return true end
    if call('ZSCORE', groups, name) or not hasRoom(name) then return false end
    local stands = tonumber(call('ZSCORE', turns, name)) or place(name)
    local first = call('ZRANGE', turns, 0, 0, 'WITHSCORES')[2]
    if first and tonumber(first) < stands then return false end
    call('ZREM', turns, name)
    call('ZADD', ahead, letGo(name, id, stands), name)
    settle()
    return true
  end

  local function isOver(id)
    return call('HEXISTS', base .. id, 'finishedOn') == 1 or call('ZSCORE', base .. 'delayed', id) or call('ZSCORE', grouped, id)
      or call('ZSCORE', base .. 'waiting-children', id) or call('EXISTS', base .. id) == 0
  end

  function self.release(id)
    local name = call('HGET', slots, id)
    -- Asked again, because a release may come late: the job may have been retried, and let go anew.
    if not name or not isOver(id) then return end
    call('HDEL', slots, id)
    if call('HINCRBY', running, name, -1) <= 0 then call('HDEL', running, name) end
    self.enter(name)
  end

  local function freePlaces()
    local waits, active = call('LLEN', base .. 'wait'), call('LLEN', base .. 'active')
    local wanted = math.max(${AHEAD_MIN}, math.min(${AHEAD_MAX}, active))
    -- A main line that is long because of jobs without a group must not keep out those with one.
    return wanted - math.min(waits, math.max(0, call('HLEN', slots) - active))
  end

  local function nextOf(name, stands)
    local id = hasRoom(name) and call('ZPOPMIN', at .. 'line:' .. name)[1]
    if not id then return rest(name, stands) end
    drop(name, id)
    -- Removed by a tool that knows nothing of lines.
    if call('EXISTS', base .. id) == 0 then return end
    call('ZADD', turns, letGo(name, id, stands), name)
    return id
  end

  local function openWindows()
    if call('EXISTS', opens) == 0 then return end
    for _, name in ipairs(call('ZRANGEBYSCORE', opens, '-inf', clock(), 'LIMIT', 0, ${OPENED_MAX})) do
      call('ZREM', opens, name)
      self.enter(name)
    end
  end

  local function wake()
    -- A queue that is paused or at its limit gets the marker when that ends.
    local limits = call('HMGET', base .. 'meta', 'paused', 'concurrency')
    local full = limits[2] and call('LLEN', base .. 'active') >= tonumber(limits[2])
    if not limits[1] and not full then call('ZADD', base .. 'marker', 0, '0') end
  end

  function self.pump()
    openWindows()
    local moved, free = {}, freePlaces()
    while #moved < free do
      local first = call('ZRANGE', turns, 0, 0, 'WITHSCORES')
      if not first[1] then break end
      moved[#moved + 1] = nextOf(first[1], tonumber(first[2]))
    end
    if #moved > 0 then
      settle()
      call('LPUSH', base .. 'wait', unpack(moved))
      wake()
    end
    local opening = call('ZRANGE', opens, 0, 0, 'WITHSCORES')[2]
    return opening and math.max(0, opening - clock()) or -1
  end

  return self
end
`;

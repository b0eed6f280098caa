/**
 * Jobs that stand in the main line for the workers: as many as run, so that each worker finds its next one there; twice as
 * many as ended since the last call, where short jobs end in crowds; and at least AHEAD_MIN. A newcomer starts behind them, so
 * a longer line would make it wait. With a fixed one of 20, fifty no-op jobs at once found it empty half of the time
 * and cost Redis twice as much (docs/decisions/0022-groups.md).
 */
const AHEAD_MIN = 5;
const AHEAD_MAX = 1000;

/** Groups that are read at once to take their turns: a longer list costs more to keep in order than to read again. */
const ROUND_MAX = 64;

/** Groups that one pump lets back in whose windows have opened: the rest follow with the next. */
const OPENED_MAX = 100;

/**
 * Lua function `groupsOf(base)`: the lines of the groups of one queue, and the one way from there into the main line. What it
 * returns has
 *
 *   join(field, id)   puts a job into its group's line; `field` is what its record has under `group`: priority, colon, name
 *   leave(field, id)  takes it out of there; returns 1 or 0
 *   claim(field, id)  lets a job that a worker has taken go at once, where it is its group's turn; returns whether
 *   finish(ids)       takes their slots from jobs that this script has ended
 *   release(ids)      the same for jobs of which somebody says that they have ended, wait for their time or are gone: no others lose theirs
 *   enter(name)       lets a group take turns again, where it has jobs in line
 *   pump()            moves the next jobs into the main line; returns ms until the next window opens, or -1
 *
 * What all but the last two change is complete once `pump` has run.
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
  local self, known, counted, entered, ended = {}, {}, {}, {}, 0
  local hasLimits, time, order
  -- What a call changes is written once, however many jobs it moves: counts by group, jobs that came, left and were let go.
  local held, lined, came, left, granted = {}, {}, {}, {}, {}

  local function add(counts, name, change)
    counts[name] = (counts[name] or 0) + change
  end

  -- Counts of which none stays at zero, in a hash or a sorted set: for each name a call would cost more than all else here.
  local function count(key, changes, read, write, remove)
    local names, kept, gone = {}, {}, {}
    for name, change in pairs(changes) do
      if change ~= 0 then names[#names + 1] = name end
    end
    if not names[1] then return end
    for at, before in ipairs(call(read, key, unpack(names))) do
      local name = names[at]
      local now = tonumber(before or 0) + changes[name]
      if now <= 0 then gone[#gone + 1] = name
      else
        kept[#kept + 1] = write == 'HSET' and name or now
        kept[#kept + 1] = write == 'HSET' and now or name
      end
    end
    if kept[1] then call(write, key, unpack(kept)) end
    if gone[1] then call(remove, key, unpack(gone)) end
  end

  local function settle()
    count(running, held, 'HMGET', 'HSET', 'HDEL')
    count(groups, lined, 'ZMSCORE', 'ZADD', 'ZREM')
    if came[1] then
      call('ZADD', grouped, unpack(came))
      call('HSET', state, 'order', order)
    end
    if left[1] then call('ZREM', grouped, unpack(left)) end
    if granted[1] then
      call('HSET', slots, unpack(granted))
      call('HSET', state, 'time', time)
      call('ZREMRANGEBYSCORE', ahead, '-inf', time)
    end
    counted, held, lined, came, left, granted = {}, {}, {}, {}, {}, {}
  end

  local function parts(field)
    local priority, name = string.match(field, '^(%d+):(.*)$')
    return name, tonumber(priority)
  end

  local function clock()
    local now = call('TIME')
    return now[1] * 1000 + math.floor(now[2] / 1000)
  end

  local function limitsOf(name)
    if hasLimits == nil then hasLimits = call('EXISTS', at .. 'limits') == 1 end
    if not known[name] then
      local text = hasLimits and (call('HGET', at .. 'limits', name) or call('HGET', at .. 'limits', '')) or '1 0 0 0'
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
    if entered[name] then return end
    entered[name] = true
    if call('ZSCORE', turns, name) then return end
    call('ZADD', turns, place(name), name)
    call('ZREM', ahead, name)
  end

  local function rest(name, stands)
    entered[name] = nil
    call('ZREM', turns, name)
    if stands > present() then call('ZADD', ahead, stands, name) end
  end

  local function slotsOf(name)
    counted[name] = counted[name] or tonumber(call('HGET', running, name) or 0)
    return counted[name] + (held[name] or 0)
  end

  local function hasRoom(name)
    local limits, window = limitsOf(name), at .. 'window:' .. name
    if limits.concurrency > 0 and slotsOf(name) >= limits.concurrency then return false end
    if limits.max == 0 or tonumber(call('GET', window) or 0) < limits.max then return true end
    -- The limit may have been changed since the window began: its length may have been an hour.
    local rest = math.min(call('PTTL', window), limits.perMs)
    call('PEXPIRE', window, rest)
    call('ZADD', opens, clock() + rest, name)
    return false
  end

  -- Returns where the group stands then.
  local function letGo(name, id, stands)
    local limits, window = limitsOf(name), at .. 'window:' .. name
    add(held, name, 1)
    granted[#granted + 1] = id
    granted[#granted + 1] = name
    if limits.max > 0 and call('INCR', window) == 1 then call('PEXPIRE', window, limits.perMs) end
    time = math.max(stands, present())
    return stands + 1 / limits.weight
  end

  local function free(ids, mayKeep)
    local names, freed = call('HMGET', slots, unpack(ids)), {}
    for index, id in ipairs(ids) do
      local name = names[index]
      if name and not (mayKeep and mayKeep(id)) then
        freed[#freed + 1] = id
        add(held, name, -1)
        -- Only a cap makes a group wait for a slot.
        if limitsOf(name).concurrency > 0 then self.enter(name) end
      end
    end
    if freed[1] then call('HDEL', slots, unpack(freed)) end
    return #freed
  end

  function self.enter(name)
    if call('ZSCORE', groups, name) then takeTurns(name) end
  end

  function self.join(field, id)
    local name, priority = parts(field)
    order = (order or tonumber(call('HGET', state, 'order') or 0)) + 1
    -- As the engine scores priorities; the low half begins again after four billion jobs.
    call('ZADD', at .. 'line:' .. name, priority * 0x100000000 + order % 0x100000000, id)
    came[#came + 1] = order
    came[#came + 1] = id
    add(lined, name, 1)
    takeTurns(name)
  end

  -- For a job that has been let go before, and may not have given its slot back.
  function self.rejoin(field, id)
    free({id})
    self.join(field, id)
  end

  function self.leave(field, id)
    local name = parts(field)
    if call('ZREM', at .. 'line:' .. name, id) == 0 then return 0 end
    left[#left + 1] = id
    add(lined, name, -1)
    return 1
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
    local next = letGo(name, id, stands)
    settle()
    call('ZADD', ahead, next, name)
    return true
  end

  local function isUsed(id)
    return call('HEXISTS', base .. id, 'finishedOn') == 0 and not call('ZSCORE', base .. 'delayed', id) and not call('ZSCORE', grouped, id)
      and not call('ZSCORE', base .. 'waiting-children', id) and call('EXISTS', base .. id) == 1
  end

  function self.finish(ids)
    if ids[1] then ended = free(ids) end
  end

  -- Looked at again, because a release may come late: the job may have been retried, and let go anew.
  function self.release(ids)
    if ids[1] then ended = free(ids, isUsed) end
  end

  local function freePlaces()
    local waits, active = call('LLEN', base .. 'wait'), call('LLEN', base .. 'active')
    local wanted = math.max(${AHEAD_MIN}, math.min(${AHEAD_MAX}, math.max(active, 2 * ended)))
    -- A main line that is long because of jobs without a group must not keep out those with one.
    return wanted - math.min(waits, math.max(0, call('HLEN', slots) - active))
  end

  -- The id of its next job, if it has one and room for it; and where the group stands then, if it still takes turns.
  local function nextOf(name, stands)
    local id = hasRoom(name) and call('ZPOPMIN', at .. 'line:' .. name)[1]
    if not id then return nil, rest(name, stands) end
    left[#left + 1] = id
    add(lined, name, -1)
    return id, letGo(name, id, stands)
  end

  local function stand(standing, name, stands)
    local at = #standing
    while at > 0 and (standing[at][2] > stands or standing[at][2] == stands and standing[at][1] > name) do at = at - 1 end
    table.insert(standing, at + 1, {name, stands})
  end

  -- Lets jobs go by the turns of those groups that stand first. As many turns as groups were read may be taken: up to then
  -- one of them is before all others.
  local function takeRound(moved, places)
    local count = math.min(places - #moved, ${ROUND_MAX})
    local read, standing, changed = call('ZRANGE', turns, 0, count - 1, 'WITHSCORES'), {}, {}
    for at = 1, #read, 2 do standing[#standing + 1] = {read[at], tonumber(read[at + 1])} end
    local isAll = #standing < count
    while #moved < places and standing[1] and (isAll or count > 0) do
      local name, before = unpack(table.remove(standing, 1))
      local id, stands = nextOf(name, before)
      changed[name] = stands
      if stands then stand(standing, name, stands) end
      moved[#moved + 1] = id
      count = count - 1
    end
    local scores = {}
    for name, stands in pairs(changed) do
      scores[#scores + 1] = stands
      scores[#scores + 1] = name
    end
    if scores[1] then call('ZADD', turns, unpack(scores)) end
    return read[1]
  end

  -- Adds those that there are, and takes back the slots of those that a tool removed which knows nothing of lines. Returns
  -- whether there were such: their places are free.
  local function addExisting(moved, ids)
    local keys, gone = {}, {}
    for at, id in ipairs(ids) do keys[at] = base .. id end
    local areAll = not keys[1] or call('EXISTS', unpack(keys)) == #keys
    for at, id in ipairs(ids) do table.insert((areAll or call('EXISTS', keys[at]) == 1) and moved or gone, id) end
    if gone[1] then free(gone) end
    return gone[1]
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
    local moved, places = {}, freePlaces()
    repeat
      local ids, wanted = {}, places - #moved
      while #ids < wanted and takeRound(ids, wanted) do end
      settle()
    until not addExisting(moved, ids)
    settle()
    if moved[1] then
      call('LPUSH', base .. 'wait', unpack(moved))
      wake()
    end
    local opening = call('ZRANGE', opens, 0, 0, 'WITHSCORES')[2]
    return opening and math.max(0, opening - clock()) or -1
  end

  return self
end
`;

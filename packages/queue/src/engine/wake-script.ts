/**
 * Lua function `wake(base)`: wakes an idle worker of the queue, for scripts that let jobs start which could not before. A
 * queue that is paused or at its limit is left alone: its workers are woken when that ends.
 */
export const WAKE_FUNCTION = `
local function wake(base)
  local limits = redis.call('HMGET', base .. 'meta', 'paused', 'concurrency')
  local full = limits[2] and redis.call('LLEN', base .. 'active') >= tonumber(limits[2])
  if not limits[1] and not full then redis.call('ZADD', base .. 'marker', 0, '0') end
end
`;

/**
 * Lua function `slotFreed(base)`, for scripts that end an attempt without the engine: where the queue was at its limit, the
 * others' workers sleep beside a line of jobs. A queue without a limit pays one HEXISTS.
 */
export const SLOT_FREED_FUNCTION = `${WAKE_FUNCTION}
local function slotFreed(base)
  if redis.call('HEXISTS', base .. 'meta', 'concurrency') == 1 then wake(base) end
end
`;

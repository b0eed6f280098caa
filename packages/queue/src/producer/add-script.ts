import { engineScripts } from '@spillway/bullmq';
import { ADMISSION_FUNCTIONS } from '../engine/admission-script.ts';
import { GROUP_FUNCTIONS } from '../engine/group-script.ts';
import { LABEL_FUNCTIONS } from '../engine/label-script.ts';
import { defineScript, type Script } from '../engine/script.ts';

/** The engine's script of one line, as part of ours. */
export interface AddScript {
  run: Script;
  /** The same for a job with a group. */
  runGrouped: Script;
  /** How many keys the engine's part takes. */
  engineKeys: number;
}

/**
 * Adds a job through the engine's own script, as one step with what has to be decided and remembered about it: whether it
 * was stored before, whether another one stands in its place, and its labels, which are told before the job itself.
 *
 * The engine's script is a function here: its KEYS and ARGV are what we hand it. It would decide about deduplication too,
 * but replaces jobs under new ids, and lets a job that ended without it (cancelled while it waited) stand for ever.
 *
 * KEYS  the engine's, then  1 events  [2 ids stored under the claim]
 * ARGV  the engine's 1 to 3 (2 is the input as JSON, 3 the packed options), then
 *       4 key prefix of the queue  5 events kept  6 job id  7 type  8 timestamp  9 labels as JSON or ''
 *       10 delay in seconds  11 dedupe id or ''  12 dedupe mode  13 seconds for which the claim's ids are remembered
 *       14 priority  15 what the record says of its group, where it has one
 * Returns the id of the job that stands: the given one where it is stored, or was before; {id} where it is held back until
 *         there is room; what the judge says where the queue does not take it.
 * Event  labels, then the engine's (added, waiting or delayed)
 */
function addScript(
  { content, keys }: { content: string; keys: number },
  { functions, group, groups, priority, record, lineUp }: Part,
): Script {
  return defineScript(`${LABEL_FUNCTIONS}${ADMISSION_FUNCTIONS}${functions}
local function engineAdd(KEYS, ARGV)
${content}
end

local base, id, dedupe, mode = ARGV[4], ARGV[6], ARGV[11], ARGV[12]
local events, claim = KEYS[${keys + 1}], KEYS[${keys + 2}]

local function remember(stands)
  if claim then
    redis.call('HSET', claim, id, stands == id and '' or stands)
    redis.call('EXPIRE', claim, ARGV[13])
  end
  return stands
end

-- The newest input is the one that runs. While the job runs already it is kept apart, where the engine looks for it when
-- the job ends: also between two attempts, which must not differ in their input.
local function keepLast(standing)
  local held = base .. standing
  if redis.call('HEXISTS', held, 'ats') == 0 then
    redis.call('HSET', held, 'data', ARGV[2])
  else
    local next = base .. 'dn:' .. dedupe
    redis.call('DEL', next)
    redis.call('HSET', next, 'name', ARGV[7], 'data', ARGV[2], 'opts', cjson.encode(cmsgpack.unpack(ARGV[3])), 'jid', id)
  end
  return standing
end

-- The first job of a window is pushed on for as long as it has not become due; the engine's script does that.
local function debounce(standing)
  local held = base .. standing
  if not redis.call('ZSCORE', base .. 'delayed', standing) or redis.call('HEXISTS', held, 'ats') == 1 then return nil end
  redis.call('HSET', held, 'data', ARGV[2])
  engineAdd(KEYS, ARGV)
  return standing
end

local function standing()
  local key = base .. 'de:' .. dedupe
  local found = redis.call('GET', key)
  if not found then return nil end
  if redis.call('PTTL', key) > 0 then
    local stands = mode ~= 'debounce' and found or debounce(found)
    if stands then return stands end
  elseif redis.call('EXISTS', base .. found) == 1 and redis.call('HEXISTS', base .. found, 'finishedOn') == 0 then
    return mode == 'keep-last' and keepLast(found) or found
  end
  redis.call('DEL', key, base .. 'dn:' .. dedupe)
  return nil
end

local before = claim and redis.call('HGET', claim, id)
if before then return before == '' and id or before end
if redis.call('EXISTS', base .. id) == 1 then return id end
local other = dedupe ~= '' and standing()
if other then return remember(other) end
local limits = ARGV[10] == '0' and redis.call('HGET', base .. 'meta', 'admission')
local verdict, scope = 'in', nil
if limits then
  local admission = admissionOf(base, limits, ${groups})
  local tenant = ARGV[9] ~= '' and cjson.decode(ARGV[9]).tenant
  verdict, scope = admission.judge(tonumber(ARGV[14]), tenant, ${group})
  if type(verdict) == 'table' then return verdict end
  admission.hold(id, ARGV[8], tenant, ${priority}, scope)
end
if ARGV[9] ~= '' then
  label(base, id, ARGV[8], ARGV[9])
  settleLabels(base, tonumber(ARGV[10]))
  redis.call('XADD', events, 'MAXLEN', '~', ARGV[5], '*', 'event', 'labels', 'jobId', id, 'labels', ARGV[9])
end
engineAdd(KEYS, ARGV)
${record}
if verdict == 'park' then
  if redis.call('ZREM', base .. 'prioritized', id) == 0 then redis.call('LREM', base .. 'wait', 1, id) end
  park(base, id, scope)
  redis.call('XADD', events, 'MAXLEN', '~', ARGV[5], '*', 'event', 'delayed', 'jobId', id)
  remember(id)
  return {id}
end
${lineUp}
return remember(id)
`);
}

/** What a script does beside: with a job that may start at once, and whose group has a line of its own. */
interface Part {
  functions: string;
  /** Lua for the name of the job's group, and for what `groupsOf` returned. */
  group: string;
  groups: string;
  /** Lua for the priority by which the job may be dropped for its tenant's others. */
  priority: string;
  record: string;
  lineUp: string;
}

const PLAIN: Part = {
  functions: '',
  group: 'nil',
  groups: 'nil',
  priority: 'tonumber(ARGV[14])',
  record: '',
  lineUp: '',
};
/** The engine has put the job at the end of its line, where it is found at the first look, or among the delayed ones. */
const GROUPED: Part = {
  functions: `${GROUP_FUNCTIONS}
local groups = groupsOf(ARGV[4])`,
  group: `string.match(ARGV[15], '^%d+:(.*)$')`,
  groups: 'groups',
  priority: 'nil',
  record: `redis.call('HSET', base .. id, 'group', ARGV[15])`,
  lineUp: `
if ARGV[10] == '0' and redis.call('LREM', base .. 'wait', 1, id) == 1 then
  groups.join(ARGV[15], id)
  groups.pump()
end`,
};

function addScripts(engine: { content: string; keys: number }, plain = PLAIN): AddScript {
  return { run: addScript(engine, plain), runGrouped: addScript(engine, GROUPED), engineKeys: engine.keys };
}

/** A place in the plain line is told by its number (rates/line-script.ts). */
const NUMBER = `redis.call('HSET', base .. id, 'n', redis.call('INCR', base .. 'numbers'))`;

/** One for each line that a job can stand in, by the name that the engine has for its own script. */
export const ADD_SCRIPTS: Readonly<Record<string, AddScript>> = {
  addStandardJob: addScripts(engineScripts.addStandardJob, { ...PLAIN, lineUp: NUMBER }),
  addDelayedJob: addScripts(engineScripts.addDelayedJob),
  addPrioritizedJob: addScripts(engineScripts.addPrioritizedJob),
};

/// <reference path="../engine/engine-scripts.d.ts" />
import { removeJob } from 'bullmq/dist/cjs/scripts/removeJob-2.js';
import { SETTLE_FUNCTIONS } from '../engine/batch-script.ts';
import { defineScript } from '../engine/script.ts';

/**
 * Removes a job through the engine's own script, as one step with what its batch counts it as: how it has ended can be told
 * before, and that it is gone without an end only afterwards.
 *
 * KEYS  the engine's: 1 job  2 schedules
 * ARGV  1 job id  2 key prefix of the queue
 * Returns 1, or 0 where a worker runs the job.
 * Event  removed
 */
export const removeMember = defineScript(`${SETTLE_FUNCTIONS}
local function engineRemove(KEYS, ARGV)
${removeJob.content}
end

local base, id, batch = ARGV[2], ARGV[1], batchOf(KEYS[1])
if batch then settleMembers(base, batch, {id}) end
local removed = engineRemove(KEYS, {id, '0', base})
if batch then settleMembers(base, batch, {id}) end
return removed
`);
